//! Decisions on policies in the request, and how they are reported.

use super::{
    A, A_AND_B, ALL, ASKS, ASKS_TWICE, BOB, BOB_PLAIN, BUCKET, BUCKET_ACCOUNT, BUCKET_DENY, DENY,
    GET, ONLY_A, OTHER_ACCOUNT, OWN, PUT, WHO, boundary, custom, payload,
};
use crate::testing::{ACCOUNT, TestInstallation};

/// A name; policies and other parameters; decision, matched policies, missing keys.
type Row = (
    &'static str,
    Vec<&'static str>,
    String,
    &'static str,
    Vec<&'static str>,
    Vec<&'static str>,
);

#[test]
#[expect(clippy::too_many_lines, reason = "one row per case")]
fn decisions() {
    let bench = TestInstallation::new();
    let get = "&ActionNames.member.1=s3:GetObject";
    let key = "&ContextEntries.member.1.ContextKeyName=my:key\
               &ContextEntries.member.1.ContextKeyType=string\
               &ContextEntries.member.1.ContextKeyValues.member.1=yes";
    let list = key.replace("=string", "=stringList");
    let policy = |text: &str| format!("&ResourcePolicy={text}");
    let organization = |text: &str| {
        let at = "OrderedOrganizationPolicyInputList.member.1.ServiceControlPolicyInputList";
        format!("&{at}.member.1={text}")
    };
    let (first, second) = ("PolicyInputList.1", "PolicyInputList.2");
    let bound = "PermissionsBoundaryPolicyInputList.1";
    let rows: Vec<Row> = vec![
        (
            "plain",
            vec![GET],
            String::new(),
            "allowed",
            vec![first],
            vec![],
        ),
        (
            "none",
            vec![],
            String::new(),
            "implicitDeny",
            vec![],
            vec![],
        ),
        (
            "deny",
            vec![GET, DENY],
            A.into(),
            "explicitDeny",
            vec![second],
            vec![],
        ),
        (
            "mixed",
            vec![ONLY_A],
            A_AND_B.into(),
            "implicitDeny",
            vec![first],
            vec![],
        ),
        (
            "missing",
            vec![ASKS],
            A.into(),
            "implicitDeny",
            vec![],
            vec!["my:key"],
        ),
        (
            "missing beside",
            vec![GET, ASKS],
            A.into(),
            "allowed",
            vec![first],
            vec![],
        ),
        (
            "missing in two spellings",
            vec![ASKS_TWICE],
            A.into(),
            "implicitDeny",
            vec![],
            vec!["MY:key", "my:key"],
        ),
        (
            "nobody's account is missing",
            vec![OTHER_ACCOUNT],
            String::new(),
            "implicitDeny",
            vec![],
            vec!["aws:PrincipalAccount"],
        ),
        (
            "a caller's account is not",
            vec![OTHER_ACCOUNT],
            BOB.into(),
            "implicitDeny",
            vec![],
            vec![],
        ),
        (
            "given",
            vec![ASKS],
            key.into(),
            "allowed",
            vec![first],
            vec![],
        ),
        ("list", vec![ASKS], list, "implicitDeny", vec![], vec![]),
        (
            "nobody",
            vec![OWN],
            A.into(),
            "implicitDeny",
            vec![],
            vec!["aws:username"],
        ),
        (
            "bob",
            vec![OWN],
            format!("{BOB}&ResourceArns.member.1=arn:aws:s3:::b/bob"),
            "allowed",
            vec![first],
            vec![],
        ),
        (
            "bounded",
            vec![GET],
            boundary(GET),
            "allowed",
            vec![first],
            vec![],
        ),
        (
            "out of bounds",
            vec![GET],
            boundary(PUT),
            "implicitDeny",
            vec![],
            vec![],
        ),
        (
            "bounds deny",
            vec![GET],
            boundary(DENY),
            "explicitDeny",
            vec![bound],
            vec![],
        ),
        (
            "both deny",
            vec![DENY],
            boundary(DENY),
            "explicitDeny",
            vec![bound, first],
            vec![],
        ),
        (
            "a made up user id is missing",
            vec![WHO],
            String::new(),
            "implicitDeny",
            vec![],
            vec!["aws:UserId"],
        ),
        (
            "a supposed user id is missing",
            vec![WHO],
            BOB.to_owned(),
            "implicitDeny",
            vec![],
            vec!["aws:UserId"],
        ),
        (
            "bounds ask",
            vec![GET],
            boundary(ASKS),
            "implicitDeny",
            vec![],
            vec!["my:key"],
        ),
        (
            "organized",
            vec![GET],
            organization(ALL),
            "allowed",
            vec![first],
            vec![],
        ),
        (
            "organization denies",
            vec![GET],
            organization(DENY),
            "explicitDeny",
            vec![],
            vec![],
        ),
        (
            "organization silent",
            vec![GET],
            organization(PUT),
            "implicitDeny",
            vec![],
            vec![],
        ),
        (
            "bucket",
            vec![],
            format!("{A}{BOB_PLAIN}{}", policy(BUCKET)),
            "allowed",
            vec!["ResourcePolicy"],
            vec![],
        ),
        (
            "a bucket that names the account only delegates",
            vec![],
            format!("{A}{BOB_PLAIN}{}", policy(BUCKET_ACCOUNT)),
            "implicitDeny",
            vec![],
            vec![],
        ),
        (
            "other options of an instance are not looked at",
            vec![GET],
            "&ResourceHandlingOption=whatever".into(),
            "allowed",
            vec![first],
            vec![],
        ),
        (
            "bucket denies",
            vec![GET],
            format!("{A}{BOB_PLAIN}{}", policy(BUCKET_DENY)),
            "explicitDeny",
            vec!["ResourcePolicy", first],
            vec![],
        ),
    ];
    for (name, policies, more, decision, matched, missing) in rows {
        let answer = custom(&bench, &policies, &format!("{get}{more}"));
        let found = payload(&answer);
        let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let expected = (decision.to_owned(), owned(matched), owned(missing));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn what_belongs_to_no_action_and_what_is_unknown() {
    let bench = TestInstallation::new();
    for (action, resource, decision, name) in [
        ("s3:GetObject", "*", "allowed", "*"),
        ("s3:*", "*", "allowed", "*"),
        (
            "madeup:Action",
            "arn:aws:madeup:::x",
            "allowed",
            "arn:aws:madeup:::x",
        ),
        (
            "iam:GetUser",
            "arn:aws:s3:::b",
            "implicitDeny",
            "arn:aws:s3:::b",
        ),
        (
            "iam:GetUser",
            "arn:aws:iam::123456789012:user/x",
            "allowed",
            "arn:aws:iam::123456789012:user/x",
        ),
        (
            "s3:GetObject",
            "arn:aws:s3:::b",
            "allowed",
            "arn:aws:s3:::b",
        ),
        (
            "s3:GetObject",
            "arn:other:s3:region:account:b",
            "allowed",
            "arn:other:s3:region:account:b",
        ),
        (
            "iam:ListUsers",
            "arn:aws:iam::123456789012:user/x",
            "implicitDeny",
            "arn:aws:iam::123456789012:user/x",
        ),
        ("iam:ListUsers", "*", "allowed", "*"),
    ] {
        let more = format!("&ActionNames.member.1={action}&ResourceArns.member.1={resource}");
        let answer = custom(&bench, &[ALL], &more);
        let found = (
            answer.value("EvalDecision"),
            answer.value("EvalResourceName"),
        );
        assert_eq!(
            found,
            (decision.to_owned(), name.to_owned()),
            "{action} on {resource}"
        );
    }
}

#[test]
fn shapes() {
    let bench = TestInstallation::new();
    let get = "&ActionNames.member.1=s3:GetObject";
    let plain = custom(&bench, &[GET], get);
    assert_eq!(
        plain.values("Column"),
        ["38", "95"],
        "as recorded: just after the bracket, just after the brace"
    );
    assert!(
        !plain.ok().contains("EvalDecisionDetails"),
        "no resources, no details"
    );
    let both = custom(&bench, &[GET], &format!("{get}{A_AND_B}"));
    assert_eq!(
        both.values("EvalResourceName"),
        [
            "arn:aws:s3:::${BucketName}/${KeyName}",
            "arn:aws:s3:::b/a",
            "arn:aws:s3:::b/b"
        ]
    );
    for (action, name) in [
        ("s3:ListBucket", "s3:::${BucketName}/${KeyName}"),
        ("s3:ListAllMyBuckets", "s3:::${BucketName}/${KeyName}"),
        (
            "iam:ListUsers",
            "iam::${Account}:${ResourceType}/${ResourceName}",
        ),
        ("sts:AssumeRole", "iam::${Account}:${RelativeId}"),
    ] {
        let more = format!("&ActionNames.member.1={action}{A_AND_B}").replace(":aws:", ":aws-cn:");
        let answer = custom(&bench, &[GET], &more);
        assert_eq!(
            answer.value("EvalResourceName"),
            format!("arn:aws-cn:{name}")
        );
    }
    assert!(
        both.ok().contains("<EvalDecisionDetails"),
        "present and empty"
    );
    assert_eq!(both.value("SourcePolicyType"), "IAM Policy");
    let foreign = format!(
        "{get}{A}&CallerArn=arn:aws:iam::111122223333:user/eve&ResourcePolicy={BUCKET_DENY}\
         &ResourceOwner=arn:aws:iam::{ACCOUNT}:root"
    );
    let foreign = custom(&bench, &[GET], &foreign);
    assert_eq!(
        foreign.values("key")[..2],
        ["IAM Policy", "Resource Policy"]
    );
    assert_eq!(foreign.values("value")[..2], ["allowed", "explicitDeny"]);
}

#[test]
fn pages_count_actions() {
    let bench = TestInstallation::new();
    let actions = "&ActionNames.member.1=s3:PutObject&ActionNames.member.2=iam:GetUser\
                   &ActionNames.member.3=s3:GetObject";
    let first = custom(&bench, &[ALL], &format!("{actions}{A_AND_B}&MaxItems=1"));
    assert_eq!(first.values("EvalActionName"), ["s3:PutObject"]);
    let marker = first.value("Marker");
    let rest = custom(
        &bench,
        &[ALL],
        &format!("{actions}&MaxItems=2&Marker={marker}"),
    );
    assert_eq!(
        rest.values("EvalActionName"),
        ["iam:GetUser", "s3:GetObject"]
    );
    assert_eq!(rest.value("IsTruncated"), "false");
    let other = "&ActionNames.member.1=s3:DeleteObject";
    let none = custom(&bench, &[ALL], &format!("{other}&Marker={marker}"));
    assert_eq!(none.values("EvalActionName"), [""; 0]);
}
