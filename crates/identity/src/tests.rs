//! The request path as a whole: sign, verify, decode, decide, commit, respond.

use keywright_base::Secret;

use crate::testing::{ACCOUNT, TestInstallation, TestKeys};

#[test]
fn what_is_acknowledged_is_there_after_a_restart() {
    let mut bench = TestInstallation::new();
    let keys = bench.user("RotateKeyUser", &["AmazonS3FullAccess"]);
    bench.reopen();
    let identity = bench.call(&keys, "Action=GetCallerIdentity");
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/RotateKeyUser");
    assert_eq!(identity.value("Arn"), arn);
    let attached = bench.root("Action=ListAttachedUserPolicies&UserName=RotateKeyUser");
    assert_eq!(attached.value("PolicyName"), "AmazonS3FullAccess");
}

#[test]
fn a_deactivated_key_is_refused_on_the_next_request() {
    let bench = TestInstallation::new();
    let keys = bench.user("RotateKeyUser", &[]);
    bench.call(&keys, "Action=GetCallerIdentity").ok();
    let update = format!(
        "Action=UpdateAccessKey&UserName=RotateKeyUser&AccessKeyId={}&Status=Inactive",
        keys.id
    );
    bench.root(&update).ok();
    bench.call(&keys, "Action=GetCallerIdentity").refused(
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    );
}

#[test]
fn temporary_credentials_end_on_time() {
    let bench = TestInstallation::new();
    let keys = bench.user("RotateKeyUser", &[]);
    let answer = bench.call(&keys, "Action=GetSessionToken&DurationSeconds=900");
    let session = TestKeys::of(&answer);
    bench.pass(899);
    bench.call(&session, "Action=GetCallerIdentity").ok();
    bench.pass(1);
    bench.call(&session, "Action=GetCallerIdentity").refused(
        "ExpiredToken",
        "The security token included in the request is expired",
    );
}

/// Each row fixes one more problem than the row above, which shows the order of the checks.
#[test]
fn the_order_of_refusals() {
    let bench = TestInstallation::new();
    let nobody = bench.user("nobody", &[]);
    let admin = bench.user("admin", &["AdministratorAccess"]);
    let wrong = TestKeys {
        secret: Secret::new("not the secret".to_owned()),
        ..admin.clone()
    };
    let unknown = TestKeys {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        ..wrong.clone()
    };
    let invalid = "Action=AttachUserPolicy&UserName=a+b&PolicyArn=x";
    let missing = "Action=AttachUserPolicy&UserName=gone\
                   &PolicyArn=arn:aws:iam::aws:policy/AmazonS3FullAccess";
    for (keys, form, code) in [
        (&unknown, "Action=Nothing", "InvalidClientTokenId"),
        (&wrong, "Action=Nothing", "SignatureDoesNotMatch"),
        (&nobody, "Action=Nothing", "InvalidAction"),
        (
            &nobody,
            "Action=ListOrganizationsFeatures",
            "NotImplemented",
        ),
        (&nobody, "Action=ListUsers&MaxItems=x", "MalformedInput"),
        (&nobody, invalid, "ValidationError"),
        (&nobody, missing, "AccessDenied"),
        (&admin, missing, "NoSuchEntity"),
        (
            &admin,
            "Action=CreateUser&UserName=NOBODY",
            "EntityAlreadyExists",
        ),
    ] {
        assert_eq!(bench.call(keys, form).code(), Some(code), "{form}");
    }
    bench.key("nobody");
    let third = "Action=CreateAccessKey&UserName=nobody";
    assert_eq!(bench.call(&nobody, third).code(), Some("AccessDenied"));
    assert_eq!(bench.call(&admin, third).code(), Some("LimitExceeded"));
}

/// Other tools' default account is an account like any other: nothing of the installation itself is
/// stored under it.
#[test]
fn an_account_of_zeros_works() {
    let zeros = "000000000000";
    let mut bench = crate::testing::TestInstallation::of(zeros);
    let keys = bench.user("bob", &["ReadOnlyAccess"]);
    bench.reopen();
    let who = bench.call(&keys, "Action=GetCallerIdentity");
    assert_eq!(who.value("Arn"), format!("arn:aws:iam::{zeros}:user/bob"));
    assert_eq!(bench.root("Action=ListUsers").values("UserName"), ["bob"]);
    bench.call(&keys, "Action=GetUser&UserName=bob").ok();
}
