//! Sessions of roles and federated users: who may create them, and what they may do.

use keywright_wire::Service;

use crate::testing::{ACCOUNT, TestInstallation, TestKeys, TestResponse};

/// A role that trusts a principal, with managed policies.
fn role(bench: &TestInstallation, name: &str, trusted: &str, managed: &[&str]) {
    role_with(bench, name, &trust(trusted, ""), managed);
}

fn trust(trusted: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{trusted}"}},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]{condition}}}]}}"#
    )
}

fn role_with(bench: &TestInstallation, name: &str, trust: &str, managed: &[&str]) {
    let create = format!("Action=CreateRole&RoleName={name}&AssumeRolePolicyDocument={trust}");
    bench.root(&create).ok();
    for policy in managed {
        let arn = format!("arn:aws:iam::aws:policy/{policy}");
        let attach = format!("Action=AttachRolePolicy&RoleName={name}&PolicyArn={arn}");
        bench.root(&attach).ok();
    }
}

fn assume(bench: &TestInstallation, keys: &TestKeys, role: &str, more: &str) -> TestResponse {
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/{role}");
    let form = format!("Action=AssumeRole&RoleArn={arn}&RoleSessionName=s1{more}");
    bench.call(keys, &form)
}

fn user_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

fn not_authorized(user: &str, role: &str) -> String {
    format!(
        "User: {} is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::{ACCOUNT}:role/{role}",
        user_arn(user)
    )
}

#[test]
fn a_session_has_the_roles_permissions_and_not_the_users() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &["AmazonS3FullAccess"]);
    role(&bench, "reader", &user_arn("ann"), &["IAMReadOnlyAccess"]);
    let answer = assume(&bench, &ann, "reader", "");
    let session = TestKeys::of(&answer);
    assert!(session.id.starts_with("ASIA"));
    let id = answer.value("AssumedRoleId");
    assert!(id.starts_with("AROA") && id.ends_with(":s1"), "{id}");
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/reader/s1");
    assert_eq!(answer.value("Arn"), arn);
    let identity = bench.call(&session, "Action=GetCallerIdentity");
    assert_eq!(identity.value("Arn"), arn);
    assert_eq!(identity.value("UserId"), id);
    assert_eq!(identity.value("Account"), ACCOUNT);
    bench.call(&session, "Action=ListUsers").ok();
    let denied = "is not authorized to perform: iam:CreateUser on resource: \
                  arn:aws:iam::123456789012:user/eve because no identity-based policy allows the \
                  iam:CreateUser action";
    let create = bench.call(&session, "Action=CreateUser&UserName=eve");
    create.refused("AccessDenied", &format!("User: {arn} {denied}"));
    bench.call(&session, "Action=GetUser").refused(
        "ValidationError",
        "Must specify userName when calling with non-User credentials",
    );
}

#[test]
fn both_sides_must_agree_and_neither_is_named() {
    let bench = TestInstallation::new();
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let (ann, bob) = (
        bench.user("ann", &[]),
        bench.user("bob", &["AdministratorAccess"]),
    );
    role(&bench, "delegated", &root, &[]);
    role(&bench, "anns", &user_arn("ann"), &[]);
    // The trust policy names the account: the user's own policy must allow it.
    assume(&bench, &ann, "delegated", "")
        .refused("AccessDenied", &not_authorized("ann", "delegated"));
    assume(&bench, &bob, "delegated", "").ok();
    // It names the user, which suffices.
    assume(&bench, &ann, "anns", "").ok();
    assume(&bench, &bob, "anns", "").refused("AccessDenied", &not_authorized("bob", "anns"));
    // The error for a role that does not exist is the same.
    assume(&bench, &bob, "none", "").refused("AccessDenied", &not_authorized("bob", "none"));
    assume(&bench, &bench.root.clone(), "delegated", "")
        .refused("AccessDenied", "Roles may not be assumed by root accounts.");
    let malformed = "Action=AssumeRole&RoleArn=nothing-valid-in-here&RoleSessionName=s1";
    bench
        .call(&bob, malformed)
        .refused("ValidationError", "nothing-valid-in-here is invalid");
}

