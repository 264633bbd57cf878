//! SAML providers from creation to deletion.

use keywright_base::limits;

use super::valid_until;
use crate::testing::{
    ACCOUNT, TestInstallation, TestResponse,
    certificates::{TestCertificate, in_form},
    saml::metadata,
};

fn create(bench: &TestInstallation, name: &str, document: &str, more: &str) -> TestResponse {
    let document = in_form(document);
    bench.root(&format!(
        "Action=CreateSAMLProvider&Name={name}&SAMLMetadataDocument={document}{more}"
    ))
}

fn call(bench: &TestInstallation, action: &str, name: &str, more: &str) -> TestResponse {
    let arn = format!("arn:aws:iam::{ACCOUNT}:saml-provider/{name}");
    bench.root(&format!("Action={action}&SAMLProviderArn={arn}{more}"))
}

fn new_key() -> String {
    in_form(&TestCertificate::new("key.example").private_key)
}

#[test]
fn a_provider_is_read_as_it_was_created_and_survives() {
    let mut bench = TestInstallation::new();
    let document = metadata("https://idp.example");
    let tags = "&Tags.member.1.Key=team&Tags.member.1.Value=red";
    let made = create(&bench, "Okta", &document, tags);
    let arn = format!("arn:aws:iam::{ACCOUNT}:saml-provider/Okta");
    assert_eq!(made.value("SAMLProviderArn"), arn);
    assert_eq!(made.value("Key"), "team");
    for _ in 0..2 {
        let read = call(&bench, "GetSAMLProvider", "Okta", "");
        let stored = read.value("SAMLMetadataDocument");
        assert_eq!(stored.replace("&lt;", "<").replace("&gt;", ">"), document);
        assert_eq!(read.value("AssertionEncryptionMode"), "Allowed");
        assert_eq!(read.value("CreateDate"), "2026-11-24T08:00:00Z");
        assert_eq!(read.value("ValidUntil"), "2126-11-24T08:00:00Z");
        assert_eq!(read.value("SAMLProviderUUID").len(), 32);
        assert_eq!(read.value("Value"), "red");
        assert!(read.ok().contains("<PrivateKeyList/>"), "{read:?}");
        let listed = bench.root("Action=ListSAMLProviders");
        assert_eq!(listed.values("Arn"), [&*arn]);
        assert_eq!(listed.value("ValidUntil"), "2126-11-24T08:00:00Z");
        bench.reopen();
    }
    let taken = "Provider with name Okta already exists.";
    create(&bench, "Okta", &document, "").refused("EntityAlreadyExists", taken);
    let summary = bench.root("Action=GetAccountSummary");
    let count = "<key>Providers</key><value>1</value>";
    assert!(summary.ok().contains(count), "{summary:?}");
    call(&bench, "DeleteSAMLProvider", "Okta", "").ok();
    bench.reopen();
    let missing = format!("Manifest not found for arn {arn}");
    for action in [
        "GetSAMLProvider",
        "UpdateSAMLProvider",
        "DeleteSAMLProvider",
        "ListSAMLProviderTags",
    ] {
        call(&bench, action, "Okta", "").refused("NoSuchEntity", &missing);
    }
}

#[test]
fn private_keys_are_added_and_removed_and_never_answered() {
    let mut bench = TestInstallation::new();
    create(&bench, "idp", &metadata("https://idp.example"), "").ok();
    let update =
        |bench: &TestInstallation, more: &str| call(bench, "UpdateSAMLProvider", "idp", more);
    let required = "&AssertionEncryptionMode=Required";
    let text = "The assertion encryption mode Required needs a private key.";
    update(&bench, required).refused("InvalidInput", text);
    update(&bench, "&AddPrivateKey=none").refused("InvalidInput", "Invalid Private Key.");
    let add = format!("&AddPrivateKey={}", new_key());
    update(&bench, &format!("{required}{add}")).ok();
    bench.pass(60);
    update(&bench, &add).ok();
    let full = "Cannot exceed quota for PrivateKeysPerSAMLProvider: 2";
    update(&bench, &add).refused("LimitExceeded", full);
    bench.reopen();
    let read = call(&bench, "GetSAMLProvider", "idp", "");
    assert_eq!(read.value("AssertionEncryptionMode"), "Required");
    assert!(!read.ok().contains("PRIVATE KEY"), "{read:?}");
    let keys = read.values("KeyId");
    let times = ["2026-11-24T08:00:00Z", "2026-11-24T08:01:00Z"];
    assert_eq!(
        (keys.len(), read.values("Timestamp")),
        (2, times.map(str::to_owned).to_vec())
    );
    update(&bench, &format!("&RemovePrivateKey={}", keys[0])).ok();
    let gone = format!("The private key with id {} cannot be found.", keys[0]);
    let again = update(&bench, &format!("&RemovePrivateKey={}", keys[0]));
    again.refused("NoSuchEntity", &gone);
    let last = format!("&RemovePrivateKey={}", keys[1]);
    update(&bench, &last).refused("InvalidInput", text);
    update(&bench, &format!("{last}&AssertionEncryptionMode=Allowed")).ok();
    let read = call(&bench, "GetSAMLProvider", "idp", "");
    assert_eq!(read.value("AssertionEncryptionMode"), "Allowed");
}

