//! The request path as a whole: sign, verify, decode, decide, commit, answer.

use keywright_base::Secret;

use crate::testing::{ACCOUNT, Bench, Keys};

#[test]
fn what_is_acknowledged_is_there_after_a_restart() {
    let mut bench = Bench::new();
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
    let bench = Bench::new();
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
    let bench = Bench::new();
    let keys = bench.user("RotateKeyUser", &[]);
    let answer = bench.call(&keys, "Action=GetSessionToken&DurationSeconds=900");
    let session = Keys {
        id: answer.value("AccessKeyId"),
        secret: Secret::new(answer.value("SecretAccessKey")),
        token: Some(Secret::new(answer.value("SessionToken"))),
    };
    bench.pass(899);
    bench.call(&session, "Action=GetCallerIdentity").ok();
    bench.pass(1);
    bench.call(&session, "Action=GetCallerIdentity").refused(
        "ExpiredToken",
        "The security token included in the request is expired",
    );
}
