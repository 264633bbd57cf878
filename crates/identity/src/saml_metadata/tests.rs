//! Documents that are metadata of an identity provider, and others.

use super::{CERTIFICATES_MAX, DEPTH_MAX, IdentityProviderMetadata};
use crate::testing::{
    certificates::TestCertificate,
    saml::{base64_of, metadata},
};

fn is_identity_provider(document: &str) -> bool {
    IdentityProviderMetadata::parse(document).is_some()
}

#[test]
fn metadata_of_identity_providers() {
    let document = metadata("https://idp.example");
    let unprefixed = document
        .replace("xmlns:md=", "xmlns=")
        .replace("<md:", "<")
        .replace("</md:", "</");
    let any_use = document.replace(r#" use="signing""#, "");
    let foreign = document.replace(
        "<md:NameIDFormat>",
        r#"<x:SingleSignOnService xmlns:x="urn:x"/><md:NameIDFormat>"#,
    );
    let entity = document.replace("https://idp.example\"", "https://idp.example?a=1&amp;b=2\"");
    let characters = document.replace("<md:NameIDFormat>", "<md:NameIDFormat>&#9;&#xe4;&lt;\u{e4}");
    for document in [document, unprefixed, any_use, foreign, entity, characters] {
        assert!(is_identity_provider(&document), "{document}");
    }
}

/// Certificates that OpenSSL made.
#[test]
fn one_key_at_least_can_verify_signatures() {
    let good = metadata("https://idp.example");
    let lines = good.lines().map(str::trim);
    let own = lines.max_by_key(|line| line.len()).unwrap();
    let good_key = |more: &str| {
        let begin = "<ds:X509Certificate>";
        let more = format!("{begin}{more}</ds:X509Certificate>{begin}");
        good.replacen(begin, &more, 1)
    };
    for (pem, expected) in [
        (include_str!("tests/rsa2048.pem"), true),
        (include_str!("tests/rsa1024.pem"), false),
        (include_str!("tests/secp521r1.pem"), false),
        (include_str!("tests/secp256k1.pem"), false),
    ] {
        let lines = pem.lines().filter(|line| !line.starts_with("-----"));
        let other: String = lines.collect();
        let only = good.replace(own, &other);
        assert_ne!(only, good);
        assert_eq!(is_identity_provider(&only), expected, "{pem}");
        // Beside one that can, during a rotation.
        assert!(is_identity_provider(&good_key(&other)), "{pem}");
    }
}

#[test]
fn what_is_not_metadata_of_an_identity_provider() {
    let good = metadata("https://idp.example");
    let root = r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata""#;
    let doctype = r#"<!DOCTYPE md:EntityDescriptor [<!ENTITY a "b">]>"#;
    let key_end = "</md:KeyDescriptor>";
    let certificate = base64_of(&TestCertificate::new("idp.example"));
    let one = format!(
        r#"<md:KeyDescriptor><ds:X509Certificate xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
        >{certificate}</ds:X509Certificate>{key_end}"#
    );
    let many = |count: usize| good.replacen(key_end, &format!("{key_end}{}", one.repeat(count)), 1);
    let deep = |count: usize| {
        let nested = format!("{}{}", "<md:X>".repeat(count), "</md:X>".repeat(count));
        good.replacen(
            "<md:NameIDFormat>",
            &format!("{nested}<md:NameIDFormat>"),
            1,
        )
    };
    assert!(is_identity_provider(&many(CERTIFICATES_MAX - 1)));
    assert!(is_identity_provider(&deep(DEPTH_MAX - 2)));
    assert!(is_identity_provider(&metadata(&"e".repeat(1024))));
    assert!(is_identity_provider(&format!("{good}\n")));
    for document in [
        String::new(),
        "text".to_owned(),
        good.replace("</md:EntityDescriptor>", ""),
        format!("{good}{good}"),
        format!("{good}text"),
        good.replacen(root, &format!("{doctype}{root}"), 1),
        good.replace("urn:oasis:names:tc:SAML:2.0:metadata", "urn:other"),
        good.replace("entityID=\"https://idp.example\"", ""),
        good.replace("entityID=\"https://idp.example\"", "entityID=\"\""),
        good.replace("entityID=\"https://idp.example\"", "entityID=\"&a;\""),
        metadata(&"e".repeat(1025)),
        format!("{good}\u{a0}"),
        good.replace("entityID=", "entityID=\"a\" entityID="),
        good.replace("IDPSSODescriptor", "SPSSODescriptor"),
        good.replace("SingleSignOnService", "SingleLogoutService"),
        good.replace("Location=", "Place="),
        good.replace("use=\"signing\"", "use=\"encryption\""),
        good.replace("xmldsig#", "other#"),
        good.replace("<ds:X509Certificate>", "<ds:X509Certificate>AAAA"),
        good.replace("<ds:X509Certificate>", "<ds:X509Certificate>&a;"),
        good.replace("<md:NameIDFormat>", "<x:NameIDFormat>"),
        good.replace("<md:NameIDFormat>", "<md:NameIDFormat>&nbsp;"),
        good.replace("<md:NameIDFormat>", "<md:NameIDFormat>&#0;"),
        good.replace("<md:NameIDFormat>", "<md:NameIDFormat>&#xFFFE;"),
        good.replace("<md:NameIDFormat>", "<md:NameIDFormat>&#x110000;"),
        good.replace("<md:NameIDFormat>", "<md:NameIDFormat>&;"),
        good.replace("<md:NameIDFormat>", "<md:NameIDFormat>\0"),
        good.replace("<md:NameIDFormat>", "<md:NameIDFormat>\u{1b}"),
        good.replace("<md:NameIDFormat>", "<!--\0--><md:NameIDFormat>"),
        good.replace("<md:NameIDFormat>", "<md:NameIDFormat a=\"&#1;\">"),
        good.replace("<md:NameIDFormat>", "<md:NameIDFormat a=\"\u{ffff}\">"),
        format!("{good}&#32;"),
        many(CERTIFICATES_MAX),
        deep(DEPTH_MAX - 1),
    ] {
        assert!(!is_identity_provider(&document), "{document}");
    }
}
