//! Explanations and lists of authorized principals, compared with the outcome of real requests.

use std::sync::Arc;

use keywright_policy::{AccessLevel, ActionCatalogue, DocumentKind, Policy, validate};

use crate::{
    testing::{ACCOUNT, TestInstallation},
    view::ResourcePolicy,
};

const BY_TAG: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"Tagged","Effect":"Allow","Action":"iam:ListUsers","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"ops"}}}}"#;
const BY_TLS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}"#;
const NO: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"No","Effect":"Deny","Action":"iam:*","Resource":"*"}}"#;

fn bench() -> TestInstallation {
    let bench = TestInstallation::new();
    bench.user("admin", &["AdministratorAccess"]);
    bench.user("nobody", &[]);
    bench.user("denied", &["AdministratorAccess"]);
    for (user, policy) in [("tagged", BY_TAG), ("tls", BY_TLS), ("denied", NO)] {
        if user != "denied" {
            bench.user(user, &[]);
        }
        let put = format!("UserName={user}&PolicyName=p&PolicyDocument={policy}");
        bench.root(&format!("Action=PutUserPolicy&{put}")).ok();
    }
    let tag = "Tags.member.1.Key=team&Tags.member.1.Value=ops";
    bench
        .root(&format!("Action=TagUser&UserName=tagged&{tag}"))
        .ok();
    bench
}

fn explain(bench: &TestInstallation, name: &str, more: &str) -> (String, String) {
    let form = format!(
        "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:{name}\
         &ActionName=iam:ListUsers&ResourceArn=arn:aws:iam::{ACCOUNT}:user/{more}"
    );
    let answer = bench.root(&form);
    (answer.value("Decision"), answer.value("Explanation"))
}

#[test]
fn explanations() {
    let bench = bench();
    let tls = "&ContextEntries.member.1.ContextKeyName=aws:SecureTransport\
               &ContextEntries.member.1.ContextKeyValue=true";
    for (name, more, decision, expected_text) in [
        ("root", "", "allowed", "allowed"),
        (
            "user/admin",
            "",
            "allowed",
            "arn:aws:iam::aws:policy/AdministratorAccess",
        ),
        (
            "user/nobody",
            "",
            "implicitDeny",
            "needed: an Allow in identity-based policy",
        ),
        (
            "user/denied",
            "",
            "explicitDeny",
            "statement 1 (No) of identity-based policy p",
        ),
        (
            "user/tagged",
            "",
            "allowed",
            "(Tagged) of identity-based policy p",
        ),
        (
            "user/tls",
            "",
            "implicitDeny",
            "lacks: the condition Bool aws:SecureTransport",
        ),
        ("user/tls", tls, "allowed", "identity-based policy p"),
    ] {
        let (found, text) = explain(&bench, name, more);
        assert_eq!(found, decision, "{name}");
        assert!(text.contains(expected_text), "{name}: {text}");
    }
    let unknown = format!(
        "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/x/admin\
         &ActionName=iam:ListUsers&ResourceArn=*"
    );
    assert_eq!(
        bench.root(&unknown).code(),
        Some("NoSuchEntity"),
        "another path"
    );
}

#[test]
fn who_can() {
    let bench = bench();
    let form = "Action=ListAuthorizedPrincipals&ActionName=iam:ListUsers&ResourceArn=*";
    let answer = bench.root(form);
    let names: Vec<_> = answer.values("PrincipalArn");
    let arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:{name}");
    let expected = ["root", "user/admin", "user/tagged", "user/tls"].map(arn);
    assert_eq!(names, expected);
    let conditions = answer.values("Condition");
    assert_eq!(conditions.len(), 1, "only one is under a condition");
    assert!(
        conditions[0].contains("aws:SecureTransport"),
        "{conditions:?}"
    );
}