#[test]
fn an_external_id_and_a_code_are_conditions_of_trust() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    let condition = r#","Condition":{"StringEquals":{"sts:ExternalId":"secret"}}"#;
    role_with(&bench, "external", &trust(&user_arn("ann"), condition), &[]);
    let denied = not_authorized("ann", "external");
    assume(&bench, &ann, "external", "").refused("AccessDenied", &denied);
    assume(&bench, &ann, "external", "&ExternalId=other").refused("AccessDenied", &denied);
    assume(&bench, &ann, "external", "&ExternalId=secret").ok();
    let condition = r#","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#;
    role_with(&bench, "coded", &trust(&user_arn("ann"), condition), &[]);
    let phone = bench.device("phone");
    bench.root(&phone.enable(&bench, "ann", [0, 1])).ok();
    assume(&bench, &ann, "coded", "").refused("AccessDenied", &not_authorized("ann", "coded"));
    let with = |code: &str| {
        let more = format!("&SerialNumber={}&TokenCode={code}", phone.serial);
        assume(&bench, &ann, "coded", &more)
    };
    with("000000").refused(
        "AccessDenied",
        "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
    );
    bench.pass(60);
    let code = phone.code(&bench, 1);
    with(&code).ok();
    // The code has been used.
    assert_eq!(with(&code).code(), Some("AccessDenied"));
}

#[test]
fn a_session_ends_with_its_role_and_a_new_role_is_another() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    role(&bench, "r", &user_arn("ann"), &["IAMReadOnlyAccess"]);
    let session = TestKeys::of(&assume(&bench, &ann, "r", ""));
    bench.call(&session, "Action=ListUsers").ok();
    let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let detach = format!("Action=DetachRolePolicy&RoleName=r&PolicyArn={arn}");
    bench.root(&detach).ok();
    // A revoked permission is gone with the next request.
    assert_eq!(
        bench.call(&session, "Action=ListUsers").code(),
        Some("AccessDenied")
    );
    bench.root("Action=DeleteRole&RoleName=r").ok();
    let gone = bench.caller(&session, Service::Sts, "Action=GetCallerIdentity");
    assert!(gone.is_err());
    role(&bench, "r", &user_arn("ann"), &["IAMReadOnlyAccess"]);
    assert!(
        bench
            .caller(&session, Service::Sts, "Action=GetCallerIdentity")
            .is_err()
    );
}

