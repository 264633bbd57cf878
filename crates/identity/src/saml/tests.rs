//! What is accepted as a signed assertion, and everything else.

use keywright_base::Timestamp;

use super::{
    assertion::{ParsedResponse, VerifiedAssertion},
    canonical::CanonicalForm,
    document::XmlElement,
    rejection::AssertionRejection,
    testing::{ENTITY, TestAssertion, TestSamlProvider, encoded, response},
};
use crate::saml_metadata::IdentityProviderMetadata;

mod limits;

const ROLE: &str = "arn:aws:iam::123456789012:role/admin";
const PROVIDER: &str = "arn:aws:iam::123456789012:saml-provider/idp";

const fn now() -> Timestamp {
    Timestamp::from_secs(1_795_507_200)
}

fn assertion() -> TestAssertion {
    TestAssertion::new(now(), ROLE, PROVIDER)
}

fn verify(
    provider: &TestSamlProvider,
    response: &str,
) -> Result<VerifiedAssertion, AssertionRejection> {
    let metadata = IdentityProviderMetadata::parse(&provider.metadata()).unwrap();
    ParsedResponse::parse(&encoded(response))?.verify(&metadata, now())
}

fn outcome(provider: &TestSamlProvider, response: &str) -> Option<AssertionRejection> {
    verify(provider, response).err()
}

#[test]
fn the_assertion_or_the_response_is_signed() {
    let idp = TestSamlProvider::new();
    let plain = assertion().text();
    let signed = idp.sign(&plain, "_a1");
    for (response, expected) in [
        (response(&signed), None),
        (idp.sign(&response(&plain), "_r1"), None),
        (idp.sign(&response(&signed), "_r1"), None),
        (response(&plain), Some(AssertionRejection::Signature)),
        // Both must be right if there are both.
        (
            idp.sign(&response(&signed), "_r1")
                .replace("Destination=", "InResponseTo=\"x\" Destination="),
            Some(AssertionRejection::Signature),
        ),
    ] {
        assert_eq!(outcome(&idp, &response), expected, "{response}");
    }
    let verified = verify(&idp, &response(&signed)).unwrap();
    assert_eq!(verified.subject, "ann@example.com");
    assert_eq!(verified.subject_type, "persistent");
}

