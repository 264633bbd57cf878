//! Service-specific credentials from creation to deletion.

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::AccountId;

use crate::testing::{ACCOUNT, TestInstallation, TestResponse};

const CODECOMMIT: &str = "codecommit.amazonaws.com";
const BEDROCK: &str = "bedrock.amazonaws.com";

fn bench() -> TestInstallation {
    let bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=bob").ok();
    bench
}

fn create(bench: &TestInstallation, user: &str, service: &str, more: &str) -> TestResponse {
    bench.root(&format!(
        "Action=CreateServiceSpecificCredential&UserName={user}&ServiceName={service}{more}"
    ))
}

fn with_id(bench: &TestInstallation, action: &str, id: &str, more: &str) -> TestResponse {
    bench.root(&format!(
        "Action={action}&UserName=bob&ServiceSpecificCredentialId={id}{more}"
    ))
}

fn list(bench: &TestInstallation, more: &str) -> TestResponse {
    bench.root(&format!("Action=ListServiceSpecificCredentials{more}"))
}

#[test]
fn passwords_have_the_form_of_aws_and_are_answered_once() {
    let mut bench = bench();
    for service in [CODECOMMIT, "cassandra.amazonaws.com"] {
        let first = create(&bench, "BOB", service, "");
        let (id, password) = (
            first.value("ServiceSpecificCredentialId"),
            first.value("ServicePassword"),
        );
        assert_eq!((id.len(), id.starts_with("ACCA")), (21, true), "{id}");
        assert_eq!(password.len(), 44);
        for (element, value) in [
            ("UserName", "bob"),
            ("ServiceUserName", &format!("bob-at-{ACCOUNT}")),
            ("ServiceName", service),
            ("Status", "Active"),
            ("CreateDate", &bench.now().iso8601()),
        ] {
            assert_eq!(first.value(element), value, "{element}");
        }
        assert!(first.values("ExpirationDate").is_empty());
        let second = create(&bench, "bob", service, "");
        let name = second.value("ServiceUserName");
        assert_eq!(name, format!("bob+1-at-{ACCOUNT}"));
        let full = "Cannot exceed quota for ServiceSpecificCredentialsPerUser: 2";
        create(&bench, "bob", service, "").refused("LimitExceeded", full);
        let listed = list(&bench, &format!("&UserName=bob&ServiceName={service}"));
        assert_eq!(listed.values("ServiceUserName").len(), 2);
        assert!(!listed.ok().contains("Password"), "{listed:?}");
        let account: AccountId = ACCOUNT.parse().unwrap();
        let load = bench.identity().store().load(account, &mut |record| {
            let body = String::from_utf8_lossy(&record.body);
            assert!(!body.contains(&password), "{}", record.kind);
        });
        load.unwrap();
    }
    bench
        .root("Action=UpdateUser&UserName=bob&NewUserName=rob")
        .ok();
    bench.reopen();
    let listed = list(&bench, "&UserName=rob");
    assert_eq!(listed.values("UserName"), ["rob"; 4]);
    let names = listed.values("ServiceUserName");
    assert!(
        names.iter().all(|name| name.starts_with("bob")),
        "they stay: {names:?}"
    );
}

#[test]
fn api_keys_contain_their_alias_and_may_expire() {
    let mut bench = bench();
    let made = create(&bench, "bob", BEDROCK, "&CredentialAgeDays=30");
    let alias = made.value("ServiceCredentialAlias");
    assert_eq!(alias, format!("bob-at-{ACCOUNT}"));
    let secret = made.value("ServiceCredentialSecret");
    let both = BASE64_STANDARD
        .decode(secret.strip_prefix("ABSK").unwrap())
        .unwrap();
    let both = String::from_utf8(both).unwrap();
    let (name, password) = both.split_once(':').unwrap();
    assert_eq!((name, password.len()), (&*alias, 44));
    let expires = bench.now().plus_secs(30 * 24 * 60 * 60).iso8601();
    assert_eq!(made.value("ExpirationDate"), expires);
    assert!(made.values("ServicePassword").is_empty());
    let unlimited = create(&bench, "bob", "logs.amazonaws.com", "");
    assert!(unlimited.values("ExpirationDate").is_empty());
    bench.pass(30 * 24 * 60 * 60 - 1);
    let form = format!("&UserName=bob&ServiceName={BEDROCK}");
    assert_eq!(list(&bench, &form).values("Status"), ["Active"]);
    bench.pass(1);
    bench.reopen();
    assert_eq!(list(&bench, &form).values("Status"), ["Expired"]);
    assert_eq!(list(&bench, "&UserName=bob").values("Status").len(), 2);
}