#[test]
fn trusted_users_are_stored_by_id() {
    let mut bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    role(&bench, "r", &user_arn("ann"), &[]);
    bench
        .root("Action=UpdateUser&UserName=ann&NewUserName=anna")
        .ok();
    assume(&bench, &ann, "r", "").ok();
    let trust_of = |bench: &TestInstallation| {
        let answer = bench.root("Action=GetRole&RoleName=r");
        let text = answer.value("AssumeRolePolicyDocument");
        percent_encoding::percent_decode_str(&text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    assert!(trust_of(&bench).contains(&user_arn("anna")));
    bench.reopen();
    assume(&bench, &ann, "r", "").ok();
    // A new user of the same name is not trusted.
    bench
        .root("Action=UpdateUser&UserName=anna&NewUserName=old")
        .ok();
    let other = bench.user("anna", &[]);
    assert_eq!(assume(&bench, &other, "r", "").code(), Some("AccessDenied"));
    let missing = format!(
        "Action=UpdateAssumeRolePolicy&RoleName=r&PolicyDocument={}",
        trust(&user_arn("nobody"), "")
    );
    let invalid = format!(
        "Invalid principal in policy: \"AWS\":\"{}\"",
        user_arn("nobody")
    );
    bench
        .root(&missing)
        .refused("MalformedPolicyDocument", &invalid);
}

#[test]
fn session_policies_limit_and_never_grant() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    role(&bench, "r", &user_arn("ann"), &["IAMFullAccess"]);
    let only = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:ListUsers","s3:*"],"Resource":"*"}}"#;
    let session = TestKeys::of(&assume(&bench, &ann, "r", &format!("&Policy={only}")));
    bench.call(&session, "Action=ListUsers").ok();
    let denied = bench.call(&session, "Action=ListGroups");
    let text = denied.error().message.clone().unwrap();
    assert!(
        text.ends_with("because no session policy allows the iam:ListGroups action"),
        "{text}"
    );
    let arns = "&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let session = TestKeys::of(&assume(&bench, &ann, "r", arns));
    bench.call(&session, "Action=ListGroups").ok();
    assert_eq!(
        bench
            .call(&session, "Action=CreateGroup&GroupName=g")
            .code(),
        Some("AccessDenied")
    );
    let long = format!(
        "&Policy={}",
        only.replace(':', &format!(":{}", "%20".repeat(400)))
    );
    assert_eq!(
        assume(&bench, &ann, "r", &long).code(),
        Some("PackedPolicyTooLarge")
    );
    assert_eq!(
        assume(&bench, &ann, "r", "&Policy={}").code(),
        Some("MalformedPolicyDocument")
    );
}

#[test]
fn tags_and_source_identity_follow_the_chain() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    role(&bench, "first", &user_arn("ann"), &[]);
    role(
        &bench,
        "second",
        &format!("arn:aws:iam::{ACCOUNT}:role/first"),
        &[],
    );
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue","aws:SourceIdentity":"ann"}}}}"#;
    let grant = "Action=PutRolePolicy&RoleName=second&PolicyName=p&PolicyDocument=";
    bench.root(&format!("{grant}{policy}")).ok();
    let tag = "&Tags.member.1.Key=team&Tags.member.1.Value=blue&SourceIdentity=ann";
    let transitive = "&TransitiveTagKeys.member.1=team";
    let first = TestKeys::of(&assume(
        &bench,
        &ann,
        "first",
        &format!("{tag}{transitive}"),
    ));
    let second = TestKeys::of(&assume(&bench, &first, "second", ""));
    bench.call(&second, "Action=ListUsers").ok();
    // Not transitive, so it is lost after the first session.
    let first = TestKeys::of(&assume(&bench, &ann, "first", tag));
    let plain = TestKeys::of(&assume(&bench, &first, "second", ""));
    assert_eq!(
        bench.call(&plain, "Action=ListUsers").code(),
        Some("AccessDenied")
    );
    let first = TestKeys::of(&assume(
        &bench,
        &ann,
        "first",
        &format!("{tag}{transitive}"),
    ));
    let invalid = [
        (
            "&Tags.member.1.Key=Team&Tags.member.1.Value=red",
            "One of the specified transitive tag keys can't be set because it conflicts with a \
             transitive tag key from the calling session.",
        ),
        (
            "&TransitiveTagKeys.member.1=other",
            "The specified transitive tag key must be included in the requested tags.",
        ),
        (
            "&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=A&Tags.member.2.Value=2",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
    ];
    for (more, text) in invalid {
        assume(&bench, &first, "second", more).refused("InvalidParameterValue", text);
    }
    assume(&bench, &first, "second", "&DurationSeconds=3601").refused(
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    );
    bench
        .root("Action=UpdateRole&RoleName=second&MaxSessionDuration=7200")
        .ok();
    assume(&bench, &first, "second", "&DurationSeconds=3601").refused(
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role \
         chaining.",
    );
    let other = assume(&bench, &first, "second", "&SourceIdentity=bob");
    assert_eq!(other.code(), Some("AccessDenied"));
}

#[test]
fn a_leaked_key_ends_the_role_sessions_that_come_from_it() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    role(&bench, "first", &user_arn("ann"), &[]);
    role(
        &bench,
        "second",
        &format!("arn:aws:iam::{ACCOUNT}:role/first"),
        &[],
    );
    let first = TestKeys::of(&assume(&bench, &ann, "first", ""));
    let second = TestKeys::of(&assume(&bench, &first, "second", ""));
    let listed = bench.root(&format!(
        "Action=ListAccessKeySessions&AccessKeyId={}",
        ann.id
    ));
    assert_eq!(listed.values("Action"), ["sts:AssumeRole"; 2]);
    bench
        .root(&format!(
            "Action=EndAccessKeySessions&AccessKeyId={}",
            ann.id
        ))
        .ok();
    for session in [&first, &second] {
        assert!(
            bench
                .caller(session, Service::Sts, "Action=GetCallerIdentity")
                .is_err()
        );
    }
}