#[test]
fn any_change_of_what_is_signed_is_noticed() {
    let idp = TestSamlProvider::new();
    let good = idp.response(&assertion());
    assert_eq!(outcome(&idp, &good), None);
    for (from, to) in [
        ("ann@example.com", "eve@example.com"),
        ("role/admin", "role/other"),
        ("urn:amazon:webservices", "urn:amazon:webservices "),
        ("<saml:Subject>", "<saml:Subject> "),
        ("<saml:Subject>", "<saml:Subject a=\"\">"),
        ("xmldsig-more#ecdsa-sha256", "xmldsig-more#ecdsa-sha384"),
        ("xmldsig-more#ecdsa-sha256", "xmldsig-more#rsa-sha256"),
        ("xmldsig-more#ecdsa-sha256", "xmldsig-more#hmac-sha256"),
        ("xmlenc#sha256", "xmldsig#sha1"),
        ("<ds:Reference ", "<ds:Reference Type=\"x\" "),
        ("URI=\"#_a1\"", "URI=\"\""),
    ] {
        let changed = good.replace(from, to);
        assert_ne!(changed, good, "{from}");
        let expected = Some(AssertionRejection::Signature);
        assert_eq!(outcome(&idp, &changed), expected, "{from} {to}");
    }
    // Another provider's key, also if its certificate is in the response.
    let other = TestSamlProvider::new();
    let expected = Some(AssertionRejection::Signature);
    assert_eq!(outcome(&other, &good), expected);
    let certificate = crate::testing::saml::base64_of(&idp.certificate);
    let info = format!(
        "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    );
    let with_key = good.replace("</ds:SignatureValue>", &info);
    assert_eq!(outcome(&idp, &with_key), None);
    assert_eq!(outcome(&other, &with_key), expected);
}

/// What is signed says the same in other spellings of XML.
#[test]
fn spelling_does_not_matter() {
    let idp = TestSamlProvider::new();
    let good = idp.response(&assertion());
    for (from, to) in [
        (
            "<samlp:Response",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<samlp:Response",
        ),
        ("></saml:SubjectConfirmationData>", "/>"),
        ("ann@example.com", "&#97;nn&#x40;example.com"),
        ("ann@example.com", "<![CDATA[ann@]]>example.com"),
        ("ID=\"_a1\" IssueInstant", "ID='_a1'\n  IssueInstant"),
        (
            "<ds:Signature xmlns:ds",
            "<ds:Signature xmlns:x=\"urn:x\" xmlns:ds",
        ),
        (
            "<samlp:Response ",
            "<samlp:Response xmlns:xs=\"urn:xs\" xmlns=\"urn:d\" ",
        ),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        assert_eq!(outcome(&idp, &changed), None, "{from} {to}");
    }
}

/// The attacks of "On Breaking SAML" (Somorovsky et al., 2012): a signed assertion is moved, and
/// another one takes its place.
#[test]
fn wrapped_signatures_are_rejected() {
    let idp = TestSamlProvider::new();
    let signed = idp.sign(&assertion().text(), "_a1");
    let mut forged = assertion();
    forged.subject = "root@example.com".to_owned();
    let same_id = forged.text();
    forged.id = "_evil".to_owned();
    let forged = forged.text();
    let begin = signed.find("<ds:Signature").unwrap();
    let end = signed.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let signature = signed.get(begin..end).unwrap();
    let original = assertion().text();
    let insert = |into: &str, what: &str| {
        into.replacen("</saml:Issuer>", &format!("</saml:Issuer>{what}"), 1)
    };
    let object = format!("<ds:Object>{original}</ds:Object></ds:Signature>");
    let with_object = signature.replace("</ds:Signature>", &object);
    let whole = idp.sign(&response(&original), "_r1");
    let malformed = Some(AssertionRejection::Malformed);
    let signature_rejected = Some(AssertionRejection::Signature);
    for (response, expected) in [
        // Both side by side, in either order, with and without the same ID.
        (response(&format!("{forged}{signed}")), malformed),
        (response(&format!("{signed}{forged}")), malformed),
        (response(&format!("{same_id}{signed}")), malformed),
        // The original in the forged one, in its signature, or in an extension.
        (response(&insert(&forged, &signed)), malformed),
        (response(&insert(&forged, &with_object)), malformed),
        (
            response(&format!(
                "<samlp:Extensions>{signed}</samlp:Extensions>{forged}"
            )),
            malformed,
        ),
        // The signature of the original in the forged one.
        (response(&insert(&forged, signature)), signature_rejected),
        (response(&insert(&same_id, signature)), signature_rejected),
        // The forged one in the original.
        (
            response(&signed.replace("<saml:Subject>", &format!("{forged}<saml:Subject>"))),
            malformed,
        ),
        // A whole signed response in another one.
        (response(&format!("{whole}{forged}")), malformed),
        (response(&whole), malformed),
        // Elements of other names in the place of what is signed.
        (
            response(&signed.replace("saml:Assertion", "saml:Advice")),
            malformed,
        ),
        (
            response(&signed.replacen("urn:oasis:names:tc:SAML:2.0:assertion", "urn:other", 1)),
            malformed,
        ),
        // Two signatures of one element, also if the other one is signed.
        (response(&insert(&signed, signature)), signature_rejected),
        (
            insert(&response(&signed), &signature.repeat(2)),
            signature_rejected,
        ),
        (insert(&whole, signature), signature_rejected),
        (
            idp.sign(&response(&insert(&signed, signature)), "_r1"),
            signature_rejected,
        ),
        // The same ID elsewhere.
        (
            response(&signed).replace("<samlp:Status>", "<samlp:Status ID=\"_a1\">"),
            malformed,
        ),
        (
            response(&signed).replace("<samlp:Status>", "<samlp:Status xml:id=\"_a1\">"),
            malformed,
        ),
    ] {
        assert_eq!(outcome(&idp, &response), expected, "{response}");
    }
}

#[test]
fn signatures_of_other_forms_are_rejected() {
    let idp = TestSamlProvider::new();
    let plain = assertion().text();
    let enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    for (from, to) in [
        ("#_a1", "#_r1"),
        (enveloped, exclusive),
        (enveloped, "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        (exclusive, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        (
            "<ds:Transforms>",
            "<ds:Transforms><ds:Transform Algorithm=\"x\"></ds:Transform>",
        ),
        (
            "</ds:Reference>",
            "</ds:Reference><ds:Reference URI=\"#_r1\"></ds:Reference>",
        ),
    ] {
        let signed = idp.sign_with(&plain, "_a1", |info| {
            let changed = info.replacen(from, to, 1);
            assert_ne!(changed, info, "{from}");
            changed
        });
        let expected = Some(AssertionRejection::Signature);
        assert_eq!(outcome(&idp, &response(&signed)), expected, "{from} {to}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row a case")]
fn what_an_assertion_must_say() {
    let idp = TestSamlProvider::new();
    let changed = |change: &dyn Fn(&mut TestAssertion)| {
        let mut changed = assertion();
        change(&mut changed);
        idp.response(&changed)
    };
    let text = |from: &str, to: &str| {
        let text = assertion().text();
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        response(&idp.sign(&changed, "_a1"))
    };
    let good = idp.response(&assertion());
    let (later, at) = (now().plus_secs(300).iso8601(), now().iso8601());
    let persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
    let acs = "https://signin.aws.amazon.com/saml/acs/";
    let confirmation = "<saml:SubjectConfirmation></saml:SubjectConfirmation>";
    let condition = format!("<saml:Conditions NotBefore=\"{at}\" NotOnOrAfter=\"{later}\">");
    for (response, expected) in [
        (good.clone(), None),
        (changed(&|it| it.now = now().plus_secs(60)), None),
        (
            changed(&|it| it.now = now().plus_secs(61)),
            Some(AssertionRejection::NotYetValid),
        ),
        (changed(&|it| it.now = now().plus_secs(-299)), None),
        (
            changed(&|it| it.now = now().plus_secs(-300)),
            Some(AssertionRejection::Expired),
        ),
        (
            text(&condition, &condition.replace(&later, &at)),
            Some(AssertionRejection::Expired),
        ),
        (
            changed(&|it| it.issuer = "https://other.example".to_owned()),
            Some(AssertionRejection::Issuer),
        ),
        (
            changed(&|it| it.audience = "urn:other".to_owned()),
            Some(AssertionRejection::Audience),
        ),
        (
            changed(&|it| it.audience = "https://signin.aws.amazon.com/saml".to_owned()),
            None,
        ),
        (
            changed(&|it| it.recipient = "https://eu-west-1.signin.aws.amazon.com/saml".to_owned()),
            None,
        ),
        (
            changed(&|it| {
                it.recipient = "https://evil.example/signin.aws.amazon.com/saml".to_owned()
            }),
            Some(AssertionRejection::Audience),
        ),
        (
            changed(&|it| it.recipient = "https://evilsignin.aws.amazon.com/saml".to_owned()),
            Some(AssertionRejection::Audience),
        ),
        (
            changed(&|it| {
                it.recipient = "https://signin.aws.amazon.com.evil.example/saml".to_owned()
            }),
            Some(AssertionRejection::Audience),
        ),
        (
            text("cm:bearer", "cm:holder-of-key"),
            Some(AssertionRejection::Audience),
        ),
        (
            text(" Recipient=\"https://signin.aws.amazon.com/saml\"", ""),
            Some(AssertionRejection::Audience),
        ),
        (
            text("saml:AudienceRestriction", "saml:OneTimeUse"),
            Some(AssertionRejection::Audience),
        ),
        (
            text("saml:AudienceRestriction", "saml:Other"),
            Some(AssertionRejection::Malformed),
        ),
        (
            text("saml:Conditions", "saml:Advice"),
            Some(AssertionRejection::Audience),
        ),
        (
            text("saml:Subject>", "saml:Other>"),
            Some(AssertionRejection::Subject),
        ),
        (
            changed(&|it| it.subject = String::new()),
            Some(AssertionRejection::Subject),
        ),
        (
            changed(&|it| it.subject = "s".repeat(256)),
            Some(AssertionRejection::Subject),
        ),
        (changed(&|it| it.subject = "a b".to_owned()), None),
        // Neither the name without the space nor one that looks like it.
        (
            changed(&|it| it.subject = "admin ".to_owned()),
            Some(AssertionRejection::Subject),
        ),
        (
            changed(&|it| it.subject = "admin\u{a0}".to_owned()),
            Some(AssertionRejection::Subject),
        ),
        (
            changed(&|it| it.subject = "\u{2003}admin".to_owned()),
            Some(AssertionRejection::Subject),
        ),
        (
            changed(&|it| it.audience = "\t urn:amazon:webservices ".to_owned()),
            None,
        ),
        (
            changed(&|it| it.audience = "urn:amazon:webservices\u{a0}".to_owned()),
            Some(AssertionRejection::Audience),
        ),
        (
            changed(&|it| it.issuer = format!("{ENTITY}\u{a0}")),
            Some(AssertionRejection::Issuer),
        ),
        (text(persistent, &format!("urn:{}", "f".repeat(252))), None),
        (
            text(persistent, &format!("urn:{}", "f".repeat(253))),
            Some(AssertionRejection::Subject),
        ),
        (
            changed(&|it| it.recipient = format!("{acs}{}", "a".repeat(256 - acs.len()))),
            None,
        ),
        (
            changed(&|it| it.recipient = format!("{acs}{}", "a".repeat(257 - acs.len()))),
            Some(AssertionRejection::Audience),
        ),
        // Exactly one confirmation.
        (
            text("</saml:Subject>", &format!("{confirmation}</saml:Subject>")),
            Some(AssertionRejection::Subject),
        ),
        (
            text("Version=\"2.0\"", "Version=\"1.1\""),
            Some(AssertionRejection::Malformed),
        ),
        (
            text(&format!("IssueInstant=\"{at}\""), "IssueInstant=\"now\""),
            Some(AssertionRejection::Malformed),
        ),
        (
            changed(&|it| it.session = format!(" SessionNotOnOrAfter=\"{}\"", now().iso8601())),
            Some(AssertionRejection::Expired),
        ),
        // It would be a session of no second.
        (
            changed(&|it| {
                let end = now().iso8601().replace('Z', ".999Z");
                it.session = format!(" SessionNotOnOrAfter=\"{end}\"");
            }),
            Some(AssertionRejection::Expired),
        ),
        (
            changed(&|it| {
                let end = now().plus_secs(1).iso8601();
                it.session = format!(" SessionNotOnOrAfter=\"{end}\"");
            }),
            None,
        ),
        (
            text(
                "<saml:Attribute Name",
                "<saml:EncryptedAttribute></saml:EncryptedAttribute><saml:Attribute Name",
            ),
            Some(AssertionRejection::Attribute),
        ),
        (
            good.replace("status:Success", "status:Requester"),
            Some(AssertionRejection::NotSuccessful),
        ),
        (
            good.replace(
                "Destination=\"https://signin.aws.amazon.com/saml\"",
                "Destination=\"https://evil.example/saml\"",
            ),
            Some(AssertionRejection::Audience),
        ),
        (
            response(
                "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>",
            ),
            Some(AssertionRejection::Encrypted),
        ),
        (response(""), Some(AssertionRejection::Malformed)),
    ] {
        assert_eq!(outcome(&idp, &response), expected, "{response}");
    }
}

#[test]
fn only_one_reading_of_a_document_is_accepted() {
    let wide = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count));
    let deep = |count: usize| format!("{}{}", "<b>".repeat(count), "</b>".repeat(count));
    let attributes = |count: usize| {
        let all: String = (0..count).map(|n| format!(" a{n}=\"\"")).collect();
        format!("<a{all}/>")
    };
    for document in [
        "<a/>".to_owned(),
        "<?xml version=\"1.0\"?>\n<a>\n</a>\n".to_owned(),
        "<a xml:id=\"x\" xmlns:b=\"u\" b:c=\"\" c=\"\"/>".to_owned(),
        wide(4_999),
        deep(32),
        attributes(64),
    ] {
        assert!(XmlElement::parse(&document).is_some(), "{document}");
    }
    for document in [
        String::new(),
        "text".to_owned(),
        "<a>".to_owned(),
        "<a/><b/>".to_owned(),
        "<a/>text".to_owned(),
        "<a/>&#32;".to_owned(),
        "<a/><![CDATA[ ]]>".to_owned(),
        "<!DOCTYPE a><a/>".to_owned(),
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_owned(),
        "<a>&b;</a>".to_owned(),
        "<a>&#0;</a>".to_owned(),
        "<a>\u{1}</a>".to_owned(),
        "<a><!-- --></a>".to_owned(),
        "<a><?p?></a>".to_owned(),
        "<a><?xml version=\"1.0\"?></a>".to_owned(),
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>".to_owned(),
        "<a b=\"1\" b=\"2\"/>".to_owned(),
        "<a xmlns:b=\"u\" xmlns:c=\"u\" b:d=\"\" c:d=\"\"/>".to_owned(),
        "<b:a/>".to_owned(),
        "<a b:c=\"\"/>".to_owned(),
        "<a xmlns:b=\"\"/>".to_owned(),
        "<a xmlns:xml=\"urn:x\"/>".to_owned(),
        "<a xmlns:b=\"http://www.w3.org/XML/1998/namespace\"/>".to_owned(),
        "<a:b:c xmlns:a=\"u\"/>".to_owned(),
        "<\u{e4}/>".to_owned(),
        wide(5_000),
        deep(33),
        attributes(65),
    ] {
        assert!(XmlElement::parse(&document).is_none(), "{document}");
    }
    let parse = |text: &str| ParsedResponse::parse(text).err();
    assert_eq!(parse("%"), Some(AssertionRejection::Encoding));
    assert_eq!(parse("/w=="), Some(AssertionRejection::Malformed));
    assert_eq!(parse(""), Some(AssertionRejection::Malformed));
}