#[test]
fn only_metadata_is_stored() {
    let bench = TestInstallation::new();
    let good = metadata("https://idp.example");
    let bad = good.replace("IDPSSODescriptor", "SPSSODescriptor");
    let text = "Could not parse metadata";
    create(&bench, "idp", &bad, "").refused("InvalidInput", text);
    let short = create(&bench, "idp", "<a/>", "");
    assert_eq!(short.code(), Some("ValidationError"));
    let padded = |bytes: usize| {
        let (head, tail) = good.split_once("  <md:NameIDFormat>").unwrap();
        let comment = bytes - good.len() - "<!---->".len();
        format!(
            "{head}<!--{}-->  <md:NameIDFormat>{tail}",
            "x".repeat(comment)
        )
    };
    let most = limits::SAML_METADATA_BYTES;
    create(&bench, "idp", &padded(most), "").ok();
    let long = format!("The metadata document must not be longer than {most} bytes.");
    create(&bench, "other", &padded(most + 1), "").refused("InvalidInput", &long);
    let document = |document: &str| format!("&SAMLMetadataDocument={}", in_form(document));
    let answer = call(&bench, "UpdateSAMLProvider", "idp", &document(&bad));
    answer.refused("InvalidInput", text);
    let other = document(&metadata("https://other.example"));
    call(&bench, "UpdateSAMLProvider", "idp", &other).ok();
    let read = call(&bench, "GetSAMLProvider", "idp", "");
    assert!(read.ok().contains("https://other.example"), "{read:?}");
}

#[test]
fn tags_and_the_quota() {
    let bench = TestInstallation::new();
    let document = metadata("https://idp.example");
    for number in 1..=limits::SAML_PROVIDERS_PER_ACCOUNT {
        create(&bench, &format!("idp{number}"), &document, "").ok();
    }
    let full = "Cannot exceed quota for SAMLProvidersPerAccount: 100";
    create(&bench, "one-more", &document, "").refused("LimitExceeded", full);
    let tags =
        "&Tags.member.1.Key=k&Tags.member.1.Value=1&Tags.member.2.Key=K&Tags.member.2.Value=2";
    call(&bench, "TagSAMLProvider", "idp1", tags).ok();
    let listed = call(&bench, "ListSAMLProviderTags", "idp1", "");
    assert_eq!(listed.values("Key"), ["K", "k"]);
    call(&bench, "UntagSAMLProvider", "idp1", "&TagKeys.member.1=k").ok();
    let listed = call(&bench, "ListSAMLProviderTags", "idp1", "");
    assert_eq!(listed.values("Value"), ["2"]);
    let reserved = "&Tags.member.1.Key=aws:k&Tags.member.1.Value=1";
    let text = "Tag keys beginning with aws: are reserved for system use.";
    call(&bench, "TagSAMLProvider", "idp1", reserved).refused("InvalidInput", text);
    let none = call(&bench, "TagSAMLProvider", "none", tags);
    assert_eq!(none.code(), Some("NoSuchEntity"));
}

#[test]
fn providers_are_valid_for_a_hundred_years() {
    for (created, until) in [
        ("2026-11-24T08:00:00Z", "2126-11-24T08:00:00Z"),
        ("2028-02-29T23:59:59Z", "2128-02-29T23:59:59Z"),
        ("2000-02-29T00:00:00Z", "2100-03-01T00:00:00Z"),
    ] {
        let created = keywright_base::Timestamp::parse_iso8601(created).unwrap();
        assert_eq!(valid_until(created).iso8601(), until);
    }
}