#[test]
fn federated_users_have_what_the_user_and_the_session_policy_allow() {
    let bench = TestInstallation::new();
    let grant = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:GetFederationToken","s3:*"],"Resource":"*"}}"#;
    let ann = bench.user("ann", &[]);
    let put = format!("Action=PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument={grant}");
    bench.root(&put).ok();
    let answer = bench.call(&ann, "Action=GetFederationToken&Name=visitor");
    let arn = format!("arn:aws:sts::{ACCOUNT}:federated-user/visitor");
    assert_eq!(answer.value("Arn"), arn);
    assert_eq!(
        answer.value("FederatedUserId"),
        format!("{ACCOUNT}:visitor")
    );
    let session = TestKeys::of(&answer);
    let identity = bench.call(&session, "Action=GetCallerIdentity");
    assert_eq!(identity.value("Arn"), arn);
    let caller = bench.caller(&session, Service::Iam, "").unwrap();
    assert!(!caller.may_call_iam());
    bench
        .call(&session, "Action=GetFederationToken&Name=again")
        .refused(
            "AccessDenied",
            "Cannot call GetFederationToken with session credentials",
        );
    // Regardless of policies.
    role(&bench, "r", &format!("arn:aws:iam::{ACCOUNT}:root"), &[]);
    let all =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let put = "Action=PutUserPolicy&UserName=ann&PolicyName=all&PolicyDocument=";
    bench.root(&format!("{put}{all}")).ok();
    assume(&bench, &ann, "r", "").ok();
    let wide = format!("Action=GetFederationToken&Name=visitor&Policy={all}");
    let wide = TestKeys::of(&bench.call(&ann, &wide));
    let denied = format!(
        "User: {arn} is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::{ACCOUNT}:role/r"
    );
    assume(&bench, &wide, "r", "").refused("AccessDenied", &denied);
    bench
        .root("Action=DeleteUserPolicy&UserName=ann&PolicyName=all")
        .ok();
    bench
        .root("Action=DeleteUserPolicy&UserName=ann&PolicyName=p")
        .ok();
    assert_eq!(
        bench
            .call(&ann, "Action=GetFederationToken&Name=visitor")
            .code(),
        Some("AccessDenied")
    );
}

#[test]
fn an_inherited_source_identity_needs_a_permission_as_well() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    role(&bench, "first", &user_arn("ann"), &[]);
    let first = format!("arn:aws:iam::{ACCOUNT}:role/first");
    let narrow = trust(&first, "").replace(r#","sts:SetSourceIdentity""#, "");
    role_with(&bench, "second", &narrow, &[]);
    let plain = TestKeys::of(&assume(&bench, &ann, "first", ""));
    assume(&bench, &plain, "second", "").ok();
    let named = TestKeys::of(&assume(&bench, &ann, "first", "&SourceIdentity=ann"));
    let denied = assume(&bench, &named, "second", "");
    let text = denied.error().message.clone().unwrap();
    assert!(text.contains("perform: sts:SetSourceIdentity on"), "{text}");
}