/// What each of the explanations says about an action of `admin` and of root.
fn message(bench: &TestInstallation, action: &str, resource: &str) -> Vec<bool> {
    let requested = format!("&ActionName={action}&ResourceArn={resource}");
    let principal = |name: &str| {
        let arn = format!("arn:aws:iam::{ACCOUNT}:{name}");
        let form = format!("Action=ExplainAuthorization&PrincipalArn={arn}{requested}");
        bench.root(&form).value("Decision") == "allowed"
    };
    let simulated = |operation: &str| {
        let names = format!("ActionNames.member.1={action}&ResourceArns.member.1={resource}");
        let answer = bench.root(&format!("Action={operation}&{names}"));
        let decisions = ["EvalDecision", "EvalResourceDecision"].map(|name| answer.value(name));
        assert_eq!(decisions[0], decisions[1], "{operation} {action}");
        decisions[0] == "allowed"
    };
    let all =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let who = bench.root(&format!("Action=ListAuthorizedPrincipals{requested}"));
    let who = who.values("PrincipalArn");
    let listed = |name: &str| who.contains(&format!("arn:aws:iam::{ACCOUNT}:{name}"));
    vec![
        principal("root"),
        principal("user/admin"),
        listed("root"),
        listed("user/admin"),
        simulated(&format!(
            "SimulatePrincipalPolicy&PolicySourceArn=arn:aws:iam::{ACCOUNT}:user/admin"
        )),
        simulated(&format!(
            "SimulateCustomPolicy&PolicyInputList.member.1={all}"
        )),
    ]
}

/// For each action on an AWS managed policy, every explanation agrees with the real request.
#[test]
fn policies_of_aws_are_read_and_attached_only() {
    let bench = bench();
    let admin = bench.key("admin");
    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let get = bench.root(&format!("Action=GetPolicy&PolicyArn={policy}"));
    let version = get.value("DefaultVersionId");
    let on_policies = ActionCatalogue::built_in().actions();
    let on_policies = on_policies.filter(|a| a.service == "iam" && a.is_on("policy"));
    let mut writes = 0;
    for action in on_policies {
        // CreatePolicy names no existing policy; the other is not served.
        if ["CreatePolicy", "GenerateServiceLastAccessedDetails"].contains(&action.name) {
            continue;
        }
        let form = format!(
            "Action={}&PolicyArn={policy}&VersionId={version}&PolicyDocument={NO}\
             &Tags.member.1.Key=a&Tags.member.1.Value=b&TagKeys.member.1=a",
            action.name
        );
        let code = bench.call(&admin, &form).code();
        let reads = matches!(action.level, AccessLevel::List | AccessLevel::Read);
        assert_eq!(code.is_none(), reads, "{} {code:?}", action.name);
        assert!(reads || code == Some("AccessDenied"), "{code:?}");
        let name = format!("iam:{}", action.name);
        assert_eq!(message(&bench, &name, policy), [reads; 6], "{name}");
        writes += usize::from(!reads);
        let own = format!("arn:aws:iam::{ACCOUNT}:policy/ReadOnlyAccess");
        assert_eq!(
            message(&bench, &name, &own),
            [true; 6],
            "{name} on the account's"
        );
    }
    assert_eq!(writes, 6);
    let user = format!("arn:aws:iam::{ACCOUNT}:user/admin");
    assert_eq!(message(&bench, "iam:AttachUserPolicy", &user), [true; 6]);
    let (form, why) = ("iam:deletepolicy", "AWS managed policies cannot be changed");
    let form = format!("ActionName={form}&ResourceArn=arn:aws-cn:iam::aws:policy/none");
    let root = format!("PrincipalArn=arn:aws:iam::{ACCOUNT}:root");
    let answer = bench.root(&format!("Action=ExplainAuthorization&{root}&{form}"));
    assert!(answer.value("Explanation").contains(why));
}

#[test]
fn only_actions_can_be_explained() {
    let bench = bench();
    for action in [
        "GetObject",
        "s3:*",
        "s3:Get?bject",
        "*:*",
        "s3:",
        ":GetObject",
    ] {
        for form in [
            format!("ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:root"),
            "ListAuthorizedPrincipals".to_owned(),
        ] {
            let form = format!("Action={form}&ActionName={action}&ResourceArn=*");
            bench.root(&form).refused(
                "ValidationError",
                &format!(
                    "{action} is not an action: write service:Action, for example \
                     s3:GetObject, without wildcards"
                ),
            );
        }
    }
}

