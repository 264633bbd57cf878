//! IAM responses that clients have not read yet are counted, per principal.

use bytes::Bytes;
use keywright_base::{AccountId, limits};
use keywright_identity::work::WorkOwner;

use super::bench::{ACCOUNT, Bench};

const PAGE: &str = "Action=ListPolicies&MaxItems=1000";

#[tokio::test]
async fn who_does_not_read_gets_no_more_long_answers() {
    let bench = Bench::new().await;
    bench.root("Action=CreateUser&UserName=ann").await;
    let attach = "Action=AttachUserPolicy&UserName=ann\
         &PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess";
    bench.root(attach).await;
    let made = bench.root("Action=CreateAccessKey&UserName=ann").await;
    let root = WorkOwner::Root(ACCOUNT.parse::<AccountId>().unwrap());
    let answers = &bench.pipeline.services.answers;
    let unread = Bytes::from(vec![7; limits::ANSWERS_BYTES_EACH]);
    let unread = answers.hold(root, unread).unwrap();
    let refused = bench.try_root(PAGE).await.unwrap_err();
    assert_eq!((refused.status, &*refused.code), (400, "Throttling"));
    // Short responses, changes and other principals still work.
    bench.root("Action=GetUser&UserName=ann").await;
    let tag = |number: usize| {
        let (key, value) = (format!("{number:0>128}"), "v".repeat(256));
        format!("&Tags.member.{number}.Key={key}&Tags.member.{number}.Value={value}")
    };
    let tags: String = (1..=50).map(tag).collect();
    let created = bench
        .root(&format!("Action=CreateUser&UserName=bob{tags}"))
        .await;
    assert!(created.len() > limits::BODY_BYTES_FREE);
    bench.with_key(&made, PAGE).await.unwrap();
    drop(unread);
    let page = bench.root(PAGE).await;
    assert!(page.len() > limits::BODY_BYTES_FREE);
}