#[test]
fn the_last_use_of_a_role_is_recorded_once_in_a_while() {
    let mut bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    role(&bench, "r", &user_arn("ann"), &["IAMReadOnlyAccess"]);
    let used = |bench: &TestInstallation| {
        let answer = bench.root("Action=GetRole&RoleName=r");
        (answer.values("LastUsedDate"), answer.values("Region"))
    };
    assert_eq!(used(&bench), (vec![], vec![]));
    let session = TestKeys::of(&assume(&bench, &ann, "r", ""));
    assert_eq!(used(&bench).0.len(), 0, "creating a session is no use");
    bench.call(&session, "Action=ListUsers").ok();
    let first = used(&bench);
    assert_eq!(first.1, ["us-east-1"]);
    bench.pass(14 * 60);
    bench.call(&session, "Action=ListUsers").ok();
    assert_eq!(used(&bench), first);
    bench.pass(60);
    bench.call(&session, "Action=ListUsers").ok();
    let second = used(&bench);
    assert_ne!(second, first);
    bench.reopen();
    assert_eq!(used(&bench), second);
    bench.pass(401 * 24 * 60 * 60);
    assert_eq!(used(&bench).0.len(), 0);
}

#[test]
fn sessions_are_revoked_by_their_issue_time() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    role(&bench, "r", &user_arn("ann"), &["IAMReadOnlyAccess"]);
    let old = TestKeys::of(&assume(&bench, &ann, "r", ""));
    bench.pass(1);
    let deny = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"DateLessThan":{{"aws:TokenIssueTime":"{}"}}}}}}}}"#,
        bench.now().iso8601()
    );
    let put = "Action=PutRolePolicy&RoleName=r&PolicyName=AWSRevokeOlderSessions";
    bench.root(&format!("{put}&PolicyDocument={deny}")).ok();
    assert_eq!(
        bench.call(&old, "Action=ListUsers").code(),
        Some("AccessDenied")
    );
    let new = TestKeys::of(&assume(&bench, &ann, "r", ""));
    bench.call(&new, "Action=ListUsers").ok();
}