#[test]
fn every_statement_says_what_it_lacked() {
    let bench = bench();
    let form = format!(
        "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/denied\
         &ActionName=iam:ListUsers&ResourceArn=*"
    );
    let answer = bench.root(&form);
    let payload: Vec<_> = ["Statement", "Effect", "Applies"]
        .map(|n| answer.values(n))
        .into();
    assert_eq!(payload[0], ["1", "1 (No)"]);
    assert_eq!(payload[1], ["Allow", "Deny"]);
    assert_eq!(payload[2], ["true", "true"]);
    assert_eq!(answer.values("Lacks"), [""; 0]);
    assert_eq!(answer.value("IsTruncated"), "false");
}

const BUCKET: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Named","Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:GetObject",
     "Resource":"arn:aws:s3:::b/*"},
    {"Sid":"Office","Effect":"Allow","Principal":"*","Action":"s3:PutObject",
     "Resource":"arn:aws:s3:::b/*",
     "Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}},
    {"Sid":"Locked","Effect":"Deny","Principal":"*","Action":"s3:DeleteObject",
     "Resource":"arn:aws:s3:::b/*"},
    {"Sid":"Sealed","Effect":"Deny","Principal":"*","Action":"s3:*BucketPolicy",
     "Resource":"arn:aws:s3:::b"},
    {"Sid":"Guard","Effect":"Deny","Principal":"*","Action":"s3:GetObject",
     "Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#;

/// A test installation with a bucket `b` of its own account and a bucket `c` of another one.
fn with_buckets() -> TestInstallation {
    let bench = bench();
    let policy = validate(BUCKET, DocumentKind::Bucket { bucket: "b" }).unwrap();
    let policy = Arc::new(Policy::compile(&policy).with_id("b"));
    bench.identity().know_resources(Box::new(move |arn| {
        let owner = match arn.split(['/', ':']).nth(5) {
            Some("b") => ACCOUNT,
            Some("c") => "210987654321",
            _ => return Box::pin(async { Ok(None) }),
        };
        let owner = owner.parse().unwrap();
        let policy = Some(Arc::clone(&policy));
        let tags = arn.ends_with("/tagged");
        let attached = ResourcePolicy {
            owner,
            policy,
            restricted: false,
            tags: tags.then(|| vec![("Team".to_owned(), "red".to_owned())]),
        };
        Box::pin(async move { Ok(Some(attached)) })
    }));
    bench
}

#[test]
fn policies_of_buckets_are_consulted() {
    let bench = with_buckets();
    let requested = |name: &str, action: &str, resource: &str| {
        bench.root(&format!(
            "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:{name}\
             &ActionName=s3:{action}&ResourceArn=arn:aws:s3:::{resource}"
        ))
    };
    for (name, action, resource, decision, expected_text) in [
        (
            "user/admin",
            "DeleteObject",
            "b/k",
            "explicitDeny",
            "(Locked) of resource-based policy b",
        ),
        (
            "user/admin",
            "DeleteObject",
            "free/k",
            "allowed",
            "AdministratorAccess",
        ),
        (
            "user/nobody",
            "GetObject",
            "b/k",
            "implicitDeny",
            "an Allow in identity-based policy",
        ),
        ("root", "DeleteObject", "b/k", "explicitDeny", "(Locked)"),
        ("root", "DeleteBucketPolicy", "b", "allowed", "allowed"),
        (
            "user/admin",
            "DeleteBucketPolicy",
            "b",
            "explicitDeny",
            "(Sealed)",
        ),
    ] {
        let answer = requested(name, action, resource);
        assert_eq!(answer.value("Decision"), decision, "{name} {action}");
        let text = answer.value("Explanation");
        assert!(text.contains(expected_text), "{name} {action}: {text}");
    }
    for form in [
        format!("ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:root"),
        "ListAuthorizedPrincipals".to_owned(),
    ] {
        let form = format!("Action={form}&ActionName=s3:GetObject&ResourceArn=arn:aws:s3:::c/k");
        bench.root(&form).refused(
            "ValidationError",
            "arn:aws:s3:::c/k belongs to another account, so its policy cannot be explained",
        );
    }
}

/// An explanation quotes the bucket policy, so it requires permission to read that policy.
#[test]
fn a_policy_that_hides_itself_is_not_quoted() {
    let bench = bench();
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Sid":"Hidden","Effect":"Deny",
            "Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:user/reader"}},
            "Action":"s3:GetBucketPolicy","Resource":"arn:aws:s3:::b"}}}}"#
    );
    let policy = validate(&text, DocumentKind::Bucket { bucket: "b" }).unwrap();
    let policy = Arc::new(Policy::compile(&policy).with_id("b"));
    bench.identity().know_resources(Box::new(move |_| {
        let attached = ResourcePolicy {
            owner: ACCOUNT.parse().unwrap(),
            policy: Some(Arc::clone(&policy)),
            restricted: false,
            tags: None,
        };
        Box::pin(async move { Ok(Some(attached)) })
    }));
    let (reader, other) = (
        bench.user("reader", &["AdministratorAccess"]),
        bench.user("other", &["AdministratorAccess"]),
    );
    let about = "ActionName=s3:GetObject&ResourceArn=arn:aws:s3:::b/k";
    for action in [
        format!("ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:root"),
        "ListAuthorizedPrincipals".to_owned(),
    ] {
        let form = format!("Action={action}&{about}");
        bench.call(&other, &form).ok();
        bench.call(&reader, &form).refused(
            "AccessDenied",
            &format!(
                "User: arn:aws:iam::{ACCOUNT}:user/reader is not authorized to perform: \
                 s3:GetBucketPolicy on resource: arn:aws:s3:::b with an explicit deny in a \
                 resource-based policy"
            ),
        );
    }
}

