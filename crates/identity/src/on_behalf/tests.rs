//! The credentials issued to a service that acts for a principal, and their lifetime.

use keywright_base::limits;
use keywright_wire::{Service, operations};

use super::{OnBehalf, ROTATION_SERVICE};
use crate::{
    state::CredentialOwner,
    testing::{ACCOUNT, TestInstallation, TestKeys},
};

#[test]
fn forward_access_sessions_have_the_principals_current_rights() {
    let bench = TestInstallation::new();
    bench.user("bob", &["IAMReadOnlyAccess"]);
    let issued = bench.forward_access_session("bob", None);
    let arn = bench.call(&issued, "Action=GetCallerIdentity").value("Arn");
    assert_eq!(arn, format!("arn:aws:iam::{ACCOUNT}:user/bob"));
    bench.call(&issued, "Action=ListUsers").ok();
    let create = "Action=CreateUser&UserName=eve";
    assert_eq!(bench.call(&issued, create).code(), Some("AccessDenied"));
    let arn = "PolicyArn=arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    bench
        .root(&format!("Action=DetachUserPolicy&UserName=bob&{arn}"))
        .ok();
    let now = bench.call(&issued, "Action=ListUsers");
    assert_eq!(now.code(), Some("AccessDenied"));
}

#[test]
fn forward_access_sessions_end() {
    let bench = TestInstallation::new();
    let ask = |keys: &TestKeys| bench.call(keys, "Action=GetCallerIdentity");
    bench.user("bob", &[]);
    let issued = bench.forward_access_session("bob", None);
    bench.pass(limits::FORWARD_ACCESS_SESSION_SECS - 1);
    ask(&issued).ok();
    bench.pass(1);
    assert_eq!(ask(&issued).code(), Some("ExpiredToken"));
    let issued = bench.forward_access_session("bob", None);
    let key = bench.root("Action=ListAccessKeys&UserName=bob");
    let key = key.value("AccessKeyId");
    for form in [
        format!("Action=DeleteAccessKey&UserName=bob&AccessKeyId={key}"),
        "Action=DeleteUser&UserName=bob".to_owned(),
        "Action=CreateUser&UserName=bob".to_owned(),
    ] {
        ask(&issued).ok();
        bench.root(&form).ok();
        if form.starts_with("Action=DeleteUser") {
            break;
        }
    }
    bench.root("Action=CreateUser&UserName=bob").ok();
    assert_eq!(
        ask(&issued).code(),
        Some("InvalidClientTokenId"),
        "another bob"
    );
}

#[test]
fn a_missing_principal_gets_no_forward_access_session() {
    let bench = TestInstallation::new();
    bench.user("bob", &[]);
    let account = ACCOUNT.parse().unwrap();
    let cell = bench.identity().ledger().account(account).unwrap();
    let user = cell.snapshot().user("bob").unwrap().id;
    let bob = OnBehalf {
        account,
        owner: CredentialOwner::User(user),
        mfa: None,
    };
    assert!(
        bench
            .identity()
            .issue_forward_access_session(&bob)
            .is_some()
    );
    let elsewhere = OnBehalf {
        account: "210987654321".parse().unwrap(),
        ..bob
    };
    assert!(
        bench
            .identity()
            .issue_forward_access_session(&elsewhere)
            .is_none()
    );
}

#[test]
fn the_caller_names_the_service_that_acts_for_it() {
    let bench = TestInstallation::new();
    bench.user("bob", &[]);
    for mfa in [None, Some(bench.now())] {
        let issued = bench.forward_access_session("bob", mfa);
        let caller = bench.caller(&issued, Service::Iam, "").unwrap();
        let session = caller.session().unwrap();
        let message = (session.mfa, session.console.is_some(), session.service);
        assert_eq!(message, (mfa, false, Some(ROTATION_SERVICE)));
        assert!(caller.may_call_iam());
        assert_eq!(OnBehalf::of(&caller).unwrap().mfa, mfa);
    }
}

/// A token is sealed by the server: a client cannot add to it, and no operation issues one.
#[test]
fn no_request_returns_a_forward_access_session() {
    let bench = TestInstallation::new();
    let keys = bench.user("bob", &["AdministratorAccess"]);
    let session = bench.call(&keys, "Action=GetSessionToken");
    let session = TestKeys::of(&session);
    let caller = bench.caller(&session, Service::Sts, "").unwrap();
    assert_eq!(caller.session().unwrap().service, None);
    let issued = bench.forward_access_session("bob", None);
    let mixed = TestKeys {
        token: issued.token,
        ..session
    };
    let refused = bench.call(&mixed, "Action=GetCallerIdentity");
    assert_eq!(refused.code(), Some("InvalidClientTokenId"));
    let mints = |name: &str| name.contains("OnBehalf") || name.contains("Lend");
    assert!(!operations().any(|operation| mints(operation.name)));
}