#[test]
fn roles_are_assumed_across_accounts_if_both_sides_allow_it() {
    const OTHER: &str = "210987654321";
    let bench = TestInstallation::new();
    let creating = bench
        .identity()
        .create_account(OTHER.parse().unwrap(), |_| Ok(()));
    let root = bench.block_on(creating).unwrap();
    let other = TestKeys {
        id: root.key.to_string(),
        secret: root.secret,
        token: None,
    };
    bench.call(&other, "Action=CreateUser&UserName=eve").ok();
    let created = bench.call(&other, "Action=CreateAccessKey&UserName=eve");
    let eve = TestKeys {
        id: created.value("AccessKeyId"),
        secret: keywright_base::Secret::new(created.value("SecretAccessKey")),
        token: None,
    };
    let eve_arn = format!("arn:aws:iam::{OTHER}:user/eve");
    role(&bench, "shared", &eve_arn, &["IAMReadOnlyAccess"]);
    let denied = format!(
        "User: {eve_arn} is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::{ACCOUNT}:role/shared"
    );
    // The trust policy names her, but her own account must allow it too.
    assume(&bench, &eve, "shared", "").refused("AccessDenied", &denied);
    let allow = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::{ACCOUNT}:role/*"}}}}"#
    );
    let put = "Action=PutUserPolicy&UserName=eve&PolicyName=p&PolicyDocument=";
    bench.call(&other, &format!("{put}{allow}")).ok();
    let session = TestKeys::of(&assume(&bench, &eve, "shared", ""));
    let identity = bench.call(&session, "Action=GetCallerIdentity");
    assert_eq!(identity.value("Account"), ACCOUNT);
    bench.call(&session, "Action=ListUsers").ok();
    // The key's owner ends the sessions in the other account.
    let end = format!("Action=EndAccessKeySessions&AccessKeyId={}", eve.id);
    bench.call(&other, &end).ok();
    let ended = bench.caller(&session, Service::Sts, "Action=GetCallerIdentity");
    assert!(ended.is_err());
    // A new user of the same name is not trusted.
    bench.pass(1);
    let again = TestKeys::of(&assume(&bench, &eve, "shared", ""));
    bench.call(&again, "Action=ListUsers").ok();
    bench
        .call(&other, "Action=UpdateUser&UserName=eve&NewUserName=old")
        .ok();
    bench.call(&other, "Action=CreateUser&UserName=eve").ok();
    bench.call(&other, &format!("{put}{allow}")).ok();
    let created = bench.call(&other, "Action=CreateAccessKey&UserName=eve");
    let new = TestKeys {
        id: created.value("AccessKeyId"),
        secret: keywright_base::Secret::new(created.value("SecretAccessKey")),
        token: None,
    };
    assume(&bench, &new, "shared", "").refused("AccessDenied", &denied);
}

/// A limit that is misspelled must not leave a session without it.
#[test]
fn parameters_that_are_not_recognized_are_rejected() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &["AdministratorAccess"]);
    role(&bench, "work", &user_arn("ann"), &["IAMReadOnlyAccess"]);
    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    for (more, name) in [
        ("&policy={}".to_owned(), "policy"),
        (format!("&PolicyArns.1.arn={policy}"), "PolicyArns.1.arn"),
        (
            "&Tags.member.1.Key=a&Tags.member.1.Value=b&Tags.member.1.More=c".to_owned(),
            "Tags.member.1.More",
        ),
    ] {
        let text = format!("1 validation error detected: The parameter {name} is not recognized");
        assume(&bench, &ann, "work", &more).refused("ValidationError", &text);
        let federated = format!("Action=GetFederationToken&Name=fred{more}");
        bench
            .call(&ann, &federated)
            .refused("ValidationError", &text);
    }
    for wrong in [
        &format!("PolicyArns.member.1.Arn={policy}"),
        "PolicyArns.member.1=",
    ] {
        let text = format!(
            "1 validation error detected: The parameter {} is not recognized",
            wrong.split('=').next().unwrap()
        );
        assume(&bench, &ann, "work", &format!("&{wrong}")).refused("ValidationError", &text);
    }
    // IAM ignores such parameters, as on AWS.
    bench.call(&ann, "Action=ListUsers&maxItems=1").ok();
}

/// Sessions count with the key that they come from, so a leaked key locks only its own out.
#[test]
fn wrong_codes_of_a_leaked_keys_sessions_lock_no_other_key_out() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    let leaked = bench.key("ann");
    role(&bench, "r", &user_arn("ann"), &[]);
    let phone = bench.device("phone");
    bench.root(&phone.enable(&bench, "ann", [0, 1])).ok();
    bench.pass(60);
    let session = |keys: &TestKeys| TestKeys::of(&bench.call(keys, "Action=GetSessionToken"));
    let with = |keys: &TestKeys, code: &str| {
        let more = format!("&SerialNumber={}&TokenCode={code}", phone.serial);
        assume(&bench, keys, "r", &more)
    };
    let own = session(&ann);
    for _ in 0..keywright_base::limits::MFA_ATTEMPTS {
        // A new session for every code does not help.
        with(&session(&leaked), "000000");
    }
    let throttled = "unable to validate MFA code";
    for keys in [&session(&leaked), &leaked] {
        let refused = with(keys, &phone.code(&bench, 1));
        let text = refused.error().message.clone().unwrap();
        assert!(text.contains(throttled), "{text}");
    }
    with(&own, &phone.code(&bench, 1)).ok();
    bench.pass(60);
    with(&ann, &phone.code(&bench, 1)).ok();
}