#[test]
fn what_no_request_could_ask_is_refused() {
    let bench = bench();
    let user = format!("arn:aws:iam::{ACCOUNT}:user/admin");
    for (principal, action, resource, expected_text) in [
        (
            &*user,
            "s3:GetObjekt",
            "*",
            "there is no action s3:GetObjekt; did you mean s3:GetObject?",
        ),
        (&user, "s3:Whatever", "*", "there is no action s3:Whatever"),
        (
            &user,
            "s3:GetObject",
            "bucket/key",
            "bucket/key is not an ARN: write for example arn:aws:s3:::bucket/key, or *",
        ),
        (
            &user,
            "s3:GetObject",
            "arn:aws:s3:::bucket",
            "s3:GetObject cannot be performed on arn:aws:s3:::bucket, only on: accesspointobject, \
             object",
        ),
        (
            &user,
            "iam:CreateAccessKey",
            "arn:aws:iam::123456789012:group/g",
            "iam:CreateAccessKey cannot be performed on arn:aws:iam::123456789012:group/g, only on: \
             user",
        ),
        (
            "arn:aws:iam::123456789012:group/g",
            "s3:GetObject",
            "*",
            "PrincipalArn arn:aws:iam::123456789012:group/g is neither the root user nor a user or \
             role of account 123456789012",
        ),
    ] {
        let form = format!(
            "Action=ExplainAuthorization&PrincipalArn={principal}&ActionName={action}\
             &ResourceArn={resource}"
        );
        bench.root(&form).refused("ValidationError", expected_text);
    }
    let form = format!(
        "Action=ExplainAuthorization&PrincipalArn={user}&ActionName=ec2:RunInstances&ResourceArn=*"
    );
    assert_eq!(bench.root(&form).value("Decision"), "allowed");
}

#[test]
fn a_context_does_not_say_who_calls() {
    let bench = bench();
    let form = format!(
        "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/nobody\
         &ActionName=iam:ListUsers&ResourceArn=*&ContextEntries.member.1.ContextKeyName=aws:UserName\
         &ContextEntries.member.1.ContextKeyValue=admin"
    );
    let expected_text = "aws:UserName is derived from the principal and cannot be supplied";
    bench.root(&form).refused("ValidationError", expected_text);
}