/// As lxml 6.1 writes them (`tostring(method="c14n", exclusive=True)`), but for the default namespace
/// in the list of prefixes, which lxml does not take.
#[test]
fn documents_have_one_canonical_form() {
    for (document, inclusive, expected) in [
        ("<a  c='1'\n b=\"2\"/>", &[][..], "<a b=\"2\" c=\"1\"></a>"),
        (
            "<a>&lt;&gt;&amp;&quot;&#13;\r\n\t</a>",
            &[],
            "<a>&lt;&gt;&amp;\"&#xD;\n\t</a>",
        ),
        (
            "<a b='&lt;>&amp;&quot;&#13;&#10;&#9;\n'/>",
            &[],
            "<a b=\"&lt;>&amp;&quot;&#xD;&#xA;&#x9; \"></a>",
        ),
        (
            "<a xmlns:z=\"urn:z\" xmlns:y=\"urn:y\"><z:b y:c=\"\" d=\"\"/></a>",
            &[],
            "<a><z:b xmlns:y=\"urn:y\" xmlns:z=\"urn:z\" d=\"\" y:c=\"\"></z:b></a>",
        ),
        (
            "<a xmlns:z=\"urn:z\" xmlns:y=\"urn:y\"><z:b/></a>",
            &["y"],
            "<a xmlns:y=\"urn:y\"><z:b xmlns:z=\"urn:z\"></z:b></a>",
        ),
        (
            "<a xmlns=\"urn:a\"><b xmlns=\"\"><c/></b><d xmlns=\"urn:a\"/></a>",
            &[],
            "<a xmlns=\"urn:a\"><b xmlns=\"\"><c></c></b><d></d></a>",
        ),
        (
            "<p:a xmlns:p=\"urn:1\"><p:b xmlns:p=\"urn:2\"/><p:c/></p:a>",
            &[],
            "<p:a xmlns:p=\"urn:1\"><p:b xmlns:p=\"urn:2\"></p:b><p:c></p:c></p:a>",
        ),
        (
            "<p:a xmlns=\"urn:d\" xmlns:p=\"urn:1\"/>",
            &[""],
            "<p:a xmlns=\"urn:d\" xmlns:p=\"urn:1\"></p:a>",
        ),
        (
            "<a xmlns:b=\"urn:b\" xmlns:a=\"urn:c\" a:x=\"1\" b:y=\"2\" z=\"3\" xml:lang=\"en\"/>",
            &[],
            "<a xmlns:a=\"urn:c\" xmlns:b=\"urn:b\" z=\"3\" xml:lang=\"en\" b:y=\"2\" a:x=\"1\"></a>",
        ),
    ] {
        let inclusive: Vec<_> = inclusive.iter().map(|&it| String::from(it)).collect();
        let form = CanonicalForm {
            without: None,
            inclusive: &inclusive,
        };
        let element = XmlElement::parse(document).unwrap();
        assert_eq!(
            form.write(&element).as_deref(),
            Some(expected),
            "{document}"
        );
    }
}

