//! The simulator beside what AWS was seen to answer: decisions, shown statements, refusals.

use crate::testing::{ACCOUNT, Answer, Bench};

const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}"#;
const PUT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}"#;
const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const ONLY_A: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/a"}]}"#;
const ASKS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"my:key":"yes"}}}]}"#;
const OWN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}"}]}"#;
const WHO: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"Null":{"aws:UserId":"true"}}}]}"#;
const BUCKET: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/bob"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#;
const BUCKET_DENY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#;

const A: &str = "&ResourceArns.member.1=arn:aws:s3:::b/a";
const A_AND_B: &str =
    "&ResourceArns.member.1=arn:aws:s3:::b/a&ResourceArns.member.2=arn:aws:s3:::b/b";
const BOB: &str = "&CallerArn=arn:aws:iam::123456789012:user/team/bob";
const BOB_PLAIN: &str = "&CallerArn=arn:aws:iam::123456789012:user/bob";

fn custom(bench: &Bench, policies: &[&str], more: &str) -> Answer {
    let policies = (1..).zip(policies);
    let policies = policies.map(|(n, text)| format!("&PolicyInputList.member.{n}={text}"));
    let mut policies: String = policies.collect();
    if policies.is_empty() {
        // As clients send an empty list.
        policies.push_str("&PolicyInputList=");
    }
    bench.root(&format!("Action=SimulateCustomPolicy{policies}{more}"))
}

fn boundary(text: &str) -> String {
    format!("&PermissionsBoundaryPolicyInputList.member.1={text}")
}