/// What the server fills in for a real request is filled in for a hypothetical one too.
#[test]
fn the_target_is_as_it_is() {
    let bench = TestInstallation::new();
    let bound = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let tag = "Tags.member.1.Key=team&Tags.member.1.Value=red";
    bench.user("ann", &[]);
    bench.user("bob", &[]);
    bench.user("red", &[]);
    for form in [
        format!("Action=TagUser&UserName=ann&{tag}"),
        format!("Action=TagUser&UserName=red&{tag}"),
        format!("Action=PutUserPermissionsBoundary&UserName=red&PermissionsBoundary={bound}"),
    ] {
        bench.root(&form).ok();
    }
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"iam:GetUser","Resource":"*","Condition":{{"StringEquals":{{"iam:ResourceTag/team":"${{aws:PrincipalTag/team}}","aws:ResourceAccount":"{ACCOUNT}"}}}}}},{{"Effect":"Allow","Action":["iam:PutUserPolicy","iam:CreateUser"],"Resource":"*","Condition":{{"StringEquals":{{"iam:PermissionsBoundary":"{bound}"}}}}}}]}}"#
    );
    let put = format!("UserName=ann&PolicyName=p&PolicyDocument={policy}");
    bench.root(&format!("Action=PutUserPolicy&{put}")).ok();
    let ask = |action: &str, on: &str| {
        let answer = bench.root(&format!(
            "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/ann\
             &ActionName=iam:{action}&ResourceArn=arn:aws:iam::{ACCOUNT}:user/{on}"
        ));
        (answer.value("Decision"), answer.value("Explanation"))
    };
    for (action, on, decision) in [
        ("GetUser", "red", "allowed"),
        ("GetUser", "bob", "implicitDeny"),
        ("PutUserPolicy", "red", "allowed"),
        ("PutUserPolicy", "bob", "implicitDeny"),
        ("CreateUser", "new", "implicitDeny"),
    ] {
        assert_eq!(ask(action, on).0, decision, "{action} {on}");
    }
    let (_, text) = ask("GetUser", "bob");
    assert!(
        text.contains("(found: no such key; aws:principaltag/team is red)"),
        "{text}"
    );
    assert!(!text.contains("not given"), "{text}");
    assert!(
        ask("CreateUser", "new")
            .1
            .contains("not given: iam:PermissionsBoundary")
    );
    let names = |on: &str| {
        let may = who(
            &bench,
            "iam:GetUser",
            &format!("arn:aws:iam::{ACCOUNT}:user/{on}"),
        );
        may.into_iter().map(|(name, ..)| name).collect::<Vec<_>>()
    };
    assert_eq!(names("red"), ["root", "ann"]);
    assert_eq!(names("bob"), ["root"], "bob is known to have no tag");
    assert_eq!(
        names("new"),
        ["root", "ann"],
        "who is not there yet may get it"
    );
}

#[test]
fn policies_are_named_with_their_owner() {
    let bench = bench();
    bench.root("Action=CreateGroup&GroupName=staff").ok();
    let bound = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    for form in [
        format!("Action=PutGroupPolicy&GroupName=staff&PolicyName=p&PolicyDocument={NO}"),
        "Action=AddUserToGroup&GroupName=staff&UserName=admin".to_owned(),
        format!("Action=PutUserPermissionsBoundary&UserName=admin&PermissionsBoundary={bound}"),
    ] {
        bench.root(&form).ok();
    }
    let (_, text) = explain(&bench, "user/admin", "");
    assert_eq!(
        text,
        format!(
            "explicitly denied\n  \
             by statement 1 (No) of identity-based policy p of group staff\n  \
             needed: statement 1 (No) of identity-based policy p of group staff must not deny\n  \
             needed: an Allow in permissions boundary {bound} for iam:ListUsers on \
             arn:aws:iam::{ACCOUNT}:user/\n"
        )
    );
}

#[test]
fn what_every_caller_may() {
    let bench = bench();
    for action in ["sts:GetCallerIdentity", "sts:getsessiontoken"] {
        let form = format!(
            "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/denied\
             &ActionName={action}&ResourceArn=*"
        );
        assert_eq!(bench.root(&form).value("Decision"), "allowed");
        assert_eq!(who(&bench, action, "*").len(), 6, "{action}");
    }
}

