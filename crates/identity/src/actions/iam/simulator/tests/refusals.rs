//! Rejected requests and the texts of their errors.

use super::{A, BOB, BUCKET, GET, boundary, custom};
use crate::testing::TestInstallation;

#[test]
#[expect(clippy::too_many_lines, reason = "one row per case")]
fn refusals() {
    let bench = TestInstallation::new();
    let get = "&ActionNames.member.1=s3:GetObject";
    let entry = |n: usize, name: &str, kind: &str, value: &str| {
        let at = format!("ContextEntries.member.{n}");
        format!(
            "&{at}.ContextKeyName={name}&{at}.ContextKeyType={kind}\
             &{at}.ContextKeyValues.member.1={value}"
        )
    };
    let of = |kind: &str, value: &str| format!("{get}{}", entry(1, "my:key", kind, value));
    let expected = |what: &str| format!("Invalid context value for key my:key: expected {what}.");
    let two = format!(
        "{get}{}&PermissionsBoundaryPolicyInputList.member.2={GET}",
        boundary(GET)
    );
    let twice = entry(1, "my:key", "string", "a") + &entry(2, "MY:KEY", "string", "b");
    let policy = |more: &str| format!("{get}{more}&ResourcePolicy={BUCKET}");
    let role = "&CallerArn=arn:aws:sts::123456789012:assumed-role/r/s";
    for (policies, more, expected_text) in [
        (
            vec!["{"],
            get.to_owned(),
            "Policy input list item 1 has invalid content".to_owned(),
        ),
        (
            vec![GET, r#"{"Version":"2099-01-01","Statement":[]}"#],
            get.to_owned(),
            "Policy input list item 2 has invalid content".to_owned(),
        ),
        (
            vec![GET],
            "&ActionNames.member.1=GetObject".to_owned(),
            "The action is invalid since it is missing names".to_owned(),
        ),
        (
            vec![GET],
            format!("{get}&ResourceArns.member.1=b/k"),
            "ResourceNames are not in a valid ARN format: b/k.".to_owned(),
        ),
        (
            vec![GET],
            format!("{get}{A}&ResourceArns.member.2=*"),
            "ResourceNames are not in a valid ARN format: *.".to_owned(),
        ),
        (vec![GET], of("numeric", "NaN"), expected("numeric format")),
        (
            vec![GET],
            of("date", "tomorrow"),
            expected("DateTime format"),
        ),
        (vec![GET], of("ip", "999.0.0.1"), expected("IP address")),
        (
            vec![GET],
            of("binaryList", "!base64"),
            expected("base-64 encoded binary format"),
        ),
        (vec![GET], of("numeric", " 1 "), expected("numeric format")),
        (vec![GET], of("ip", "10.0.0.0/8"), expected("IP address")),
        (
            vec![GET],
            of("binary", "QR=="),
            expected("base-64 encoded binary format"),
        ),
        (
            vec![GET],
            of("string", "a") + "&ContextEntries.member.1.ContextKeyValues.member.2=b",
            "Context key string expected a single value, but received 2.".to_owned(),
        ),
        (
            vec![GET],
            format!(
                "{get}&ContextEntries.member.1.ContextKeyName=my:key&ContextEntries.member.1.ContextKeyType=stringList"
            ),
            "Context values for context key my:key cannot be null or empty.".to_owned(),
        ),
        (
            vec![GET],
            of("string", "a").replace("ContextKeyType=string", "X=y"),
            "Context key my:key has invalid type null.".to_owned(),
        ),
        (
            vec![GET],
            of("string", "a").replace("ContextKeyName=my:key", "X=y"),
            "ContextKeyName cannot be null or empty.".to_owned(),
        ),
        (
            vec![GET],
            format!("{get}{twice}"),
            "Duplicate context key: MY:KEY.".to_owned(),
        ),
        (
            vec![GET],
            two,
            "The list of Permissions Boundary policies cannot exceed 1 items.".to_owned(),
        ),
        (
            vec![GET],
            format!("{get}&OrderedOrganizationPolicyInputList.member.1.X=y"),
            "Organization policy at index 1 must contain at least one service control policy"
                .to_owned(),
        ),
        (
            vec![GET],
            format!("{get}&Marker=x"),
            "Invalid marker for pagination.".to_owned(),
        ),
        (
            vec![GET],
            policy(A),
            "Invalid caller - Caller cannot be null or empty.".to_owned(),
        ),
        (
            vec![GET],
            format!("{get}{role}"),
            "Invalid caller - Caller must be an IAM user, role or group in this context."
                .to_owned(),
        ),
        (
            vec![GET],
            policy(BOB),
            "Invalid Entity Arn: * does not clearly define entity type and name.".to_owned(),
        ),
        (
            vec![GET],
            format!("{get}&ResourceOwner=123456789012"),
            "'123456789012' is not a valid as a Resource Owner.".to_owned(),
        ),
        (
            vec![GET],
            policy(A).replace("arn:aws:s3:::b/*", "*") + BOB,
            "ResourceNames are not in a valid ARN format: *.".to_owned(),
        ),
        (
            vec![GET],
            format!("{get}&ResourceHandlingOption=EC2-VPC-EBS"),
            "Invalid input resource handling options. Action does not support resource handling \
             options: s3:GetObject. Please refer to the documentation for more details: \
             https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html"
                .to_owned(),
        ),
    ] {
        custom(&bench, &policies, &more).refused("InvalidInput", &expected_text);
    }
}

/// Only these errors echo values.
#[test]
fn exclusions() {
    let bench = TestInstallation::new();
    for (excluded, place, why) in [
        (
            "PolicyType=none",
            "policyType",
            "enum value set: [inline, aws-managed, user-managed, permission-boundary, scp, rcp]",
        ),
        (
            "InlinePolicyIdentifier.PolicyName=p\
             &PolicyExclusionList.member.1.InlinePolicyIdentifier.AttachmentType=none\
             &PolicyExclusionList.member.1.InlinePolicyIdentifier.AttachmentName=bob",
            "inlinePolicyIdentifier.attachmentType",
            "enum value set: [user, group, role]",
        ),
    ] {
        let form = format!(
            "Action=SimulatePrincipalPolicy&PolicySourceArn=arn:aws:iam::123456789012:user/bob\
             &ActionNames.member.1=s3:GetObject&PolicyExclusionList.member.1.{excluded}"
        );
        let expected_text = format!(
            "1 validation error detected: Value 'none' at 'policyExclusionList.1.member.{place}' \
             failed to satisfy constraint: Member must satisfy {why}"
        );
        bench.root(&form).refused("ValidationError", &expected_text);
    }
}

/// The work is the product of patterns, values, actions and resources. It is computed beforehand,
/// and pages with many actions become smaller.
#[test]
fn work_is_counted_before_it_is_done() {
    let bench = TestInstallation::new();
    let simulate = |patterns: usize, values: usize, more: &str| {
        let likes: Vec<_> = (0..patterns).map(|at| format!("\"*a?b*{at}*\"")).collect();
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{{"ForAnyValue:StringLike":{{"aws:TagKeys":[{}]}}}}}}}}"#,
            likes.join(",")
        );
        let entry = "ContextEntries.member.1.ContextKey";
        let mut form = format!("&{entry}Name=aws:TagKeys&{entry}Type=stringList{more}");
        for at in 1..=values {
            form.push_str(&format!("&{entry}Values.member.{at}={}", "aab".repeat(30)));
        }
        bench.root(&format!(
            "Action=SimulateCustomPolicy&PolicyInputList.member.1={policy}{form}"
        ))
    };
    let actions = |count: usize| {
        let each = (1..=count).map(|at| format!("&ActionNames.member.{at}=s3:GetObject"));
        each.collect::<String>()
    };
    let small = simulate(10, 10, &actions(20));
    assert_eq!(small.values("EvalActionName").len(), 20);
    assert_eq!(small.value("IsTruncated"), "false");
    let paged = simulate(100, 500, &actions(20));
    let listed = paged.values("EvalActionName").len();
    assert!((1..20).contains(&listed), "{listed}");
    assert_eq!(paged.value("IsTruncated"), "true");
    let next = format!("{}&Marker={}", actions(20), paged.value("Marker"));
    assert!(simulate(100, 500, &next).is_success());
    // Resources count like actions.
    let resources: String = (1..=20)
        .map(|at| format!("&ResourceArns.member.{at}=arn:aws:s3:::b/{at}"))
        .collect();
    for (patterns, values, more) in [
        (3000, 2000, actions(1)),
        (100, 500, actions(1) + &resources),
    ] {
        let answer = simulate(patterns, values, &more);
        let error = answer.error();
        assert_eq!(error.code, "InvalidInput");
        let text = error.message.as_deref().unwrap_or_default();
        assert!(text.contains("steps of matching to each action"), "{text}");
    }
}