/// Decision; ids of the matched statements of the whole action; missing keys.
fn told(answer: &Answer) -> (String, Vec<String>, Vec<String>) {
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
#[expect(clippy::too_many_lines, reason = "one row a case")]
fn decisions() {
    let bench = Bench::new();
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
        let found = told(&answer);
        let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let expected = (decision.to_owned(), owned(matched), owned(missing));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn what_belongs_to_no_action_and_what_is_unknown() {
    let bench = Bench::new();
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
    let bench = Bench::new();
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
    let bench = Bench::new();
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

#[test]
#[expect(clippy::too_many_lines, reason = "one row a case")]
fn refusals() {
    let bench = Bench::new();
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
    for (policies, more, says) in [
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
            "Invalid Resource Owner.".to_owned(),
        ),
    ] {
        custom(&bench, &policies, &more).refused("InvalidInput", &says);
    }
}

fn staffed() -> Bench {
    let bench = Bench::new();
    bench.user("bob", &["AmazonS3ReadOnlyAccess"]);
    bench.user("plain", &[]);
    for form in [
        "Action=CreateGroup&GroupName=staff&Path=/x/".to_owned(),
        "Action=AddUserToGroup&GroupName=staff&UserName=bob".to_owned(),
        format!("Action=PutGroupPolicy&GroupName=staff&PolicyName=put&PolicyDocument={PUT}"),
        format!("Action=PutUserPolicy&UserName=bob&PolicyName=own&PolicyDocument={OWN}"),
    ] {
        bench.root(&form).ok();
    }
    bench
}

fn of_principal(bench: &Bench, source: &str, action: &str, more: &str) -> Answer {
    bench.root(&format!(
        "Action=SimulatePrincipalPolicy&PolicySourceArn=arn:aws:iam::{ACCOUNT}:{source}\
         &ActionNames.member.1={action}{more}"
    ))
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row a case")]
fn principals() {
    let bench = staffed();
    let own = "&ResourceArns.member.1=arn:aws:s3:::b/bob";
    let without = "&PolicyExclusionList.member.1.PolicyArn=\
                   arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let exclude = "PolicyExclusionList.member.2.InlinePolicyIdentifier";
    let without_own = format!(
        "{without}&{exclude}.PolicyName=own&{exclude}.AttachmentType=user\
         &{exclude}.AttachmentName=bob"
    );
    let more = format!("&PolicyInputList.member.1={ALL}");
    let (own_id, managed) = ("user_bob_own", "AmazonS3ReadOnlyAccess");
    for (source, action, more, decision, matched) in [
        (
            "user/bob",
            "s3:GetObject",
            own.to_owned(),
            "allowed",
            vec![own_id, managed],
        ),
        (
            "user/any/path/bob",
            "s3:PutObject",
            A.to_owned(),
            "allowed",
            vec!["group_staff_put"],
        ),
        (
            "group/staff",
            "s3:PutObject",
            A.to_owned(),
            "allowed",
            vec!["group_staff_put"],
        ),
        (
            "group/staff",
            "s3:GetObject",
            A.to_owned(),
            "implicitDeny",
            vec![],
        ),
        (
            "user/bob",
            "s3:GetObject",
            format!("{own}{without}"),
            "allowed",
            vec![own_id],
        ),
        (
            "user/bob",
            "s3:GetObject",
            format!("{own}{without_own}"),
            "implicitDeny",
            vec![],
        ),
        (
            "user/plain",
            "s3:GetObject",
            A.to_owned(),
            "implicitDeny",
            vec![],
        ),
        (
            "user/plain",
            "s3:GetObject",
            format!("{A}{more}"),
            "allowed",
            vec!["PolicyInputList.1"],
        ),
    ] {
        let answer = of_principal(&bench, source, action, &more);
        let (found, ids, _) = told(&answer);
        assert_eq!(
            (found.as_str(), ids),
            (decision, matched.iter().map(|s| (*s).to_owned()).collect()),
            "{source} {action} {more}"
        );
    }
}

#[test]
fn a_principals_own_boundary_counts_unless_another_is_given() {
    let bench = staffed();
    let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let put = format!("Action=PutUserPermissionsBoundary&UserName=bob&PermissionsBoundary={arn}");
    bench.root(&put).ok();
    let lifted = format!(
        "{A}&PolicyExclusionList.member.1.PolicyArn={arn}\
         &PolicyExclusionList.member.1.PolicyType=permission-boundary"
    );
    for (more, decision) in [
        (A.to_owned(), "implicitDeny"),
        (format!("{A}{}", boundary(ALL)), "allowed"),
        (lifted, "allowed"),
    ] {
        let answer = of_principal(&bench, "user/bob", "s3:PutObject", &more);
        assert_eq!(answer.value("EvalDecision"), decision, "{more}");
    }
}

#[test]
fn sources_that_are_none() {
    let bench = Bench::new();
    let account = ACCOUNT;
    for operation in [
        "SimulatePrincipalPolicy",
        "GetContextKeysForPrincipalPolicy",
    ] {
        for (source, code, says) in [
            (
                format!("arn:aws:iam::{account}:role/none"),
                "NoSuchEntity",
                "Unable to retrieve specified IAM entity.".to_owned(),
            ),
            (
                "arn:aws:iam::999999999999:user/bob".to_owned(),
                "InvalidInput",
                format!(
                    "Invalid Policy Source Arn: caller's account {account} does not have access \
                     to policies in account 999999999999."
                ),
            ),
            (
                format!("arn:aws:iam::{account}:root"),
                "InvalidInput",
                format!("Invalid ARN provided in the request: arn:aws:iam::{account}:root"),
            ),
            (
                "not-an-arn-but-long-enough".to_owned(),
                "InvalidInput",
                "Invalid ARN provided in the request: not-an-arn-but-long-enough".to_owned(),
            ),
        ] {
            let form = format!(
                "Action={operation}&PolicySourceArn={source}&ActionNames.member.1=s3:GetObject"
            );
            bench.root(&form).refused(code, &says);
        }
    }
}

#[test]
fn keys_that_policies_ask_for() {
    let bench = staffed();
    let members = |answer: &Answer| answer.values("member");
    let custom = format!(
        "Action=GetContextKeysForCustomPolicy&PolicyInputList.member.1={OWN}\
         &PolicyInputList.member.2={ASKS}"
    );
    assert_eq!(members(&bench.root(&custom)), ["aws:username", "my:key"]);
    let source = format!("PolicySourceArn=arn:aws:iam::{ACCOUNT}:user/bob");
    let principal =
        format!("Action=GetContextKeysForPrincipalPolicy&{source}&PolicyInputList.member.1={ASKS}");
    assert_eq!(members(&bench.root(&principal)), ["aws:username", "my:key"]);
    bench
        .root("Action=GetContextKeysForCustomPolicy&PolicyInputList.member.1={")
        .refused(
            "InvalidInput",
            "Policy input list item 1 has invalid content",
        );
}