#[test]
fn tags_of_an_object_are_known() {
    let bench = with_buckets();
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/team":"red"}}}}"#;
    let put = format!("UserName=nobody&PolicyName=p&PolicyDocument={policy}");
    bench.root(&format!("Action=PutUserPolicy&{put}")).ok();
    for (action, key, decision, may) in [
        ("s3:GetObjectAcl", "tagged", "allowed", None),
        (
            "s3:GetObjectAcl",
            "new",
            "implicitDeny",
            Some("StringEquals s3:ExistingObjectTag/team = red"),
        ),
        // Its requests never have the key.
        (
            "s3:AbortMultipartUpload",
            "tagged",
            "implicitDeny",
            Some("none"),
        ),
    ] {
        let resource = format!("arn:aws:s3:::b/{key}");
        let form = format!(
            "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/nobody\
             &ActionName={action}&ResourceArn={resource}"
        );
        assert_eq!(
            bench.root(&form).value("Decision"),
            decision,
            "{action} {key}"
        );
        let all = who(&bench, action, &resource);
        let row = all.iter().find(|(name, ..)| name == "nobody");
        let condition = row.map(|(.., condition)| condition.as_str());
        assert_eq!(
            condition.unwrap_or("none"),
            may.unwrap_or_default(),
            "{action} {key}"
        );
    }
}

/// A Deny for everyone also applies to root.
#[test]
fn conditions_under_which_root_is_denied() {
    let bench = with_buckets();
    let root = |action: &str| {
        let all = who(&bench, action, "arn:aws:s3:::b/k");
        all.into_iter().find(|(name, ..)| name == "root")
    };
    let (_, through, condition) = root("s3:GetObject").unwrap();
    assert_eq!(through, "the root user needs no policy");
    assert_eq!(
        condition,
        "not (Bool aws:SecureTransport = false), which statement 5 (Guard) of resource-based \
         policy b denies"
    );
    assert_eq!(root("s3:DeleteObject"), None);
}

/// Bucket policies apply to the root user under the supplied conditions.
#[test]
fn supplied_context_holds_for_root_too() {
    let bench = with_buckets();
    for (secure, decision) in [("true", "allowed"), ("false", "explicitDeny")] {
        let form = format!(
            "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:root\
             &ActionName=s3:GetObject&ResourceArn=arn:aws:s3:::b/k\
             &ContextEntries.member.1.ContextKeyName=aws:SecureTransport\
             &ContextEntries.member.1.ContextKeyValue={secure}"
        );
        assert_eq!(bench.root(&form).value("Decision"), decision);
    }
}

/// Name, the statement that allows it, and its condition.
fn who(bench: &TestInstallation, action: &str, resource: &str) -> Vec<(String, String, String)> {
    let form =
        format!("Action=ListAuthorizedPrincipals&ActionName={action}&ResourceArn={resource}");
    let answer = bench.root(&form);
    let rows = answer.ok().split("<member>").skip(1);
    let field = |row: &str, name: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let found = row
            .split(&open)
            .nth(1)
            .and_then(|rest| rest.split(&close).next());
        found.unwrap_or_default().to_owned()
    };
    rows.map(|row| {
        let arn = field(row, "PrincipalArn");
        let name = arn.rsplit([':', '/']).next().unwrap().to_owned();
        (name, field(row, "Through"), field(row, "Condition"))
    })
    .collect()
}

#[test]
fn conditions_of_both_effects_are_listed() {
    let bench = with_buckets();
    bench.user("guarded", &["AdministratorAccess"]);
    bench.user("untagged", &[]);
    let guard = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}}"#;
    for (user, policy) in [("guarded", guard), ("untagged", BY_TAG)] {
        let put = format!("UserName={user}&PolicyName=g&PolicyDocument={policy}");
        bench.root(&format!("Action=PutUserPolicy&{put}")).ok();
    }
    let may = who(&bench, "iam:ListUsers", "*");
    let of = |name: &str| may.iter().find(|(found, ..)| found == name);
    let (_, through, condition) = of("guarded").unwrap();
    assert!(through.contains("AdministratorAccess"), "{through}");
    assert_eq!(
        condition,
        "not (BoolIfExists aws:MultiFactorAuthPresent = false), which statement 1 of \
         identity-based policy g of user guarded denies"
    );
    assert_eq!(
        of("untagged"),
        None,
        "it is known what tags it does not have"
    );
    let (_, _, condition) = of("tls").unwrap();
    assert_eq!(condition, "Bool aws:SecureTransport = true");

    let may = who(&bench, "s3:PutObject", "arn:aws:s3:::b/k");
    let nobody = may.iter().find(|(name, ..)| name == "nobody").unwrap();
    assert_eq!(nobody.1, "statement 2 (Office) of resource-based policy b");
    assert_eq!(nobody.2, "IpAddress aws:SourceIp = 10.0.0.0/8");
    let may = who(&bench, "s3:GetObject", "arn:aws:s3:::b/k");
    let names: Vec<_> = may.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(
        names,
        ["root", "admin", "denied", "guarded"],
        "the account only delegates"
    );
    assert!(
        may[1]
            .2
            .contains("(Guard) of resource-based policy b denies"),
        "{may:?}"
    );
    assert_eq!(who(&bench, "s3:DeleteObject", "arn:aws:s3:::b/k"), []);
}