/// A response that was signed with an RSA key, the assertion by lxml's canonical form with
/// `InclusiveNamespaces` and then the whole by signxml: other implementations of the same standard.
#[test]
fn a_response_of_another_implementation_is_verified() {
    let metadata = include_str!("tests/signxml_metadata.xml");
    let response = include_str!("tests/signxml_response.xml");
    let metadata = IdentityProviderMetadata::parse(metadata).unwrap();
    let verify = |text: &str| {
        ParsedResponse::parse(&encoded(text))
            .unwrap()
            .verify(&metadata, now())
    };
    let verified = verify(response).unwrap();
    assert_eq!(verified.subject, "ann&bob@example.com");
    for (from, to) in [
        ("ann&amp;bob", "ann&amp;eve"),
        (">ann<", ">eve<"),
        ("xs:string", "xs:other"),
        ("http://www.w3.org/2001/XMLSchema\"", "urn:other\""),
        ("PrefixList=\"xs\"", "PrefixList=\"\""),
        ("Destination=", "InResponseTo=\"_x\" Destination="),
    ] {
        let changed = response.replace(from, to);
        assert_ne!(changed, response, "{from}");
        let rejected = verify(&changed).err();
        assert_eq!(rejected, Some(AssertionRejection::Signature), "{from}");
    }
}
