//! Web identities: which tokens assume roles, what the sessions may do, and each rejection.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    event::RequestOutcome,
    testing::{ACCOUNT, TestInstallation, TestKeys, TestResponse},
    web_identity::{
        DocumentFault,
        testing::{ISSUER, TestDocuments, TestTokenKey},
    },
};

const PROVIDER: &str = "idp.example.com/tenant";
const NOT_AUTHORIZED: &str = "Not authorized to perform sts:AssumeRoleWithWebIdentity";

/// An installation with a provider whose client is `client`, and its issuer.
struct FederationBench {
    bench: TestInstallation,
    documents: Arc<TestDocuments>,
    key: TestTokenKey,
}

fn provider_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}")
}

fn trust_of(principal: &str, actions: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":[{actions}],"Condition":{condition}}}]}}"#
    )
}

fn trust(condition: &str) -> String {
    let principal = format!(r#"{{"Federated":"{}"}}"#, provider_arn());
    trust_of(&principal, r#""sts:AssumeRoleWithWebIdentity""#, condition)
}

impl FederationBench {
    fn new() -> Self {
        let bench = TestInstallation::new();
        let key = TestTokenKey::new("ES256");
        let documents = Arc::new(TestDocuments::of(&[key.public("k1")]));
        bench
            .identity()
            .know_provider_documents(Arc::clone(&documents) as _);
        bench
            .root(&format!(
                "Action=CreateOpenIDConnectProvider&Url={ISSUER}&ClientIDList.member.1=client"
            ))
            .ok();
        Self {
            bench,
            documents,
            key,
        }
    }

    /// With a role `deploy` that has this trust policy and may read IAM.
    fn with_role(trust: &str) -> Self {
        let this = Self::new();
        this.role("deploy", trust);
        this
    }

    fn role(&self, name: &str, trust: &str) {
        let create = format!("Action=CreateRole&RoleName={name}&AssumeRolePolicyDocument={trust}");
        self.bench.root(&create).ok();
        let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
        let attach = format!("Action=AttachRolePolicy&RoleName={name}&PolicyArn={arn}");
        self.bench.root(&attach).ok();
    }

    fn claims(&self) -> Value {
        let now = self.bench.now().secs();
        json!({
            "iss": ISSUER, "aud": "client", "sub": "repo:octo/app:ref:refs/heads/main",
            "iat": now, "nbf": now, "exp": now + 600, "repository": "octo/app",
        })
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        match value {
            Value::Null => {
                claims.as_object_mut().unwrap().remove(name);
            }
            value => claims[name] = value,
        }
        self.token(&claims)
    }

    fn token(&self, claims: &Value) -> String {
        self.key
            .token(&json!({"alg": "ES256", "kid": "k1"}), claims)
    }

    fn good(&self) -> String {
        self.token(&self.claims())
    }

    fn assume(&self, role: &str, token: &str, more: &str) -> TestResponse {
        self.bench.unsigned(&format!(
            "Action=AssumeRoleWithWebIdentity&RoleArn=arn:aws:iam::{ACCOUNT}:role/{role}\
             &RoleSessionName=s1&WebIdentityToken={token}{more}"
        ))
    }
}

#[test]
fn a_token_assumes_a_role_that_trusts_its_provider() {
    let idp = FederationBench::with_role(&trust("{}"));
    let answer = idp.assume("deploy", &idp.good(), "");
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/s1");
    for (element, expected) in [
        ("Arn", arn.as_str()),
        ("Provider", &provider_arn()),
        ("Audience", "client"),
        (
            "SubjectFromWebIdentityToken",
            "repo:octo/app:ref:refs/heads/main",
        ),
        ("Expiration", "2026-11-24T09:00:00Z"),
    ] {
        assert_eq!(answer.value(element), expected);
    }
    assert_eq!(answer.values("PackedPolicySize"), [""; 0]);
    let session = TestKeys::of(&answer);
    let identity = idp.bench.call(&session, "Action=GetCallerIdentity");
    assert_eq!(identity.value("Arn"), arn);
    assert_eq!(identity.value("UserId"), answer.value("AssumedRoleId"));
    idp.bench.call(&session, "Action=ListUsers").ok();
    let create = idp.bench.call(&session, "Action=CreateUser&UserName=eve");
    assert_eq!(create.error().code, "AccessDenied");
    // The denial is remembered, as that of any session.
    let denials = idp.bench.root("Action=ListDeniedRequests");
    assert!(denials.ok().contains("iam:CreateUser"));
    let role = idp.bench.root("Action=GetRole&RoleName=deploy");
    assert!(role.ok().contains("<LastUsedDate>"));
    // The same token again, as on AWS, with one fetch of the keys.
    idp.assume("deploy", &idp.good(), "").ok();
    assert_eq!(idp.documents.count(), 1);
}

#[test]
fn a_signature_changes_nothing() {
    let idp = FederationBench::with_role(&trust("{}"));
    let nobody = idp.bench.user("nobody", &[]);
    let form = format!(
        "Action=AssumeRoleWithWebIdentity&RoleArn=arn:aws:iam::{ACCOUNT}:role/deploy\
         &RoleSessionName=s1&WebIdentityToken={}",
        idp.good()
    );
    idp.bench.call(&nobody, &form).ok();
}

#[test]
fn the_trust_policy_decides_by_the_claims() {
    let own = |claim: &str| format!("{PROVIDER}:{claim}");
    for (condition, allowed) in [
        ("{}".to_owned(), true),
        (string("StringEquals", &own("aud"), "client"), true),
        (string("StringEquals", &own("aud"), "other"), false),
        (string("StringLike", &own("sub"), "repo:octo/app:*"), true),
        (
            string("StringLike", &own("sub"), "repo:octo/*:pull_request"),
            false,
        ),
        (string("StringEquals", &own("repository"), "octo/app"), true),
        (
            string("StringEquals", &own("repository"), "octo/other"),
            false,
        ),
        // Keys of another provider are not this one's.
        (
            string("StringEquals", "idp.example.com:aud", "client"),
            false,
        ),
        (string("StringEquals", "sts:RoleSessionName", "s1"), true),
        (string("StringEquals", "sts:RoleSessionName", "s2"), false),
        (
            string("StringEquals", "aws:FederatedProvider", &provider_arn()),
            true,
        ),
        (
            string("StringEquals", "aws:FederatedProvider", "other"),
            false,
        ),
        (string("IpAddress", "aws:SourceIp", "192.0.2.0/24"), true),
        (
            string("IpAddress", "aws:SourceIp", "198.51.100.0/24"),
            false,
        ),
        (
            string("StringEquals", "aws:RequestedRegion", "us-east-1"),
            true,
        ),
        (string("ForAnyValue:StringEquals", &own("amr"), "mfa"), true),
        (
            string("ForAnyValue:StringEquals", &own("amr"), "pwd2"),
            false,
        ),
        // What only a signed caller has is absent.
        (string("StringLike", "aws:PrincipalArn", "*"), false),
        (string("Null", &own("email"), "true"), true),
    ] {
        let idp = FederationBench::with_role(&trust(&condition));
        let token = idp.with_claim("amr", json!(["pwd", "mfa"]));
        let answer = idp.assume("deploy", &token, "");
        if allowed {
            answer.ok();
        } else {
            answer.refused("AccessDenied", NOT_AUTHORIZED);
        }
    }
}

/// A condition that expects one text where the token has a list, or that names a claim with a
/// colon, allows nobody and is never without effect in a Deny.
#[test]
fn no_deny_is_void_because_of_the_shape_of_a_claim() {
    let own = |claim: &str| format!("{PROVIDER}:{claim}");
    for (operator, claim, value, holds, absent) in [
        ("StringEquals", "groups", "contractors", false, false),
        ("StringNotEquals", "groups", "staff", false, true),
        ("StringLike", "groups", "*", false, false),
        ("StringEquals", "amr", "pwd", false, false),
        ("ForAnyValue:StringEquals", "groups", "staff", true, false),
        ("StringEquals", "8443:sub", "x", false, false),
        (
            "StringEquals",
            "https://idp.example.com/role",
            "guest",
            false,
            false,
        ),
        (
            "StringEquals",
            "repository",
            "${idp.example.com/tenant:groups}",
            false,
            false,
        ),
    ] {
        let condition = string(operator, &own(claim), value);
        let deny = trust(&condition).replace(r#""Effect":"Allow""#, r#""Effect":"Deny""#);
        let (_, deny) = deny.split_once(r#""Statement":["#).unwrap();
        let deny = deny.strip_suffix("]}").unwrap();
        let deny = trust("{}").replace(r#""Statement":["#, &format!(r#""Statement":[{deny},"#));
        for (trust, tested) in [(trust(&condition), holds), (deny, false)] {
            let idp = FederationBench::with_role(&trust);
            let mut claims = idp.claims();
            claims["groups"] = json!(["staff", "contractors"]);
            claims["amr"] = json!(["pwd"]);
            claims["8443:sub"] = json!("x");
            claims["https://idp.example.com/role"] = json!("guest");
            let answer = idp.assume("deploy", &idp.token(&claims), "");
            assert_eq!(answer.is_success(), tested, "{trust}");
        }
        // Without the claim, as on AWS.
        let idp = FederationBench::with_role(&trust(&condition));
        let mut claims = idp.claims();
        claims.as_object_mut().unwrap().remove("repository");
        let answer = idp.assume("deploy", &idp.token(&claims), "");
        assert_eq!(answer.is_success(), absent, "{condition}");
    }
}

/// A thumbprint that is withdrawn while keys are being fetched vouches for none of them.
#[test]
fn a_thumbprint_that_is_withdrawn_during_a_fetch_no_longer_counts() {
    let idp = FederationBench::with_role(&trust("{}"));
    let change = |thumbprint: &str| {
        format!(
            "Action=UpdateOpenIDConnectProviderThumbprint&OpenIDConnectProviderArn={}\
             &ThumbprintList.member.1={thumbprint}",
            provider_arn()
        )
    };
    idp.bench.root(&change(&"a".repeat(40))).ok();
    idp.documents.gate.forget_permits(1000);
    let token = idp.good();
    std::thread::scope(|threads| {
        let assuming = threads.spawn(|| idp.assume("deploy", &token, "").code().map(str::to_owned));
        idp.bench.block_on(async {
            idp.documents.begun.acquire().await.unwrap().forget();
        });
        idp.bench.root(&change(&"b".repeat(40))).ok();
        idp.documents.gate.add_permits(1000);
        let code = assuming.join().unwrap();
        assert_eq!(code.as_deref(), Some("IDPCommunicationError"));
    });
    idp.assume("deploy", &token, "").ok();
}

fn string(operator: &str, key: &str, value: &str) -> String {
    format!(r#"{{"{operator}":{{"{key}":"{value}"}}}}"#)
}

#[test]
fn only_a_statement_for_the_provider_and_the_action_allows() {
    let federated = format!(r#"{{"Federated":"{}"}}"#, provider_arn());
    let root = format!(r#"{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}}"#);
    for (principal, action, allowed) in [
        (
            federated.as_str(),
            r#""sts:AssumeRoleWithWebIdentity""#,
            true,
        ),
        (federated.as_str(), r#""sts:*""#, true),
        (federated.as_str(), r#""sts:AssumeRole""#, false),
        (federated.as_str(), r#""sts:TagSession""#, false),
        (root.as_str(), r#""sts:AssumeRoleWithWebIdentity""#, false),
        (r#"{"Service":"ec2.amazonaws.com"}"#, r#""sts:*""#, false),
    ] {
        let idp = FederationBench::with_role(&trust_of(principal, action, "{}"));
        let answer = idp.assume("deploy", &idp.good(), "");
        if allowed {
            answer.ok();
        } else {
            answer.refused("AccessDenied", NOT_AUTHORIZED);
        }
    }
    // A deny wins.
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRoleWithWebIdentity"}"#;
    let denied = trust("{}").replace(r#""Statement":["#, &format!(r#""Statement":[{deny},"#));
    let idp = FederationBench::with_role(&denied);
    let answer = idp.assume("deploy", &idp.good(), "");
    answer.refused("AccessDenied", NOT_AUTHORIZED);
    // What trusts the provider trusts no user.
    let idp = FederationBench::with_role(&trust("{}"));
    let admin = idp.bench.user("admin", &["AdministratorAccess"]);
    let form =
        format!("Action=AssumeRole&RoleArn=arn:aws:iam::{ACCOUNT}:role/deploy&RoleSessionName=s1");
    assert_eq!(idp.bench.call(&admin, &form).error().code, "AccessDenied");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row a defect")]
fn every_defect_of_a_token_has_its_error() {
    const INVALID: &str = "InvalidIdentityToken";
    let malformed = "The ID Token provided is not a valid JWT. (You may see this error if you \
                     sent an Access Token)";
    let no_key = "Couldn't retrieve verification key from your identity provider,  please \
                  reference AssumeRoleWithWebIdentity documentation for requirements";
    let signature = "The signature of the ID Token is not valid";
    let algorithm = "The signature algorithm of the ID Token is not supported";
    let idp = FederationBench::with_role(&trust("{}"));
    let now = idp.bench.now().secs();
    let expired = format!(
        "Token expired: current date/time {now} must be before the expiration date/time {}",
        now - 400
    );
    let provider = |iss: &str| format!("No OpenIDConnect provider found in your account for {iss}");
    let missing = |claim: &str| format!("Missing a required claim: {claim}");
    let signed = |header: Value| idp.key.token(&header, &idp.claims());
    let claim = |name: &str, value: Value| idp.with_claim(name, value);
    let (head, rest) = {
        let good = idp.good();
        let (head, rest) = good.split_once('.').unwrap();
        (head.to_owned(), rest.to_owned())
    };
    let forged = TestTokenKey::new("ES256");
    let forged = forged.token(&json!({"alg": "ES256", "kid": "k1"}), &idp.claims());
    for (token, code, text) in [
        ("abcd".to_owned(), INVALID, malformed.to_owned()),
        (format!("{head}.{rest}.e30"), INVALID, malformed.to_owned()),
        (
            signed(json!({"alg": "none"})),
            INVALID,
            algorithm.to_owned(),
        ),
        (
            signed(json!({"alg": "HS256", "kid": "k1"})),
            INVALID,
            algorithm.to_owned(),
        ),
        (
            signed(json!({"alg": "ES384", "kid": "k1"})),
            INVALID,
            signature.to_owned(),
        ),
        (
            signed(json!({"alg": "RS256", "kid": "k1"})),
            INVALID,
            signature.to_owned(),
        ),
        (
            signed(json!({"alg": "ES256", "kid": "k2"})),
            INVALID,
            no_key.to_owned(),
        ),
        (forged, INVALID, signature.to_owned()),
        (
            claim("exp", json!(now - 400)),
            "ExpiredTokenException",
            expired,
        ),
        (claim("exp", Value::Null), INVALID, missing("exp")),
        (
            claim("nbf", json!(now + 400)),
            INVALID,
            "The ID Token is not valid yet".to_owned(),
        ),
        (
            claim("iat", json!(now + 400)),
            INVALID,
            "The ID Token is not valid yet".to_owned(),
        ),
        (
            claim("iss", json!("https://other.example.com")),
            INVALID,
            provider("https://other.example.com"),
        ),
        (
            claim("iss", json!(ISSUER.replace("https", "http"))),
            INVALID,
            provider(&ISSUER.replace("https", "http")),
        ),
        (claim("iss", json!(PROVIDER)), INVALID, provider(PROVIDER)),
        (
            claim("iss", json!(format!("{ISSUER}/more"))),
            INVALID,
            provider(&format!("{ISSUER}/more")),
        ),
        (
            claim("iss", json!("a".repeat(2000))),
            INVALID,
            provider(&"a".repeat(255)),
        ),
        (claim("iss", Value::Null), INVALID, missing("iss")),
        (
            claim("aud", json!("other")),
            INVALID,
            "Incorrect token audience".to_owned(),
        ),
        (claim("aud", Value::Null), INVALID, missing("aud")),
        (claim("sub", Value::Null), INVALID, missing("sub")),
        (
            claim("sub", json!("s".repeat(256))),
            INVALID,
            "The subject of the ID Token is longer than 255 characters".to_owned(),
        ),
        (
            claim("https://aws.amazon.com/tags", json!("x")),
            "IDPRejectedClaim",
            "The claim https://aws.amazon.com/tags is malformed".to_owned(),
        ),
    ] {
        let answer = idp.assume("deploy", &token, "");
        answer.refused(code, &text);
        let status = if code == "IDPRejectedClaim" { 403 } else { 400 };
        assert_eq!(answer.error().status, status);
    }
    // The slash at the end of an issuer is not significant.
    let slash = claim("iss", json!(format!("{ISSUER}/")));
    idp.assume("deploy", &slash, "").ok();
    let long = idp.assume("deploy", &"a".repeat(20_001), "");
    let text = "1 validation error detected: Value at 'webIdentityToken' failed to satisfy \
                constraint: Member must have length less than or equal to 20000";
    long.refused("ValidationError", text);
}

#[test]
fn what_cannot_be_fetched_has_its_error() {
    for (fault, code) in [
        (DocumentFault::Unreachable, "IDPCommunicationError"),
        (DocumentFault::Certificate, "InvalidIdentityToken"),
        (DocumentFault::Unusable, "InvalidIdentityToken"),
    ] {
        let idp = FederationBench::with_role(&trust("{}"));
        idp.documents.answer_with(Err(fault));
        let answer = idp.assume("deploy", &idp.good(), "");
        assert_eq!(answer.error().code, code, "{fault:?}");
    }
}

/// A token has no caller: its event names the role once the token was verified, and never the
/// token.
#[test]
fn every_request_yields_one_event() {
    let idp = FederationBench::with_role(&trust("{}"));
    let other = r#"{"AWS":"123456789012"}"#;
    idp.role("other", &trust_of(other, r#""sts:AssumeRole""#, "{}"));
    let arn = |role| format!("arn:aws:iam::{ACCOUNT}:role/{role}");
    let failed = |status, code: &'static str| RequestOutcome::Failed {
        status,
        code: code.into(),
    };
    let expired = idp.with_claim("exp", json!(1));
    idp.assume("deploy", &idp.good(), "").ok();
    idp.bench.take_events();
    for (role, token, outcome, resource) in [
        (
            "deploy",
            idp.good(),
            RequestOutcome::Succeeded,
            Some("deploy"),
        ),
        (
            "other",
            idp.good(),
            failed(403, "AccessDenied"),
            Some("other"),
        ),
        (
            "none",
            idp.good(),
            failed(403, "AccessDenied"),
            Some("none"),
        ),
        (
            "deploy",
            expired,
            failed(400, "ExpiredTokenException"),
            None,
        ),
        (
            "deploy",
            "a.b.c".to_owned(),
            failed(400, "InvalidIdentityToken"),
            None,
        ),
    ] {
        idp.assume(role, &token, "");
        let events = idp.bench.take_events();
        let [event] = &events[..] else {
            panic!("{role}: {events:?}");
        };
        assert_eq!(event.operation, "sts:AssumeRoleWithWebIdentity");
        assert_eq!(event.outcome, outcome, "{role}");
        assert_eq!((&event.principal, event.is_read_only), (&None, false));
        let denied = event.outcome == failed(403, "AccessDenied");
        assert_eq!(event.is_denied, denied, "{role}");
        let resources: Vec<_> = event.resources.iter().map(|it| &it.arn).collect();
        assert_eq!(resources, resource.map(arn).iter().collect::<Vec<_>>());
        assert!(!event.debug.contains(&token), "{}", event.debug);
    }
}

/// Those who may read the role can ask why; whoever was denied learns nothing.
#[test]
fn denials_can_be_explained() {
    let condition = string(
        "StringLike",
        &format!("{PROVIDER}:sub"),
        "repo:octo/other:*",
    );
    let idp = FederationBench::with_role(&trust(&condition));
    let assume = |role: &str| {
        let answer = idp.assume(role, &idp.good(), "");
        answer.refused("AccessDenied", NOT_AUTHORIZED);
        let listed = idp.bench.root("Action=ListDeniedRequests");
        let ids = listed.values("RequestId");
        ids.first().unwrap().to_string()
    };
    let (none, deploy) = (assume("none"), assume("deploy"));
    let of_provider = format!("Action=ListDeniedRequests&PrincipalArn={}", provider_arn());
    for list in ["Action=ListDeniedRequests", &of_provider] {
        let listed = idp.bench.root(list);
        let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        assert_eq!(listed.values("ResourceArn"), [role("deploy"), role("none")]);
        assert_eq!(
            listed.values("PrincipalArn"),
            [provider_arn(), provider_arn()]
        );
    }
    let explain = |id: &str| format!("Action=ExplainDeniedRequest&RequestId={id}");
    let explained = idp.bench.root(&explain(&deploy));
    assert_eq!(explained.value("Decision"), "implicitDeny");
    let text = explained.ok();
    for part in ["repo:octo/app:ref:refs/heads/main", "repo:octo/other:*"] {
        assert!(text.contains(part), "{text}");
    }
    let explained = idp.bench.root(&explain(&none));
    assert_eq!(explained.value("DecisionNow"), "implicitDeny");
    // Now the role trusts the subject.
    let open = trust("{}");
    let update = format!("Action=UpdateAssumeRolePolicy&RoleName=deploy&PolicyDocument={open}");
    idp.bench.root(&update).ok();
    let explained = idp.bench.root(&explain(&deploy));
    assert_eq!(explained.value("DecisionNow"), "allowed");
    // A user who may not read the role may not read why either.
    let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["keywright:*","iam:*"],"Resource":"*"},{"Effect":"Deny","Action":"iam:GetRole","Resource":"*"}]}"#;
    let ann = idp.bench.user("ann", &[]);
    let put = format!("Action=PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument={allow}");
    idp.bench.root(&put).ok();
    let denied = idp.bench.call(&ann, &explain(&deploy));
    assert_eq!(denied.error().code, "AccessDenied");
}

/// Whatever is known of an issuer's keys, a role that does not exist or trusts others is answered
/// like one that exists, and the same is fetched.
#[test]
fn nothing_depends_on_the_role_before_the_token_is_verified() {
    let forged = TestTokenKey::new("ES256");
    let unreachable = Err(DocumentFault::Unreachable);
    let mut seen = Vec::new();
    for role in ["deploy", "other", "none"] {
        let idp = FederationBench::with_role(&trust("{}"));
        let other = r#"{"AWS":"123456789012"}"#;
        idp.role("other", &trust_of(other, r#""sts:AssumeRole""#, "{}"));
        let named = |key: &str| json!({"alg": "ES256", "kid": key});
        let forged = forged.token(&named("k1"), &idp.claims());
        let unknown = idp.key.token(&named("unknown"), &idp.claims());
        let mut answers = Vec::new();
        let mut assume = |token: &str| {
            let code = idp.assume(role, token, "").code().map(str::to_owned);
            answers.push((code, idp.documents.count()));
        };
        idp.documents.answer_with(unreachable.clone());
        assume(&forged);
        idp.bench.pass(5);
        idp.documents.publish(&[idp.key.public("k1")]);
        assume(&forged);
        assume(&unknown);
        idp.bench.pass(60);
        assume(&unknown);
        assume(&unknown);
        assume(&idp.with_claim("exp", json!(1)));
        assume(&idp.with_claim("iss", json!("https://evil.example.com")));
        let good = idp.assume(role, &idp.good(), "");
        if role == "deploy" {
            good.ok();
        } else {
            good.refused("AccessDenied", NOT_AUTHORIZED);
        }
        seen.push(answers);
    }
    let code = |code: &str, fetches| (Some(code.to_owned()), fetches);
    let expected = vec![
        code("IDPCommunicationError", 1),
        code("InvalidIdentityToken", 2),
        code("InvalidIdentityToken", 2),
        code("InvalidIdentityToken", 3),
        code("InvalidIdentityToken", 3),
        code("ExpiredTokenException", 3),
        code("InvalidIdentityToken", 3),
    ];
    assert_eq!(seen, [expected.clone(), expected.clone(), expected]);
}

#[test]
fn an_account_that_does_not_exist_has_no_provider() {
    let idp = FederationBench::with_role(&trust("{}"));
    let form = format!(
        "Action=AssumeRoleWithWebIdentity&RoleArn=arn:aws:iam::999999999999:role/deploy\
         &RoleSessionName=s1&WebIdentityToken={}",
        idp.good()
    );
    let text = format!("No OpenIDConnect provider found in your account for {ISSUER}");
    idp.bench
        .unsigned(&form)
        .refused("InvalidIdentityToken", &text);
    assert_eq!(idp.documents.count(), 0);
}

#[test]
fn parameters_are_checked() {
    let idp = FederationBench::with_role(&trust("{}"));
    let token = idp.good();
    let with = |arn: &str, more: &str| {
        idp.bench.unsigned(&format!(
            "Action=AssumeRoleWithWebIdentity&RoleArn={arn}&RoleSessionName=s1\
             &WebIdentityToken={token}{more}"
        ))
    };
    for arn in [
        "arn:aws:iam::12345678901:role/deploy",
        "arn:aws:iam::123456789012:user/deploy",
        "arn:aws:sts::123456789012:role/deploy",
        "not-an-arn-but-long-enough",
    ] {
        with(arn, "").refused("ValidationError", "Request ARN is invalid");
    }
    let own = format!("arn:aws:iam::{ACCOUNT}:role/deploy");
    let exceeds = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
    with(&own, "&DurationSeconds=3601").refused("ValidationError", exceeds);
    let answer = with(&own, "&DurationSeconds=900");
    assert_eq!(answer.value("Expiration"), "2026-11-24T08:15:00Z");
    let update = "Action=UpdateRole&RoleName=deploy&MaxSessionDuration=7200";
    idp.bench.root(update).ok();
    let answer = with(&own, "&DurationSeconds=7200");
    assert_eq!(answer.value("Expiration"), "2026-11-24T10:00:00Z");
    let answer = with(&own, "&ProviderId=www.amazon.com");
    assert_eq!(
        (answer.error().status, &*answer.error().code),
        (501, "NotImplemented")
    );
    let malformed = with(&own, "&Policy={");
    assert_eq!(malformed.error().code, "MalformedPolicyDocument");
    let none = with(
        &own,
        "&PolicyArns.member.1.arn=arn:aws:iam::123456789012:policy/none",
    );
    assert_eq!(none.error().code, "MalformedPolicyDocument");
}

#[test]
fn session_policies_limit_the_session() {
    let idp = FederationBench::with_role(&trust("{}"));
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*"}}"#;
    let answer = idp.assume("deploy", &idp.good(), &format!("&Policy={policy}"));
    assert_eq!(answer.value("PackedPolicySize"), "1");
    let session = TestKeys::of(&answer);
    idp.bench.call(&session, "Action=ListRoles").ok();
    assert!(!idp.bench.call(&session, "Action=ListUsers").is_success());
    let managed = "&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/AmazonS3FullAccess";
    let session = TestKeys::of(&idp.assume("deploy", &idp.good(), managed));
    assert!(!idp.bench.call(&session, "Action=ListRoles").is_success());
}

const TAGS: &str = "https://aws.amazon.com/tags";

/// What a session with tags and a source identity needs.
const ALL: &str = r#""sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity""#;

fn trust_with(actions: &str, condition: &str) -> String {
    let principal = format!(r#"{{"Federated":"{}"}}"#, provider_arn());
    trust_of(&principal, actions, condition)
}

/// A token with the tag `team` and the source identity `ann`.
fn tagged(idp: &FederationBench) -> String {
    let mut claims = idp.claims();
    claims[TAGS] = json!({"principal_tags": {"team": ["red"]}, "transitive_tag_keys": ["team"]});
    claims["https://aws.amazon.com/source_identity"] = json!("ann");
    idp.token(&claims)
}

#[test]
fn tags_and_source_identity_come_from_the_token() {
    let idp = FederationBench::with_role(&trust_with(ALL, "{}"));
    let answer = idp.assume("deploy", &tagged(&idp), "");
    assert_eq!(answer.value("SourceIdentity"), "ann");
    let session = TestKeys::of(&answer);
    for (key, value, allowed) in [
        ("aws:PrincipalTag/team", "red", true),
        ("aws:PrincipalTag/team", "blue", false),
        ("aws:SourceIdentity", "ann", true),
        ("aws:FederatedProvider", provider_arn().as_str(), true),
        ("idp.example.com/tenant:aud", "client", true),
        (
            "idp.example.com/tenant:sub",
            "repo:octo/app:ref:refs/heads/main",
            true,
        ),
        (
            "idp.example.com/tenant:sub",
            "repo:octo/app:ref:refs/heads/other",
            false,
        ),
        // Other claims count in the trust policy only.
        ("idp.example.com/tenant:repository", "octo/app", false),
    ] {
        let condition = string("StringEquals", key, value);
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"iam:CreateUser","Resource":"*","Condition":{condition}}}}}"#
        );
        let put =
            format!("Action=PutRolePolicy&RoleName=deploy&PolicyName=p&PolicyDocument={policy}");
        idp.bench.root(&put).ok();
        let create = idp
            .bench
            .call(&session, "Action=CreateUser&UserName=someone");
        assert_eq!(create.is_success(), allowed, "{key} {value}");
        if allowed {
            idp.bench.root("Action=DeleteUser&UserName=someone").ok();
        }
    }
}

#[test]
fn the_trust_policy_decides_about_tags_and_source_identity() {
    // Each needs its own permission.
    for (actions, denied) in [
        (
            r#""sts:AssumeRoleWithWebIdentity","sts:SetSourceIdentity""#,
            "sts:TagSession",
        ),
        (
            r#""sts:AssumeRoleWithWebIdentity","sts:TagSession""#,
            "sts:SetSourceIdentity",
        ),
    ] {
        let idp = FederationBench::with_role(&trust_with(actions, "{}"));
        let answer = idp.assume("deploy", &tagged(&idp), "");
        answer.refused(
            "AccessDenied",
            &format!("Not authorized to perform {denied}"),
        );
    }
    // They are keys of the trust policy.
    for (key, value, allowed) in [
        ("aws:RequestTag/team", "red", true),
        ("aws:RequestTag/team", "blue", false),
        ("sts:SourceIdentity", "ann", true),
        ("sts:SourceIdentity", "bob", false),
    ] {
        let condition = string("StringEquals", key, value);
        let idp = FederationBench::with_role(&trust_with(ALL, &condition));
        let answer = idp.assume("deploy", &tagged(&idp), "");
        assert_eq!(answer.is_success(), allowed, "{key} {value}");
    }
    let idp = FederationBench::with_role(&trust_with(ALL, "{}"));
    for (tags, code) in [
        (
            json!({"principal_tags": {"Team": ["a"], "team": ["b"]}}),
            "InvalidParameterValue",
        ),
        (
            json!({"principal_tags": {"aws:a": ["a"]}}),
            "InvalidParameterValue",
        ),
        (
            json!({"transitive_tag_keys": ["team"]}),
            "InvalidParameterValue",
        ),
    ] {
        let token = idp.with_claim(TAGS, tags.clone());
        let answer = idp.assume("deploy", &token, "");
        assert_eq!(answer.error().code, code, "{tags}");
    }
}

#[test]
fn sessions_end_as_those_of_other_roles() {
    let idp = FederationBench::with_role(&trust("{}"));
    let session = TestKeys::of(&idp.assume("deploy", &idp.good(), ""));
    let lists = || idp.bench.call(&session, "Action=ListUsers").is_success();
    assert!(lists());
    // The sessions of a key are not these.
    let ann = idp.bench.user("ann", &[]);
    let end = format!("Action=EndAccessKeySessions&AccessKeyId={}", ann.id);
    idp.bench.pass(1);
    idp.bench.root(&end).ok();
    assert!(lists());
    let revoke = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-11-24T08:00:01Z"}}}}"#;
    let put = format!("Action=PutRolePolicy&RoleName=deploy&PolicyName=r&PolicyDocument={revoke}");
    idp.bench.root(&put).ok();
    assert!(!lists());
    let session = TestKeys::of(&idp.assume("deploy", &idp.good(), ""));
    idp.bench.call(&session, "Action=ListUsers").ok();
    idp.bench.pass(3600);
    let expired = idp.bench.call(&session, "Action=ListUsers");
    assert_eq!(expired.error().code, "ExpiredToken");
}

/// A provider or client that was removed counts from the next request on, whatever was fetched.
#[test]
fn what_was_removed_no_longer_counts() {
    let idp = FederationBench::with_role(&trust("{}"));
    idp.assume("deploy", &idp.good(), "").ok();
    let named = format!("OpenIDConnectProviderArn={}", provider_arn());
    let remove = format!("Action=RemoveClientIDFromOpenIDConnectProvider&{named}&ClientID=client");
    idp.bench.root(&remove).ok();
    let answer = idp.assume("deploy", &idp.good(), "");
    answer.refused("InvalidIdentityToken", "Incorrect token audience");
    let delete = format!("Action=DeleteOpenIDConnectProvider&{named}");
    idp.bench.root(&delete).ok();
    let text = format!("No OpenIDConnect provider found in your account for {ISSUER}");
    let answer = idp.assume("deploy", &idp.good(), "");
    answer.refused("InvalidIdentityToken", &text);
}

#[test]
fn trust_policies_name_providers_that_exist() {
    let idp = FederationBench::new();
    let create = |provider: &str| {
        let principal = format!(r#"{{"Federated":"{provider}"}}"#);
        let trust = trust_of(&principal, r#""sts:AssumeRoleWithWebIdentity""#, "{}");
        idp.bench.root(&format!(
            "Action=CreateRole&RoleName=r&AssumeRolePolicyDocument={trust}"
        ))
    };
    for provider in [
        format!("arn:aws:iam::{ACCOUNT}:oidc-provider/none.example.com"),
        format!("arn:aws:iam::999999999999:oidc-provider/{PROVIDER}"),
        format!("arn:aws:iam::{ACCOUNT}:oidc-provider/IDP.example.com/tenant"),
    ] {
        let text = format!(r#"Invalid principal in policy: "FEDERATED":"{provider}""#);
        create(&provider).refused("MalformedPolicyDocument", &text);
    }
    for provider in [
        "accounts.google.com",
        "cognito-identity.amazonaws.com",
        "graph.facebook.com",
        "www.amazon.com",
    ] {
        let text = format!(
            "The identity provider {provider} is not built in: create an OpenID Connect provider \
             and use its ARN as the principal."
        );
        create(provider).refused("MalformedPolicyDocument", &text);
    }
    create(&provider_arn()).ok();
}