#[test]
fn resetting_replaces_the_secret_only() {
    let mut bench = bench();
    for service in [CODECOMMIT, BEDROCK] {
        let secret = |answer: &TestResponse| {
            let mut all = answer.values("ServicePassword");
            all.extend(answer.values("ServiceCredentialSecret"));
            all.pop().unwrap()
        };
        let made = create(&bench, "bob", service, "");
        let id = made.value("ServiceSpecificCredentialId");
        let reset = with_id(&bench, "ResetServiceSpecificCredential", &id, "");
        assert_ne!(secret(&reset), secret(&made), "{service}");
        assert_eq!(reset.value("ServiceSpecificCredentialId"), id);
        for status in ["Inactive", "Active", "Inactive"] {
            let more = format!("&Status={status}");
            with_id(&bench, "UpdateServiceSpecificCredential", &id, &more).ok();
            bench.reopen();
            let listed = list(&bench, &format!("&UserName=bob&ServiceName={service}"));
            assert_eq!(listed.values("Status"), [status]);
        }
    }
    let id = list(&bench, "&UserName=bob").value("ServiceSpecificCredentialId");
    let update = with_id(
        &bench,
        "UpdateServiceSpecificCredential",
        &id,
        "&Status=Expired",
    );
    let text = "The status Expired cannot be set on a service-specific credential.";
    update.refused("ValidationError", text);
}

#[test]
fn a_user_with_credentials_is_not_deleted() {
    let mut bench = bench();
    let id = create(&bench, "bob", CODECOMMIT, "").value("ServiceSpecificCredentialId");
    let text = "Cannot delete entity, must remove referenced objects first.";
    let delete = "Action=DeleteUser&UserName=bob";
    bench.root(delete).refused("DeleteConflict", text);
    with_id(&bench, "DeleteServiceSpecificCredential", &id, "").ok();
    let missing = format!("No such credential {id} exists");
    let again = with_id(&bench, "DeleteServiceSpecificCredential", &id, "");
    again.refused("NoSuchEntity", &missing);
    bench.reopen();
    assert!(list(&bench, "&UserName=bob").values("UserName").is_empty());
    bench.root(delete).ok();
}

#[test]
fn what_is_refused() {
    let bench = bench();
    bench.root("Action=CreateUser&UserName=ann").ok();
    let anns = create(&bench, "ann", CODECOMMIT, "").value("ServiceSpecificCredentialId");
    let missing_user = "The user with name eve cannot be found.";
    create(&bench, "eve", CODECOMMIT, "").refused("NoSuchEntity", missing_user);
    for service in ["lambda.amazonaws.com", "o3on3n3onosneo"] {
        let text =
            format!("No such service {service} is supported for Service Specific Credentials");
        create(&bench, "bob", service, "").refused("NoSuchEntity", &text);
        let listed = list(&bench, &format!("&UserName=bob&ServiceName={service}"));
        listed.refused("NoSuchEntity", &text);
    }
    let text = "CredentialAgeDays is not supported for service codecommit.amazonaws.com";
    let aged = create(&bench, "bob", CODECOMMIT, "&CredentialAgeDays=1");
    aged.refused("ValidationError", text);
    for action in [
        "ResetServiceSpecificCredential",
        "UpdateServiceSpecificCredential",
        "DeleteServiceSpecificCredential",
    ] {
        for id in ["satisfiesregexbutstillinvalid", &anns] {
            let text = format!("No such credential {id} exists");
            let answer = with_id(&bench, action, id, "&Status=Inactive");
            answer.refused("NoSuchEntity", &text);
        }
        let form = format!(
            "Action={action}&UserName=eve&ServiceSpecificCredentialId={anns}&Status=Inactive"
        );
        bench.root(&form).refused("NoSuchEntity", missing_user);
    }
}

#[test]
fn all_users_are_listed_with_a_grant_for_everything() {
    let bench = bench();
    bench.root("Action=CreateUser&UserName=ann").ok();
    for user in ["ann", "bob"] {
        create(&bench, user, CODECOMMIT, "").ok();
    }
    let ann = bench.user("reader", &["IAMReadOnlyAccess"]);
    let form = "Action=ListServiceSpecificCredentials&AllUsers=true&MaxItems=1";
    let first = bench.call(&ann, form);
    assert_eq!(first.values("UserName").len(), 1);
    let marker = first.value("Marker");
    let second = bench.call(&ann, &format!("{form}&Marker={marker}"));
    let mut names = [first.value("UserName"), second.value("UserName")];
    names.sort();
    assert_eq!(names, ["ann", "bob"]);
    let one = list(&bench, &format!("&UserName=bob&Marker={marker}"));
    one.refused("ValidationError", "Invalid Marker.");
}