/// A statement with fewer unmet conditions does not hide others if no request can meet them.
#[test]
fn the_nearest_statement_is_one_that_can_apply() {
    let bench = TestInstallation::new();
    bench.user("two", &[]);
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::other"},{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:UserAgent":"x"}}}]}"#;
    let put = format!("UserName=two&PolicyName=p&PolicyDocument={policy}");
    bench.root(&format!("Action=PutUserPolicy&{put}")).ok();
    let may = who(&bench, "s3:GetObject", "arn:aws:s3:::b/k");
    let two = may.iter().find(|(name, ..)| name == "two").unwrap();
    assert_eq!(two.1, "statement 2 of identity-based policy p of user two");
    assert_eq!(
        two.2,
        "Bool aws:SecureTransport = true; StringEquals aws:UserAgent = x"
    );
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"Trusts","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/nobody"},"Action":"sts:AssumeRole"}}"#;

/// With the role `reader`, which trusts no one.
fn with_role() -> TestInstallation {
    let bench = bench();
    let create = format!("Action=CreateRole&RoleName=reader&AssumeRolePolicyDocument={TRUST}");
    bench.root(&create).ok();
    let attach = "Action=AttachRolePolicy&RoleName=reader";
    let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    bench.root(&format!("{attach}&PolicyArn={arn}")).ok();
    bench
}

#[test]
fn roles_are_principals_of_explanations() {
    let bench = with_role();
    let (decision, text) = explain(&bench, "role/reader", "");
    assert_eq!(decision, "allowed");
    assert!(text.contains("IAMReadOnlyAccess"), "{text}");
    let missing = format!(
        "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:role/none\
         &ActionName=iam:ListUsers&ResourceArn=*"
    );
    bench
        .root(&missing)
        .refused("NoSuchEntity", "The role with name none cannot be found.");
    let form = format!(
        "Action=ListAuthorizedPrincipals&ActionName=iam:ListUsers\
         &ResourceArn=arn:aws:iam::{ACCOUNT}:user/"
    );
    let listed = bench.root(&form).values("PrincipalArn");
    assert_eq!(
        listed.last(),
        Some(&format!("arn:aws:iam::{ACCOUNT}:role/reader"))
    );
}

#[test]
fn the_trust_policy_decides_who_assumes_a_role() {
    let bench = with_role();
    let assumes = |user: &str, role: &str| {
        bench.root(&format!(
            "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/{user}\
             &ActionName=sts:AssumeRole&ResourceArn=arn:aws:iam::{ACCOUNT}:role/{role}"
        ))
    };
    let trusted = assumes("nobody", "reader");
    assert_eq!(trusted.value("Decision"), "allowed");
    assert!(trusted.value("Explanation").contains("Trusts"));
    assert_eq!(assumes("admin", "reader").value("Decision"), "implicitDeny");
    assert_eq!(assumes("admin", "none").value("Decision"), "implicitDeny");
    let form = format!(
        "Action=ListAuthorizedPrincipals&ActionName=sts:AssumeRole\
         &ResourceArn=arn:aws:iam::{ACCOUNT}:role/reader"
    );
    let nobody = format!("arn:aws:iam::{ACCOUNT}:user/nobody");
    assert_eq!(bench.root(&form).values("PrincipalArn"), [nobody]);
}