/// A response has a size limit: the page ends where it is reached, and one action must fit.
#[test]
fn answers_are_bounded() {
    let bench = TestInstallation::new();
    let statement = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    let simulate = |statements: usize, actions: usize, resources: usize| {
        let policy = vec![statement; statements].join(",");
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{policy}]}}"#);
        let mut form = format!("Action=SimulateCustomPolicy&PolicyInputList.member.1={policy}");
        for at in 1..=actions {
            form.push_str(&format!("&ActionNames.member.{at}=s3:GetObject"));
        }
        for at in 1..=resources {
            form.push_str(&format!("&ResourceArns.member.{at}=arn:aws:s3:::b/{at}"));
        }
        bench.root(&form)
    };
    let whole = simulate(100, 3, 10);
    assert_eq!(whole.value("IsTruncated"), "false");
    let cut = simulate(400, 10, 10);
    assert_eq!(cut.value("IsTruncated"), "true");
    let most = keywright_base::limits::SIMULATED_BYTES;
    assert!(
        (most / 2..2 * most).contains(&cut.ok().len()),
        "{}",
        cut.ok().len()
    );
    let refused = simulate(400, 1, 40);
    let text = refused.error().message.clone().unwrap_or_default();
    assert!(
        text.contains("results for s3:GetObject take more"),
        "{text}"
    );
}
