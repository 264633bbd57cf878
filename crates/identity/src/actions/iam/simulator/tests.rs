//! The simulator compared with AWS's recorded responses: decisions, matched statements, errors.

mod decisions;
mod principals;
mod refusals;

use crate::testing::{TestInstallation, TestResponse};

const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}"#;
const PUT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}"#;
const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const ONLY_A: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/a"}]}"#;
const LISTS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucketVersions","Resource":"*"}]}"#;
const ASKS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"my:key":"yes"}}}]}"#;
const ASKS_TWICE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"MY:key":"yes"},"StringLike":{"my:key":"y*"}}}]}"#;
const OTHER_ACCOUNT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}}]}"#;
const OWN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}"}]}"#;
const WHO: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"Null":{"aws:UserId":"true"}}}]}"#;
const BUCKET: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/bob"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#;
const BUCKET_ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#;
const BUCKET_ACCOUNT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#;
const BUCKET_DENY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#;

const A: &str = "&ResourceArns.member.1=arn:aws:s3:::b/a";
const A_AND_B: &str =
    "&ResourceArns.member.1=arn:aws:s3:::b/a&ResourceArns.member.2=arn:aws:s3:::b/b";
const BOB: &str = "&CallerArn=arn:aws:iam::123456789012:user/team/bob";
const BOB_PLAIN: &str = "&CallerArn=arn:aws:iam::123456789012:user/bob";

fn custom(bench: &TestInstallation, policies: &[&str], more: &str) -> TestResponse {
    let policies = (1..).zip(policies);
    let policies = policies.map(|(n, text)| format!("&PolicyInputList.member.{n}={text}"));
    let mut policies: String = policies.collect();
    if policies.is_empty() {
        // Clients send an empty list like this.
        policies.push_str("&PolicyInputList=");
    }
    bench.root(&format!("Action=SimulateCustomPolicy{policies}{more}"))
}

fn boundary(text: &str) -> String {
    format!("&PermissionsBoundaryPolicyInputList.member.1={text}")
}

/// Decision; ids of the matched statements of the whole action; missing keys.
fn payload(answer: &TestResponse) -> (String, Vec<String>, Vec<String>) {
    let text = answer.ok();
    let whole = text.split("<ResourceSpecificResults>").next().unwrap();
    let between = |open: &str, close: &str| -> Vec<String> {
        let parts = whole.split(open).skip(1);
        parts
            .map(|p| p.split(close).next().unwrap().to_owned())
            .collect()
    };
    let missing = between("<MissingContextValues>", "</MissingContextValues>").join("");
    let missing = missing.split("<member>").skip(1);
    (
        answer.value("EvalDecision"),
        between("<SourcePolicyId>", "</SourcePolicyId>"),
        missing.map(|key| key.replace("</member>", "")).collect(),
    )
}
