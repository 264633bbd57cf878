//! SAML identities: which assertions assume roles, what the sessions may do, and each rejection.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    saml::testing::{AWS, ENDPOINT, ENTITY, TestAssertion, TestSamlProvider, encoded},
    testing::{ACCOUNT, TestInstallation, TestKeys, TestResponse, certificates::in_form},
};

const NOT_AUTHORIZED: &str = "Not authorized to perform sts:AssumeRoleWithSAML";

fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn provider_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:saml-provider/idp")
}

fn trust_with(actions: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{}"}},"Action":[{actions}],"Condition":{condition}}}]}}"#,
        provider_arn()
    )
}

fn trust(condition: &str) -> String {
    trust_with(r#""sts:AssumeRoleWithSAML""#, condition)
}

fn string(operator: &str, key: &str, value: &str) -> String {
    format!(r#"{{"{operator}":{{"{key}":"{value}"}}}}"#)
}

fn form_of(response: &str, role: &str, more: &str) -> String {
    let response = encoded(response);
    let response = utf8_percent_encode(&response, NON_ALPHANUMERIC);
    format!(
        "Action=AssumeRoleWithSAML&RoleArn={}&PrincipalArn={}&SAMLAssertion={response}{more}",
        role_arn(role),
        provider_arn()
    )
}

/// An installation with a SAML provider `idp`, a minute after its start.
struct SamlBench {
    bench: TestInstallation,
    idp: TestSamlProvider,
}

impl SamlBench {
    /// With a role `admin` that has this trust policy and may read IAM.
    fn with_role(trust: &str) -> Self {
        let (bench, idp) = (TestInstallation::new(), TestSamlProvider::new());
        let metadata = in_form(&idp.metadata());
        let create = "Action=CreateSAMLProvider&Name=idp&SAMLMetadataDocument=";
        bench.root(&format!("{create}{metadata}")).ok();
        bench.pass(60);
        let this = Self { bench, idp };
        this.role("admin", trust);
        this
    }

    fn role(&self, name: &str, trust: &str) {
        let create = format!("Action=CreateRole&RoleName={name}&AssumeRolePolicyDocument={trust}");
        self.bench.root(&create).ok();
        let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
        let attach = format!("Action=AttachRolePolicy&RoleName={name}&PolicyArn={arn}");
        self.bench.root(&attach).ok();
    }

    fn assertion(&self, id: &str) -> TestAssertion {
        let now = self.bench.now();
        let mut assertion = TestAssertion::new(now, &role_arn("admin"), &provider_arn());
        id.clone_into(&mut assertion.id);
        assertion
    }

    fn assume(&self, assertion: &TestAssertion, more: &str) -> TestResponse {
        self.present(&self.idp.response(assertion), "admin", more)
    }

    fn present(&self, response: &str, role: &str, more: &str) -> TestResponse {
        self.bench.unsigned(&form_of(response, role, more))
    }
}

#[test]
fn an_assertion_assumes_a_role_that_trusts_its_provider() {
    let saml = SamlBench::with_role(&trust("{}"));
    let answer = saml.assume(&saml.assertion("_1"), "");
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/admin/ann");
    for (element, expected) in [
        ("Arn", arn.as_str()),
        ("Subject", "ann@example.com"),
        ("SubjectType", "persistent"),
        ("Issuer", ENTITY),
        ("Audience", ENDPOINT),
        ("Expiration", "2026-11-24T09:01:00Z"),
    ] {
        assert_eq!(answer.value(element), expected, "{element}");
    }
    assert_eq!(answer.value("NameQualifier").len(), 28);
    let session = TestKeys::of(&answer);
    let identity = saml.bench.call(&session, "Action=GetCallerIdentity");
    assert_eq!(identity.value("Arn"), arn);
    saml.bench.call(&session, "Action=ListUsers").ok();
    let denied = saml.bench.call(&session, "Action=CreateUser&UserName=eve");
    assert_eq!(denied.error().code, "AccessDenied");
}

#[test]
fn the_trust_policy_decides_by_the_assertion() {
    let document = format!("{ACCOUNT}/idp");
    for (condition, allowed) in [
        (string("StringEquals", "SAML:aud", ENDPOINT), true),
        (
            string("StringEquals", "SAML:aud", "https://other.example"),
            false,
        ),
        (string("StringEquals", "saml:iss", ENTITY), true),
        (string("StringEquals", "saml:sub", "ann@example.com"), true),
        (string("StringEquals", "saml:sub", "bob@example.com"), false),
        (string("StringEquals", "saml:sub_type", "persistent"), true),
        (string("StringEquals", "saml:doc", &document), true),
        (
            string(
                "ForAnyValue:StringEquals",
                "saml:edupersonaffiliation",
                "staff",
            ),
            true,
        ),
        (
            string(
                "ForAnyValue:StringEquals",
                "saml:edupersonaffiliation",
                "guest",
            ),
            false,
        ),
        (
            string("StringEquals", "saml:edupersonaffiliation", "staff"),
            false,
        ),
        (string("StringEquals", "saml:mail", "ann@example.com"), true),
        (string("StringEquals", "saml:uid", "ann"), false),
        (string("StringEquals", "saml:surname", "a"), false),
        (string("StringEquals", "sts:RoleSessionName", "ann"), true),
        (
            string("StringEquals", "aws:FederatedProvider", &provider_arn()),
            true,
        ),
        (
            string("IpAddress", "aws:SourceIp", "198.51.100.0/24"),
            false,
        ),
    ] {
        let saml = SamlBench::with_role(&trust(&condition));
        let mut assertion = saml.assertion("_1");
        assertion.set("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", &["staff", "member"]);
        let claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
        assertion.set(&format!("{claims}/emailaddress"), &["ann@example.com"]);
        assertion.set(&format!("{claims}/surname"), &["a", "b"]);
        let answer = saml.assume(&assertion, "");
        if allowed {
            answer.ok();
        } else {
            answer.refused("AccessDenied", NOT_AUTHORIZED);
            let listed = saml.bench.root("Action=ListDeniedRequests");
            assert_eq!(listed.values("PrincipalArn"), [provider_arn()]);
        }
    }
}

#[test]
fn the_assertion_must_name_the_role_with_the_provider() {
    let saml = SamlBench::with_role(&trust("{}"));
    saml.role("other", &trust("{}"));
    let aws = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:*"}]}"#;
    saml.role("closed", aws);
    let (role, provider) = (role_arn("admin"), provider_arn());
    let pair = |one: &str, other: &str| format!("{one},{other}");
    for (number, (pairs, role_name, allowed)) in [
        (vec![pair(&role, &provider)], "admin", true),
        (vec![pair(&provider, &role)], "admin", true),
        (
            vec![pair(&role_arn("other"), &provider), pair(&role, &provider)],
            "admin",
            true,
        ),
        (vec![format!("{role} , {provider}")], "admin", true),
        (vec![pair(&role, &provider)], "other", false),
        (
            vec![pair(&role, &provider.replace("idp", "other"))],
            "admin",
            false,
        ),
        (vec![role.clone()], "admin", false),
        (vec![pair(&role_arn("closed"), &provider)], "closed", false),
        (vec![pair(&role_arn("none"), &provider)], "none", false),
        (vec![], "admin", false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut assertion = saml.assertion(&format!("_{number}"));
        let pairs: Vec<_> = pairs.iter().map(String::as_str).collect();
        assertion.set(&format!("{AWS}Role"), &pairs);
        let answer = saml.present(&saml.idp.response(&assertion), role_name, "");
        if allowed {
            answer.ok();
        } else {
            answer.refused("AccessDenied", NOT_AUTHORIZED);
        }
    }
}

#[test]
fn an_assertion_is_used_once() {
    let mut saml = SamlBench::with_role(&trust("{}"));
    let first = saml.idp.response(&saml.assertion("_1"));
    saml.present(&first, "admin", "").ok();
    let used = "The assertion was used before";
    saml.present(&first, "admin", "")
        .refused("InvalidIdentityToken", used);
    // Under another request, and signed again with the same ID.
    saml.present(&first, "admin", "&DurationSeconds=900")
        .refused("InvalidIdentityToken", used);
    let again = saml.idp.response(&saml.assertion("_1"));
    saml.present(&again, "admin", "")
        .refused("InvalidIdentityToken", used);
    saml.present(&saml.idp.response(&saml.assertion("_2")), "admin", "")
        .ok();
    // What was denied was not used.
    let third = saml.idp.response(&saml.assertion("_3"));
    let long = saml.present(&third, "admin", "&DurationSeconds=7200");
    assert_eq!(long.error().code, "ValidationError");
    saml.present(&third, "admin", "").ok();
    // After a restart nobody knows what was used before.
    let fourth = saml.idp.response(&saml.assertion("_4"));
    saml.present(&fourth, "admin", "").ok();
    let fifth = saml.idp.response(&saml.assertion("_5"));
    saml.bench.reopen();
    let expired = "Token must be redeemed within 5 minutes of issuance";
    for response in [fourth, fifth] {
        saml.present(&response, "admin", "")
            .refused("ExpiredTokenException", expired);
    }
    saml.bench.pass(60);
    saml.present(&saml.idp.response(&saml.assertion("_6")), "admin", "")
        .ok();
}

/// What counts is when the assertion is verified, not when the request began.
#[test]
fn a_request_that_stalls_extends_nothing() {
    let saml = SamlBench::with_role(&trust("{}"));
    let expired = "Token must be redeemed within 5 minutes of issuance";
    for (id, secs, accepted) in [("_1", 299, true), ("_2", 301, false)] {
        let form = form_of(&saml.idp.response(&saml.assertion(id)), "admin", "");
        let answer = saml.bench.unsigned_late(&form, secs);
        if accepted {
            answer.ok();
        } else {
            answer.refused("ExpiredTokenException", expired);
        }
    }
}

/// Trusts the provider if a key has this value, or unless it does.
fn trust_by(effect: &str, (key, value): (&str, &str)) -> String {
    let condition = string("StringEquals", key, value);
    if effect == "Allow" {
        return trust(&condition);
    }
    let begin = r#""Statement":["#;
    let denial = format!(
        r#"{begin}{{"Effect":"Deny","Principal":"*","Action":"sts:*","Condition":{condition}}},"#
    );
    trust("{}").replace(begin, &denial)
}

/// An attribute beside it hides none that a policy is about.
#[test]
fn attributes_of_the_same_key_have_it_together() {
    let claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress";
    let mail = "urn:oid:0.9.2342.19200300.100.1.3";
    let group = "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid";
    for (attributes, (effect, key, value), allowed) in [
        (vec![(mail, "a@b.c")], ("Allow", "saml:mail", "a@b.c"), true),
        (vec![(mail, "a@b.c")], ("Deny", "saml:mail", "a@b.c"), false),
        (
            vec![(mail, "a@b.c"), (claims, "a@b.c")],
            ("Allow", "saml:mail", "a@b.c"),
            true,
        ),
        (
            vec![(mail, "a@b.c"), (claims, "d@e.f")],
            ("Allow", "saml:mail", "a@b.c"),
            false,
        ),
        (
            vec![(mail, "a@b.c"), (claims, "d@e.f")],
            ("Deny", "saml:mail", "a@b.c"),
            false,
        ),
        (
            vec![(mail, "a@b.c"), (claims, "d@e.f")],
            ("Deny", "saml:mail", "d@e.f"),
            false,
        ),
        (
            vec![(mail, "<b>a</b>"), (claims, "d@e.f")],
            ("Allow", "saml:mail", "d@e.f"),
            false,
        ),
        (
            vec![(claims, "d@e.f"), (mail, "<b>a</b>")],
            ("Deny", "saml:mail", "a"),
            false,
        ),
        (vec![(group, "S-1")], ("Allow", "saml:uid", "S-1"), true),
        (
            vec![(group, "S-1")],
            ("Allow", "saml:primaryGroupSID", "S-1"),
            true,
        ),
        (
            vec![(group, "S-1"), ("urn:oid:0.9.2342.19200300.100.1.1", "ann")],
            ("Deny", "saml:uid", "ann"),
            false,
        ),
        (
            vec![("2.5.4.3", "Ann")],
            ("Allow", "saml:commonName", "Ann"),
            true,
        ),
        (
            vec![("2.5.4.4", "Bee")],
            ("Deny", "saml:surname", "Bee"),
            false,
        ),
    ] {
        let saml = SamlBench::with_role(&trust_by(effect, (key, value)));
        let mut assertion = saml.assertion("_1");
        for (name, value) in &attributes {
            assertion.set(name, &[value]);
        }
        let answer = saml.assume(&assertion, "");
        assert_eq!(
            answer.is_success(),
            allowed,
            "{attributes:?} {effect} {key}"
        );
    }
}

#[test]
fn the_assertion_can_only_shorten_the_session() {
    let saml = SamlBench::with_role(&trust("{}"));
    let rejected = "An attribute of the assertion is malformed";
    let one = |secs: &'static str| vec![secs];
    for (number, (attribute, request, end, expected)) in [
        (one("900"), "", None, Some("08:16:00")),
        (one("43200"), "", None, Some("09:01:00")),
        (one("1800"), "&DurationSeconds=900", None, Some("08:16:00")),
        (one("1800"), "&DurationSeconds=2700", None, Some("08:31:00")),
        (one("1800"), "", Some(600), Some("08:11:00")),
        (one("899"), "", None, None),
        (one("43201"), "", None, None),
        (one("+900"), "", None, None),
        (one("900.0"), "", None, None),
        (one(" 900"), "", None, None),
        (one(""), "", None, None),
        (one("99999999999"), "", None, None),
        (vec![], "", None, None),
        (vec!["900", "900"], "", None, None),
    ]
    .into_iter()
    .enumerate()
    {
        let mut assertion = saml.assertion(&format!("_{number}"));
        assertion.set(&format!("{AWS}SessionDuration"), &attribute);
        if let Some(secs) = end {
            let end = saml.bench.now().plus_secs(secs).iso8601();
            assertion.session = format!(" SessionNotOnOrAfter=\"{end}\"");
        }
        let answer = saml.assume(&assertion, request);
        match expected {
            Some(time) => {
                let expected = format!("2026-11-24T{time}Z");
                assert_eq!(answer.value("Expiration"), expected, "{attribute:?}");
            }
            None => answer.refused("IDPRejectedClaim", rejected),
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row a case")]
fn every_defect_has_its_error() {
    let saml = SamlBench::with_role(&trust("{}"));
    let invalid = "InvalidIdentityToken";
    let good = saml.assertion("_1");
    let with = |name: &str, values: &[&str]| {
        let mut changed = good.clone();
        changed.set(&format!("{AWS}{name}"), values);
        saml.idp.response(&changed)
    };
    let mut expired = good.clone();
    expired.now = expired.now.plus_secs(-301);
    let mut nameless = good.clone();
    nameless.attributes.truncate(1);
    let signed = saml.idp.response(&good);
    let session_name = "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}";
    let identity =
        "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with \"aws:\"";
    let rejected = (
        "IDPRejectedClaim",
        "An attribute of the assertion is malformed",
    );
    for (response, (code, text)) in [
        (
            "<a/>".to_owned(),
            (
                invalid,
                "The response is not a SAML 2.0 response with one assertion",
            ),
        ),
        (
            signed.replace("ann@", "eve@"),
            (invalid, "Response signature invalid"),
        ),
        (
            saml.idp.response(&expired),
            (
                "ExpiredTokenException",
                "Token must be redeemed within 5 minutes of issuance",
            ),
        ),
        (
            saml.idp.response(&nameless),
            (invalid, "RoleSessionName is required in AuthnResponse"),
        ),
        (with("RoleSessionName", &["a b"]), (invalid, session_name)),
        (with("RoleSessionName", &["a"]), (invalid, session_name)),
        (with("RoleSessionName", &["ann", "bob"]), rejected),
        (with("SourceIdentity", &["aws:ann"]), (invalid, identity)),
        (with("SourceIdentity", &["a b"]), (invalid, identity)),
        (with("PrincipalTag:team", &["a", "b"]), rejected),
        (with("PrincipalTag:team", &[]), rejected),
        (with("PrincipalTag:a*b", &["a"]), rejected),
        (with("PrincipalTag:team", &["<b>a</b>"]), rejected),
        (with("Unknown", &["a"]), rejected),
    ] {
        saml.present(&response, "admin", "").refused(code, text);
    }
    let assume = |role: &str, provider: &str, assertion: &str| {
        saml.bench.unsigned(&format!(
            "Action=AssumeRoleWithSAML&RoleArn={role}&PrincipalArn={provider}\
             &SAMLAssertion={assertion}"
        ))
    };
    let (role, provider) = (role_arn("admin"), provider_arn());
    let none = "Specified provider doesn't exist";
    assume(&role, &provider.replace("idp", "none"), "PGEvPg==").refused(invalid, none);
    let foreign = role.replace(ACCOUNT, "999999999999");
    assume(&foreign, &provider, "PGEvPg==").refused(invalid, none);
    assume(&role, &provider, "....").refused(invalid, "Invalid base64 SAMLResponse");
    assume("arn:aws:iam::123456789012:user/a", &provider, "PGEvPg==")
        .refused("ValidationError", "Request ARN is invalid");
    let text = "1 validation error detected: Value at 'sAMLAssertion' failed to satisfy \
                constraint: Member must have length less than or equal to 100000";
    assume(&role, &provider, &"a".repeat(100_001)).refused("ValidationError", text);
}

#[test]
fn metadata_that_was_replaced_no_longer_counts() {
    let saml = SamlBench::with_role(&trust("{}"));
    saml.assume(&saml.assertion("_1"), "").ok();
    let other = in_form(&TestSamlProvider::new().metadata());
    let named = format!("SAMLProviderArn={}", provider_arn());
    let update = format!("Action=UpdateSAMLProvider&{named}&SAMLMetadataDocument={other}");
    saml.bench.root(&update).ok();
    saml.assume(&saml.assertion("_2"), "")
        .refused("InvalidIdentityToken", "Response signature invalid");
    saml.bench
        .root(&format!("Action=DeleteSAMLProvider&{named}"))
        .ok();
    saml.assume(&saml.assertion("_3"), "")
        .refused("InvalidIdentityToken", "Specified provider doesn't exist");
}

#[test]
fn tags_source_identity_and_end_come_from_the_assertion() {
    let all = r#""sts:AssumeRoleWithSAML","sts:TagSession","sts:SetSourceIdentity""#;
    let saml = SamlBench::with_role(&trust_with(all, "{}"));
    let tagged = |saml: &SamlBench, id: &str| {
        let mut assertion = saml.assertion(id);
        assertion.set(&format!("{AWS}PrincipalTag:team"), &["red"]);
        assertion.set(&format!("{AWS}TransitiveTagKeys"), &["team"]);
        assertion.set(&format!("{AWS}SourceIdentity"), &["ann"]);
        let end = saml.bench.now().plus_secs(1200).iso8601();
        assertion.session = format!(" SessionNotOnOrAfter=\"{end}\"");
        assertion
    };
    let answer = saml.assume(&tagged(&saml, "_1"), "");
    assert_eq!(answer.value("SourceIdentity"), "ann");
    assert_eq!(answer.value("Expiration"), "2026-11-24T08:21:00Z");
    let session = TestKeys::of(&answer);
    for (key, value, allowed) in [
        ("aws:PrincipalTag/team", "red", true),
        ("aws:PrincipalTag/team", "blue", false),
        ("saml:sub", "ann@example.com", true),
        ("saml:sub", "bob@example.com", false),
        ("saml:namequalifier", &answer.value("NameQualifier"), true),
        ("aws:FederatedProvider", &provider_arn(), true),
    ] {
        let condition = string("StringEquals", key, value);
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"iam:CreateUser","Resource":"*","Condition":{condition}}}}}"#
        );
        let policy = in_form(&policy);
        let put = "Action=PutRolePolicy&RoleName=admin&PolicyName=p&PolicyDocument=";
        saml.bench.root(&format!("{put}{policy}")).ok();
        let create = saml
            .bench
            .call(&session, "Action=CreateUser&UserName=someone");
        assert_eq!(create.is_success(), allowed, "{key} {value}");
        if allowed {
            saml.bench.root("Action=DeleteUser&UserName=someone").ok();
        }
    }
    let only = SamlBench::with_role(&trust("{}"));
    only.assume(&tagged(&only, "_1"), "")
        .refused("AccessDenied", "Not authorized to perform sts:TagSession");
}

#[test]
fn a_provider_that_requires_encryption_accepts_nothing() {
    let saml = SamlBench::with_role(&trust("{}"));
    let key = in_form(&TestSamlProvider::new().certificate.private_key);
    let update = format!(
        "Action=UpdateSAMLProvider&SAMLProviderArn={}&AssertionEncryptionMode=Required\
         &AddPrivateKey={key}",
        provider_arn()
    );
    saml.bench.root(&update).ok();
    saml.assume(&saml.assertion("_1"), "").refused(
        "InvalidIdentityToken",
        "The provider requires encrypted assertions",
    );
}
