//! Signatures, keys and claims of tokens.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keywright_base::Timestamp;
use keywright_policy::ContextValues;
use serde_json::{Value, json};

use super::{
    FederatedClaims, ParsedToken, RequestedSession, TokenRejection, VerifiedToken, check_times,
    key_set::KeySet,
    testing::{ISSUER, TestTokenKey},
};
use crate::authorize::FederatedIdentity;
use crate::{
    state::{OpenIdProvider, Tag},
    testing::ACCOUNT,
};

/// Signed by another program with keys that exist nowhere any more: ring makes no RSA keys.
const RSA: &str = include_str!("tests/rsa.json");

fn keys(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

fn verify(keys: &KeySet, token: &str) -> Result<VerifiedToken, TokenRejection> {
    keys.verify(ParsedToken::parse(token)?)
}

fn outcome(keys: &KeySet, token: &str) -> Option<TokenRejection> {
    verify(keys, token).err()
}

#[test]
fn every_accepted_algorithm_verifies() {
    let vectors: Value = serde_json::from_str(RSA).unwrap();
    let set = keys(&[vectors["key"].clone()]);
    let tokens = vectors["tokens"].as_object().unwrap();
    assert_eq!(tokens.len(), 6);
    for (algorithm, token) in tokens {
        let token = token.as_str().unwrap();
        assert_eq!(outcome(&set, token), None, "{algorithm}");
        // Another algorithm in the header: the signature covers it, and it does not fit.
        let (_, rest) = token.split_once('.').unwrap();
        for other in tokens.keys().filter(|other| *other != algorithm) {
            let header = json!({"alg": other, "kid": "rsa"}).to_string();
            let header = BASE64_URL_SAFE_NO_PAD.encode(header);
            let swapped = outcome(&set, &format!("{header}.{rest}"));
            assert_eq!(
                swapped,
                Some(TokenRejection::Signature),
                "{algorithm} {other}"
            );
        }
    }
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let key = TestTokenKey::new(algorithm);
        let set = keys(&[key.public("k")]);
        let token = key.token(&json!({"alg": algorithm, "kid": "k"}), &json!({"sub": "a"}));
        assert_eq!(outcome(&set, &token), None, "{algorithm}");
        let mut changed = token.into_bytes();
        // A letter within the claims.
        let at = changed.iter().position(|byte| *byte == b'.').unwrap() + 12;
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let rejected = outcome(&set, &changed).unwrap();
        let expected = [TokenRejection::Signature, TokenRejection::Malformed];
        assert!(expected.contains(&rejected), "{algorithm}: {rejected:?}");
    }
}

#[test]
fn weak_and_unfit_keys_verify_nothing() {
    let vectors: Value = serde_json::from_str(RSA).unwrap();
    let short = &vectors["short"];
    let set = keys(&[short["key"].clone()]);
    let rejected = outcome(&set, short["token"].as_str().unwrap());
    assert_eq!(rejected, Some(TokenRejection::Signature));

    let key = TestTokenKey::new("ES256");
    let token = key.token(&json!({"alg": "ES256", "kid": "k"}), &json!({}));
    let with = |name: &str, value: Value| {
        let mut public = key.public("k");
        public[name] = value;
        outcome(&keys(&[public]), &token)
    };
    for (name, value, expected) in [
        ("use", json!("sig"), None),
        ("use", json!("enc"), Some(TokenRejection::NoKey)),
        ("key_ops", json!(["verify"]), None),
        ("key_ops", json!(["sign"]), Some(TokenRejection::NoKey)),
        ("alg", json!("ES256"), None),
        ("alg", json!("ES384"), Some(TokenRejection::Signature)),
        ("alg", json!("HS256"), Some(TokenRejection::Signature)),
        ("kty", json!("RSA"), Some(TokenRejection::NoKey)),
        ("kty", json!("oct"), Some(TokenRejection::NoKey)),
        ("crv", json!("P-384"), Some(TokenRejection::NoKey)),
        ("crv", json!("P-521"), Some(TokenRejection::NoKey)),
        ("x", json!("AAAA"), Some(TokenRejection::NoKey)),
        ("x", json!(7), Some(TokenRejection::NoKey)),
        ("kid", json!("other"), Some(TokenRejection::NoKey)),
    ] {
        assert_eq!(with(name, value.clone()), expected, "{name} {value}");
    }
}