/// Permission to read users' policies reveals nothing about roles.
#[test]
fn explanations_of_roles_need_permissions_on_roles() {
    let bench = with_role();
    let keys = bench.user("helpdesk", &[]);
    let grant = |resources: &str, more: &str| {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":["keywright:*","iam:SimulatePrincipalPolicy","iam:List*","iam:GetUser*","iam:GetGroup*","iam:GetPolicyVersion"{more}],"Resource":{resources}}}}}"#
        );
        let put = "Action=PutUserPolicy&UserName=helpdesk&PolicyName=p&PolicyDocument=";
        bench.root(&format!("{put}{policy}")).ok();
    };
    let users = format!(r#"["arn:aws:iam::{ACCOUNT}:user/*","arn:aws:iam::{ACCOUNT}:group/*"]"#);
    let ask = |principal: &str, action: &str, resource: &str| {
        let answer = bench.call(
            &keys,
            &format!(
                "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:{principal}\
                 &ActionName={action}&ResourceArn={resource}"
            ),
        );
        answer.is_success()
    };
    let role = format!("arn:aws:iam::{ACCOUNT}:role/reader");
    grant(&users, "");
    assert!(ask("user/nobody", "iam:ListUsers", "*"));
    assert!(!ask("role/reader", "iam:ListUsers", "*"));
    assert!(!ask("user/nobody", "sts:AssumeRole", &role));
    grant(r#""*""#, "");
    assert!(
        !ask("role/reader", "iam:ListUsers", "*"),
        "iam:GetRolePolicy is missing"
    );
    grant(r#""*""#, r#","iam:GetRole","iam:GetRolePolicy""#);
    assert!(ask("role/reader", "iam:ListUsers", "*"));
    assert!(ask("user/nobody", "sts:AssumeRole", &role));
}

/// A request to assume it also depends on its trust policy, which must not be disclosed.
#[test]
fn what_belongs_to_another_account_is_not_explained() {
    let bench = bench();
    for (action, kind) in [("sts:AssumeRole", "role/r"), ("iam:GetUser", "user/u")] {
        let arn = format!("arn:aws:iam::210987654321:{kind}");
        let about = format!("ActionName={action}&ResourceArn={arn}");
        for operation in [
            format!("ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:root"),
            "ListAuthorizedPrincipals".to_owned(),
        ] {
            let expected =
                format!("{arn} belongs to another account, so its policy cannot be explained");
            bench
                .root(&format!("Action={operation}&{about}"))
                .refused("ValidationError", &expected);
        }
    }
}

/// The bucket policy decides about an object's tags too.
#[test]
fn tags_that_the_bucket_policy_hides_are_not_quoted() {
    let bench = bench();
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny",
            "Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:user/reader"}},
            "Action":"s3:GetObjectTagging","Resource":"arn:aws:s3:::b/*","Condition":
            {{"StringEquals":{{"s3:ExistingObjectTag/Codename":"overlord"}}}}}}}}"#
    );
    let policy = validate(&text, DocumentKind::Bucket { bucket: "b" }).unwrap();
    let policy = Arc::new(Policy::compile(&policy).with_id("b"));
    bench.identity().know_resources(Box::new(move |_| {
        let attached = ResourcePolicy {
            owner: ACCOUNT.parse().unwrap(),
            policy: Some(Arc::clone(&policy)),
            restricted: false,
            tags: Some(vec![("Codename".to_owned(), "overlord".to_owned())]),
        };
        Box::pin(async move { Ok(Some(attached)) })
    }));
    for (name, disclosed) in [("reader", false), ("other", true)] {
        let keys = bench.user(name, &["AdministratorAccess"]);
        let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny",
            "Action":"s3:GetObject","Resource":"*","Condition":
            {"StringEquals":{"s3:ExistingObjectTag/Codename":"nothing"}}}}"#;
        let put = format!("Action=PutUserPolicy&UserName={name}&PolicyName=p");
        bench.root(&format!("{put}&PolicyDocument={deny}")).ok();
        let explain = format!(
            "Action=ExplainAuthorization&PrincipalArn=arn:aws:iam::{ACCOUNT}:user/{name}\
             &ActionName=s3:GetObject&ResourceArn=arn:aws:s3:::b/o"
        );
        let explained = bench.call(&keys, &explain);
        let ok = explained.ok();
        assert_eq!(ok.contains("found: overlord"), disclosed, "{ok}");
    }
}