#[test]
fn a_token_names_its_key_unless_there_is_one() {
    let [first, second] = [TestTokenKey::new("ES256"), TestTokenKey::new("ES256")];
    let named = first.token(&json!({"alg": "ES256", "kid": "1"}), &json!({}));
    let unnamed = first.token(&json!({"alg": "ES256"}), &json!({}));
    let both = keys(&[first.public("1"), second.public("2")]);
    assert_eq!(outcome(&both, &named), None);
    assert_eq!(outcome(&both, &unnamed), Some(TokenRejection::NoKey));
    assert_eq!(outcome(&keys(&[first.public("1")]), &unnamed), None);
    // The same identifier twice, as while a key is replaced.
    let twice = keys(&[second.public("1"), first.public("1")]);
    assert_eq!(outcome(&twice, &named), None);
    let other = keys(&[second.public("1")]);
    assert_eq!(outcome(&other, &named), Some(TokenRejection::Signature));
}

#[test]
fn what_is_no_key_set_is_not_read() {
    let key = TestTokenKey::new("ES256").public("k");
    let many = |count| json!({"keys": vec![key.clone(); count]}).to_string();
    for (document, read) in [
        (r#"{"keys": []}"#.to_owned(), true),
        (r#"{"keys": [7, {"kty": 1}]}"#.to_owned(), true),
        (many(100), true),
        (many(101), false),
        ("{}".to_owned(), false),
        ("[]".to_owned(), false),
        ("<html>".to_owned(), false),
    ] {
        assert_eq!(KeySet::parse(document.as_bytes()).is_some(), read);
    }
}

#[test]
fn what_is_no_signed_token_is_not_read() {
    let key = TestTokenKey::new("ES256");
    let header = |header: Value| key.token(&header, &json!({}));
    let good = header(json!({"alg": "ES256"}));
    let encoded = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    for (token, expected) in [
        (good.clone(), None),
        (String::new(), Some(TokenRejection::Malformed)),
        ("abcd".to_owned(), Some(TokenRejection::Malformed)),
        (format!("{good}."), Some(TokenRejection::Malformed)),
        (format!("{good}=="), Some(TokenRejection::Malformed)),
        (good.replacen('.', " .", 1), Some(TokenRejection::Malformed)),
        (
            format!("{}.{}.", encoded("{}"), encoded("{}")),
            Some(TokenRejection::Malformed),
        ),
        (
            format!("{}.{}.", encoded(r#"{"alg":"RS256"}"#), encoded("[]")),
            Some(TokenRejection::Malformed),
        ),
        (
            header(json!({"alg": "ES256", "crit": ["b64"], "b64": false})),
            Some(TokenRejection::Malformed),
        ),
        (
            format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded("{}")),
            Some(TokenRejection::Algorithm),
        ),
    ] {
        assert_eq!(ParsedToken::parse(&token).err(), expected, "{token}");
    }
    for algorithm in [
        "none", "None", "HS256", "HS384", "HS512", "ES512", "rs256", "ES256K", "",
    ] {
        let token = header(json!({"alg": algorithm}));
        let rejected = ParsedToken::parse(&token).err();
        assert_eq!(rejected, Some(TokenRejection::Algorithm), "{algorithm}");
    }
}

#[test]
fn times_have_a_leeway_of_five_minutes() {
    let now = 1_800_000_000;
    let key = TestTokenKey::new("EdDSA");
    let expired = |expires| Some(TokenRejection::Expired { now, expires });
    for (claims, expected) in [
        (json!({"exp": now + 1}), None),
        (json!({"exp": now - 299}), None),
        (json!({"exp": now - 300}), expired(now - 300)),
        (json!({"exp": 0}), expired(0)),
        (json!({"exp": i64::MIN}), expired(i64::MIN)),
        (json!({"exp": now as f64 + 0.5}), None),
        (json!({"exp": u64::MAX}), None),
        (json!({"exp": now, "nbf": now + 300}), None),
        (
            json!({"exp": now, "nbf": now + 301}),
            Some(TokenRejection::NotYetValid),
        ),
        (json!({"exp": now, "iat": now + 300}), None),
        (
            json!({"exp": now, "iat": now + 301}),
            Some(TokenRejection::NotYetValid),
        ),
        (json!({}), Some(TokenRejection::MissingClaim("exp"))),
        (
            json!({"exp": "soon"}),
            Some(TokenRejection::MissingClaim("exp")),
        ),
        (
            json!({"exp": null}),
            Some(TokenRejection::MissingClaim("exp")),
        ),
        (
            json!({"exp": now, "nbf": "x"}),
            Some(TokenRejection::MissingClaim("nbf")),
        ),
    ] {
        let token = key.token(&json!({"alg": "EdDSA"}), &claims);
        let token = ParsedToken::parse(&token).unwrap();
        let checked = check_times(&token, Timestamp::from_secs(now)).err();
        assert_eq!(checked, expected, "{claims}");
    }
}

fn token(claims: &Value) -> VerifiedToken {
    let key = TestTokenKey::new("EdDSA");
    let token = key.token(&json!({"alg": "EdDSA"}), claims);
    verify(&keys(&[key.public("k")]), &token).unwrap()
}

fn claims(claims: &Value) -> Result<FederatedClaims, TokenRejection> {
    let provider = OpenIdProvider {
        name: ISSUER.strip_prefix("https://").unwrap().to_owned(),
        created: Timestamp::from_secs(0),
        client_ids: vec!["one".to_owned(), "two".to_owned()],
        thumbprints: Vec::new(),
        tags: Vec::new(),
    };
    FederatedClaims::of(&token(claims), ACCOUNT.parse().unwrap(), &provider)
}

#[test]
fn the_audience_is_a_registered_client() {
    let wrong = Err(TokenRejection::Audience);
    let missing = |name| Err(TokenRejection::MissingClaim(name));
    for (of, expected) in [
        (json!({"aud": "one"}), Ok("one")),
        (json!({"aud": ["three", "two"]}), Ok("two")),
        (json!({"aud": "three"}), wrong.clone()),
        (json!({"aud": "ONE"}), wrong.clone()),
        (json!({"aud": []}), wrong.clone()),
        (json!({}), missing("aud")),
        (json!({"aud": 1}), missing("aud")),
        (json!({"aud": ["one", 1]}), missing("aud")),
        // As on AWS the authorized party takes the place of the audience.
        (json!({"aud": "three", "azp": "one"}), Ok("one")),
        (json!({"aud": "one", "azp": "three"}), wrong),
        (json!({"aud": "one", "azp": 7}), missing("azp")),
        (json!({"aud": "one", "azp": null}), Ok("one")),
    ] {
        let mut whole = of.clone();
        whole["sub"] = json!("s");
        let found = claims(&whole).map(|claims| claims.provider.audience);
        assert_eq!(found, expected.map(str::to_owned), "{of}");
    }
}

#[test]
fn the_subject_is_required() {
    for (subject, expected) in [
        (json!("s".repeat(255)), None),
        (json!("s".repeat(256)), Some(TokenRejection::Subject)),
        (json!(""), Some(TokenRejection::MissingClaim("sub"))),
        (json!(7), Some(TokenRejection::MissingClaim("sub"))),
        (json!(null), Some(TokenRejection::MissingClaim("sub"))),
    ] {
        let found = claims(&json!({"aud": "one", "sub": subject})).err();
        assert_eq!(found, expected, "{subject}");
    }
}

#[test]
fn claims_are_condition_keys() {
    let claims = claims(&json!({
        "aud": ["one", "three"], "sub": "repo:o/r:ref:refs/heads/main", "amr": "mfa",
        "repository_owner_id": 7, "ref_protected": true, "groups": ["a", "b"], "empty": [],
        "nested": {"a": "b"}, "none": null, "mixed": ["a", 1],
        "https://aws.amazon.com/tags": "text", "8443:sub": "spoofed",
    }));
    let claims = claims.unwrap();
    let many = |values: &[&str]| {
        ContextValues::Claims(values.iter().map(|it| (*it).to_owned().into()).collect())
    };
    let unreadable = || ContextValues::Ambiguous(Vec::new());
    for (claim, expected) in [
        ("aud", ContextValues::one("one")),
        ("oaud", many(&["one", "three"])),
        ("sub", ContextValues::one("repo:o/r:ref:refs/heads/main")),
        ("amr", many(&["mfa"])),
        ("repository_owner_id", ContextValues::one("7")),
        ("ref_protected", ContextValues::one("true")),
        ("groups", many(&["a", "b"])),
        ("empty", many(&[])),
        ("nested", unreadable()),
        ("none", ContextValues::Absent),
        ("mixed", unreadable()),
        ("https://aws.amazon.com/tags", unreadable()),
        ("8443:sub", unreadable()),
        ("8443:aud", ContextValues::Absent),
    ] {
        let key = format!("idp.example.com/tenant:{claim}");
        assert_eq!(claims.key(&key), expected, "{claim}");
    }
    assert_eq!(claims.key("other.example.com:sub"), ContextValues::Absent);
}

/// Sessions carry them, so there are few and short ones, and all of them can be tested.
#[test]
fn methods_of_authentication_are_limited() {
    let most: Vec<_> = (0..16).map(|n| format!("{n:064}")).collect();
    let more: Vec<_> = (0..17).map(|n| n.to_string()).collect();
    let rejected = || Err(TokenRejection::Claim("amr"));
    for (methods, expected) in [
        (json!(most), Ok(most.clone())),
        (json!("mfa"), Ok(vec!["mfa".to_owned()])),
        (json!([]), Ok(Vec::new())),
        (json!(null), Ok(Vec::new())),
        (json!(more), rejected()),
        (json!([format!("{:065}", 0)]), rejected()),
        (json!(["mfa", 1]), rejected()),
        (json!({"mfa": true}), rejected()),
        (json!(7), rejected()),
    ] {
        let found = claims(&json!({"aud": "one", "sub": "s", "amr": methods}));
        let found = found.map(|claims| claims.provider.methods);
        assert_eq!(found, expected, "{methods}");
    }
}

/// Whatever their values are: an empty list would leave the other spelling to decide alone.
#[test]
fn names_that_differ_only_in_case_reject_the_token() {
    for (name, value) in [
        ("Groups", json!([])),
        ("GROUPS", json!(null)),
        ("Sub", json!("other")),
        ("AUD", json!("one")),
        ("oaud", json!("one")),
    ] {
        let mut all = json!({"aud": "one", "sub": "s", "groups": ["admin"]});
        all[name] = value;
        let rejected = claims(&all).err();
        assert_eq!(rejected, Some(TokenRejection::AmbiguousClaims), "{name}");
    }
}

const TAGS: &str = "https://aws.amazon.com/tags";

#[test]
fn tags_are_read_in_both_spellings() {
    let tag = |key: &str, value: &str| Tag {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let expected = RequestedSession {
        tags: vec![tag("cost center", "7"), tag("project", "a")],
        transitive_keys: vec!["project".to_owned()],
        source_identity: Some("ann@example.com".to_owned()),
    };
    for claims in [
        json!({
            TAGS: {
                "principal_tags": {"cost center": ["7"], "project": "a"},
                "transitive_tag_keys": ["project"],
            },
            "https://aws.amazon.com/source_identity": "ann@example.com",
        }),
        json!({
            "https://aws.amazon.com/tags/principal_tags/cost center": "7",
            "https://aws.amazon.com/tags/principal_tags/project": ["a"],
            "https://aws.amazon.com/tags/transitive_tag_keys": ["project"],
            "https://aws.amazon.com/source_identity": "ann@example.com",
        }),
    ] {
        assert_eq!(RequestedSession::of(&token(&claims)).unwrap(), expected);
    }
    let none = RequestedSession::of(&token(&json!({}))).unwrap();
    assert_eq!(none, RequestedSession::default());
}

#[test]
fn claims_for_aws_that_are_not_understood_reject_the_token() {
    let tags = |count: usize| {
        let tags = (0..count).map(|n| (format!("k{n}"), json!("v")));
        json!({TAGS: {"principal_tags": tags.collect::<serde_json::Map<_, _>>()}})
    };
    assert!(RequestedSession::of(&token(&tags(50))).is_ok());
    let nested = |tags: Value| json!({TAGS: {"principal_tags": tags}});
    for (claims, name) in [
        (tags(51), TAGS),
        (json!({TAGS: []}), TAGS),
        (json!({TAGS: {"other": {}}}), TAGS),
        (nested(json!(["a"])), TAGS),
        (nested(json!({"a": ["b", "c"]})), TAGS),
        (nested(json!({"a": []})), TAGS),
        (nested(json!({"a": 1})), TAGS),
        (nested(json!({"": "v"})), TAGS),
        (nested(json!({"a<b": "v"})), TAGS),
        (nested(json!({"a": "v".repeat(257)})), TAGS),
        (nested(json!({"a".repeat(129): "v"})), TAGS),
        (json!({TAGS: {"transitive_tag_keys": "a"}}), TAGS),
        (json!({"https://aws.amazon.com/tags/other": "a"}), TAGS),
        (
            json!({"https://aws.amazon.com/source_identity": "a"}),
            "https://aws.amazon.com/source_identity",
        ),
        (
            json!({"https://aws.amazon.com/source_identity": "a b"}),
            "https://aws.amazon.com/source_identity",
        ),
        (
            json!({"https://aws.amazon.com/source_identity": ["ab"]}),
            "https://aws.amazon.com/source_identity",
        ),
    ] {
        let rejected = RequestedSession::of(&token(&claims)).err();
        assert_eq!(rejected, Some(TokenRejection::Claim(name)), "{claims}");
    }
}
