//! What organizations do: their tree, their accounts, and what their policies forbid.

use keywright_base::{AccountId, Secret};
use serde_json::Value;

use crate::{
    state::{AccountCreation, CreationOutcome, MemberAccount, StateChange, TargetNode},
    testing::{ACCOUNT, TestInstallation, TestKeys},
};

const DENY_USERS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny",
    "Action":"iam:CreateUser","Resource":"*"}}"#;

/// An organization of the test installation's account.
pub(super) struct TestOrganization {
    pub(super) bench: TestInstallation,
    pub(super) root: String,
    pub(super) id: String,
}

impl TestOrganization {
    pub(super) fn new() -> Self {
        let bench = TestInstallation::new();
        let created = bench.organizations("CreateOrganization", "").json();
        let root = bench.organizations("ListRoots", "").json();
        Self {
            root: text(&root["Roots"][0]["Id"]),
            id: text(&created["Organization"]["Id"]),
            bench,
        }
    }

    /// Creates an account and returns its ID.
    pub(super) fn account(&self, name: &str) -> String {
        let form = format!("Email={name}@example.com&AccountName={name}");
        let requested = self.bench.organizations("CreateAccount", &form).json();
        let status = &requested["CreateAccountStatus"];
        assert_eq!(status["State"], "IN_PROGRESS", "as on AWS");
        let id = text(&status["Id"]);
        let form = format!("CreateAccountRequestId={id}");
        let found = self
            .bench
            .organizations("DescribeCreateAccountStatus", &form)
            .json();
        assert_eq!(
            found["CreateAccountStatus"]["State"], "SUCCEEDED",
            "{found}"
        );
        text(&found["CreateAccountStatus"]["AccountId"])
    }

    /// Credentials of an administrator of the management account.
    pub(super) fn admin(&self) -> TestKeys {
        self.bench.user("admin", &["AdministratorAccess"])
    }

    /// Credentials of the role that every new account has.
    pub(super) fn enter(&self, admin: &TestKeys, account: &str) -> TestKeys {
        let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
        let form = format!("Action=AssumeRole&RoleArn={role}&RoleSessionName=s1");
        TestKeys::of(&self.bench.call(admin, &form))
    }

    /// Creates a service control policy and returns its ID.
    pub(super) fn policy(&self, name: &str, content: &str) -> String {
        self.policy_of("SERVICE_CONTROL_POLICY", name, content)
    }

    pub(super) fn policy_of(&self, kind: &str, name: &str, content: &str) -> String {
        let form = format!("Name={name}&Description=d&Type={kind}&Content={content}");
        let created = self.bench.organizations("CreatePolicy", &form).json();
        text(&created["Policy"]["PolicySummary"]["Id"])
    }

    pub(super) fn unit(&self, parent: &str, name: &str) -> String {
        let form = format!("ParentId={parent}&Name={name}");
        let created = self
            .bench
            .organizations("CreateOrganizationalUnit", &form)
            .json();
        text(&created["OrganizationalUnit"]["Id"])
    }

    pub(super) fn attach(&self, policy: &str, target: &str) {
        let form = format!("PolicyId={policy}&TargetId={target}");
        self.bench.organizations("AttachPolicy", &form).ok();
    }

    pub(super) fn detach(&self, policy: &str, target: &str) {
        let form = format!("PolicyId={policy}&TargetId={target}");
        self.bench.organizations("DetachPolicy", &form).ok();
    }
}

#[track_caller]
fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// The credentials of a user with a key in another account.
fn user_in(bench: &TestInstallation, keys: &TestKeys, name: &str) -> TestKeys {
    bench
        .call(keys, &format!("Action=CreateUser&UserName={name}"))
        .ok();
    let made = bench.call(keys, &format!("Action=CreateAccessKey&UserName={name}"));
    TestKeys {
        id: made.value("AccessKeyId"),
        secret: Secret::new(made.value("SecretAccessKey")),
        token: None,
    }
}

#[test]
fn an_organization_begins_with_its_root_and_its_management_account() {
    let it = TestOrganization::new();
    let described = it.bench.organizations("DescribeOrganization", "").json();
    let organization = &described["Organization"];
    let id = &it.id;
    assert!(id.starts_with("o-") && id.len() == 12, "{id}");
    assert_eq!(
        organization["Arn"],
        format!("arn:aws:organizations::{ACCOUNT}:organization/{id}")
    );
    assert_eq!(
        organization["MasterAccountArn"],
        format!("arn:aws:organizations::{ACCOUNT}:account/{id}/{ACCOUNT}")
    );
    assert_eq!(organization["FeatureSet"], "ALL");
    let roots = it.bench.organizations("ListRoots", "").json();
    assert_eq!(roots["Roots"][0]["Name"], "Root");
    assert_eq!(
        roots["Roots"][0]["PolicyTypes"][0]["Type"],
        "SERVICE_CONTROL_POLICY"
    );
    let accounts = it.bench.organizations("ListAccounts", "").json();
    let account = &accounts["Accounts"][0];
    assert_eq!(
        (&account["Id"], &account["JoinedMethod"]),
        (&ACCOUNT.into(), &"INVITED".into())
    );
    assert_eq!(account["Paths"][0], format!("{id}/{}/{ACCOUNT}/", it.root));
    let again = it.bench.organizations("CreateOrganization", "");
    assert_eq!(again.error().code, "AlreadyInOrganizationException");
}

#[test]
fn without_an_organization_there_is_nothing() {
    let bench = TestInstallation::new();
    for (action, form) in [
        ("DescribeOrganization", ""),
        ("ListAccounts", ""),
        ("ListRoots", ""),
        ("CreateAccount", "Email=a@example.com&AccountName=a"),
    ] {
        let answer = bench.organizations(action, form);
        answer.refused(
            "AWSOrganizationsNotInUseException",
            "Your account is not a member of an organization.",
        );
    }
}

#[test]
fn a_new_account_is_entered_through_its_role() {
    let mut it = TestOrganization::new();
    let account = it.account("dev");
    let admin = it.admin();
    let keys = it.enter(&admin, &account);
    let who = it.bench.call(&keys, "Action=GetCallerIdentity");
    assert_eq!(who.value("Account"), account);
    // Its root user has neither a key nor a password.
    let summary = it
        .bench
        .call(&keys, "Action=GetAccountSummary")
        .ok()
        .to_owned();
    assert!(
        summary.contains("<key>AccountAccessKeysPresent</key><value>0</value>"),
        "{summary}"
    );
    let user = user_in(&it.bench, &keys, "ann");
    let who = it
        .bench
        .call(&user, "Action=GetCallerIdentity")
        .value("Arn");
    assert_eq!(who, format!("arn:aws:iam::{account}:user/ann"));
    it.bench.reopen();
    let described = it
        .bench
        .organizations("DescribeAccount", &format!("AccountId={account}"));
    let described = described.json();
    assert_eq!(described["Account"]["Name"], "dev");
    assert_eq!(described["Account"]["Email"], "dev@example.com");
    assert_eq!(described["Account"]["Status"], "ACTIVE");
    it.bench.call(&user, "Action=GetCallerIdentity").ok();
    // Only the management account manages the organization; members see that it exists.
    let member = it.enter(&admin, &account);
    it.bench
        .organizations_as(&member, "DescribeOrganization", "")
        .ok();
    for (action, form) in [
        ("ListAccounts", ""),
        ("CreateAccount", "Email=x@example.com&AccountName=x"),
        ("DeleteOrganization", ""),
    ] {
        it.bench.organizations_as(&member, action, form).refused(
            "AccessDeniedException",
            "You don't have permissions to access this resource.",
        );
    }
    let other = it.bench.organizations_as(&member, "CreateOrganization", "");
    assert_eq!(other.error().code, "AlreadyInOrganizationException");
}

#[test]
fn an_address_is_used_once() {
    let it = TestOrganization::new();
    it.account("dev");
    let form = "Email=DEV@example.com&AccountName=other";
    let requested = it.bench.organizations("CreateAccount", form).json();
    assert_eq!(requested["CreateAccountStatus"]["State"], "IN_PROGRESS");
    let failed = it
        .bench
        .organizations("ListCreateAccountStatus", "States.member.1=FAILED");
    let failed = failed.json();
    let status = &failed["CreateAccountStatuses"][0];
    assert_eq!(status["FailureReason"], "EMAIL_ALREADY_EXISTS");
    let accounts = it.bench.organizations("ListAccounts", "").json();
    assert_eq!(accounts["Accounts"].as_array().unwrap().len(), 2);
}

/// Commits a request for an account and does nothing else.
fn request_only(bench: &TestInstallation) -> (AccountId, String) {
    let identity = bench.identity();
    let cell = identity.ledger().account(ACCOUNT.parse().unwrap()).unwrap();
    let account: AccountId = "210987654321".parse().unwrap();
    let creation = AccountCreation {
        id: "car-late0000".to_owned(),
        account,
        name: "late".to_owned(),
        role: "OrganizationAccountAccessRole".to_owned(),
        requested: bench.now(),
        completed: None,
        outcome: CreationOutcome::InProgress,
    };
    let member = MemberAccount {
        id: account,
        name: "late".to_owned(),
        email: "late@example.com".to_owned(),
        parent: cell
            .snapshot()
            .organization()
            .organization()
            .unwrap()
            .root_id
            .clone(),
        joined: bench.now(),
        created_here: true,
        closed: None,
        node: TargetNode {
            attached: vec!["p-FullAWSAccess".to_owned()],
            tags: Vec::new(),
        },
    };
    let id = creation.id.clone();
    let changes = vec![StateChange::put(creation), StateChange::put(member)];
    let written = identity
        .ledger()
        .write(&cell, |_| Ok::<_, ()>(((), changes.clone())));
    bench.block_on(written).unwrap().unwrap();
    (account, id)
}

#[test]
fn what_was_requested_before_a_stop_is_made_at_the_next_start() {
    let mut it = TestOrganization::new();
    // As if the process had stopped right after the commit of the request.
    let (account, creation) = request_only(&it.bench);
    assert!(it.bench.identity().ledger().account(account).is_none());
    it.bench.reopen();
    let form = format!("CreateAccountRequestId={creation}");
    let found = it
        .bench
        .organizations("DescribeCreateAccountStatus", &form)
        .json();
    assert_eq!(found["CreateAccountStatus"]["State"], "SUCCEEDED");
    let admin = it.admin();
    it.enter(&admin, &account.to_string());
}

#[test]
fn units_form_a_tree_of_five_levels() {
    let it = TestOrganization::new();
    let mut parent = it.root.clone();
    for level in 1..=5 {
        parent = it.unit(&parent, &format!("level{level}"));
    }
    let form = format!("ParentId={parent}&Name=six");
    let deep = it.bench.organizations("CreateOrganizationalUnit", &form);
    assert_eq!(deep.error().code, "ConstraintViolationException");
    assert_eq!(deep.reason(), Some("OU_DEPTH_LIMIT_EXCEEDED"));
    let account = it.account("dev");
    let form = format!(
        "AccountId={account}&SourceParentId={}&DestinationParentId={parent}",
        it.root
    );
    it.bench.organizations("MoveAccount", &form).ok();
    let again = it.bench.organizations("MoveAccount", &form);
    assert_eq!(again.error().code, "SourceParentNotFoundException");
    let form = format!("ChildId={account}");
    let parents = it.bench.organizations("ListParents", &form).json();
    assert_eq!(parents["Parents"][0]["Id"], parent);
    let form = format!("OrganizationalUnitId={parent}");
    let full = it.bench.organizations("DeleteOrganizationalUnit", &form);
    assert_eq!(full.error().code, "OrganizationalUnitNotEmptyException");
    let form = format!("ParentId={}&Name=level1", it.root);
    let twice = it.bench.organizations("CreateOrganizationalUnit", &form);
    assert_eq!(twice.error().code, "DuplicateOrganizationalUnitException");
    let form = format!("ParentId={parent}&ChildType=ACCOUNT");
    let children = it.bench.organizations("ListChildren", &form).json();
    assert_eq!(children["Children"][0]["Id"], account);
    let paths = it
        .bench
        .organizations("DescribeAccount", &format!("AccountId={account}"));
    let path = text(&paths.json()["Account"]["Paths"][0]);
    assert_eq!(path.matches('/').count(), 8, "{path}");
}

#[test]
fn a_service_control_policy_binds_everyone_of_a_member_and_nobody_of_management() {
    let mut it = TestOrganization::new();
    let account = it.account("dev");
    let (other, admin) = (it.account("other"), it.admin());
    let keys = it.enter(&admin, &account);
    let elsewhere = it.enter(&admin, &other);
    let user = user_in(&it.bench, &keys, "ann");
    let attach = "Action=AttachUserPolicy&UserName=ann\
                  &PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess";
    it.bench.call(&keys, attach).ok();
    let policy = it.policy("NoUsers", DENY_USERS);
    let create = |name: &str| format!("Action=CreateUser&UserName={name}");
    it.bench.call(&user, &create("one")).ok();
    it.attach(&policy, &account);
    let arn = format!(
        "arn:aws:organizations::{ACCOUNT}:policy/{}/service_control_policy/{policy}",
        it.id
    );
    let denied = format!(
        "User: arn:aws:iam::{account}:user/ann is not authorized to perform: iam:CreateUser on \
         resource: arn:aws:iam::{account}:user/two with an explicit deny in a service control \
         policy: {arn}"
    );
    it.bench
        .call(&user, &create("two"))
        .refused("AccessDenied", &denied);
    assert_eq!(
        it.bench.call(&keys, &create("two")).code(),
        Some("AccessDenied")
    );
    it.bench.call(&elsewhere, &create("two")).ok();
    it.bench.reopen();
    it.bench
        .call(&user, &create("two"))
        .refused("AccessDenied", &denied);
    it.detach(&policy, &account);
    it.bench.call(&user, &create("two")).ok();
    // At the root it reaches every account but the management account.
    it.attach(&policy, &it.root);
    assert_eq!(
        it.bench.call(&user, &create("three")).code(),
        Some("AccessDenied")
    );
    assert_eq!(
        it.bench.call(&elsewhere, &create("three")).code(),
        Some("AccessDenied")
    );
    it.bench.call(&admin, &create("three")).ok();
    it.bench.root(&create("four")).ok();
    // What the policy says counts, not what it said when it was attached.
    let content = DENY_USERS.replace("iam:CreateUser", "iam:CreateGroup");
    let form = format!("PolicyId={policy}&Content={content}");
    it.bench.organizations("UpdatePolicy", &form).ok();
    it.bench.call(&user, &create("three")).ok();
}

#[test]
fn every_level_must_allow() {
    let it = TestOrganization::new();
    let unit = it.unit(&it.root, "unit");
    let (account, admin) = (it.account("dev"), it.admin());
    let keys = it.enter(&admin, &account);
    let describe = || it.bench.organizations_as(&keys, "DescribeOrganization", "");
    let form = format!(
        "AccountId={account}&SourceParentId={}&DestinationParentId={unit}",
        it.root
    );
    let allow = DENY_USERS
        .replace("Deny", "Allow")
        .replace("CreateUser", "*");
    let only_iam = it.policy("OnlyIam", &allow);
    it.attach(&only_iam, &unit);
    it.detach("p-FullAWSAccess", &unit);
    it.bench.call(&keys, "Action=ListRoles").ok();
    describe().ok();
    it.bench.organizations("MoveAccount", &form).ok();
    it.bench.call(&keys, "Action=ListRoles").ok();
    let answer = describe();
    let silent = "because no service control policy allows \
                  the organizations:DescribeOrganization action";
    assert!(
        answer.error().text().ends_with(silent),
        "{:?}",
        answer.error()
    );
    // The last one cannot be taken away.
    let form = format!("PolicyId={only_iam}&TargetId={unit}");
    let last = it.bench.organizations("DetachPolicy", &form);
    assert_eq!(
        last.reason(),
        Some("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
    );
    // Without the type nothing is limited.
    let form = format!("RootId={}&PolicyType=SERVICE_CONTROL_POLICY", it.root);
    it.bench.organizations("DisablePolicyType", &form).ok();
    describe().ok();
}

#[test]
fn a_resource_control_policy_limits_who_assumes_the_roles_of_an_account() {
    let it = TestOrganization::new();
    let (account, admin) = (it.account("dev"), it.admin());
    it.enter(&admin, &account);
    let form = format!("RootId={}&PolicyType=RESOURCE_CONTROL_POLICY", it.root);
    it.bench.organizations("EnablePolicyType", &form).ok();
    it.enter(&admin, &account);
    let content = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*",
        "Action":"sts:AssumeRole","Resource":"*"}}"#;
    let policy = it.policy_of("RESOURCE_CONTROL_POLICY", "Closed", content);
    it.attach(&policy, &account);
    let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    let assume = format!("Action=AssumeRole&RoleArn={role}&RoleSessionName=s1");
    assert_eq!(it.bench.call(&admin, &assume).code(), Some("AccessDenied"));
    let form = format!("PolicyId=p-RCPFullAWSAccess&TargetId={account}");
    let full = it.bench.organizations("DetachPolicy", &form);
    assert_eq!(full.reason(), Some("NON_DETACHABLE_POLICY"));
    it.detach(&policy, &account);
    it.enter(&admin, &account);
}

#[test]
fn conditions_know_the_organization() {
    let it = TestOrganization::new();
    let unit = it.unit(&it.root, "unit");
    let (account, admin) = (it.account("dev"), it.admin());
    let keys = it.enter(&admin, &account);
    let form = format!(
        "AccountId={account}&SourceParentId={}&DestinationParentId={unit}",
        it.root
    );
    it.bench.organizations("MoveAccount", &form).ok();
    let user = user_in(&it.bench, &keys, "ann");
    let path = format!("{}/{}/{unit}/", it.id, it.root);
    for (key, value, allowed) in [
        ("StringEquals\":{\"aws:PrincipalOrgID", &*it.id, true),
        (
            "StringEquals\":{\"aws:PrincipalOrgID",
            "o-other00000",
            false,
        ),
        ("StringEquals\":{\"aws:ResourceOrgID", &it.id, true),
        (
            "ForAnyValue:StringEquals\":{\"aws:PrincipalOrgPaths",
            &path,
            true,
        ),
        (
            "ForAnyValue:StringLike\":{\"aws:ResourceOrgPaths",
            &path,
            true,
        ),
        ("StringEquals\":{\"aws:ResourceAccount", &account, true),
        ("StringEquals\":{\"aws:PrincipalAccount", ACCOUNT, false),
    ] {
        let document = format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":{{\"Effect\":\"Allow\",\
             \"Action\":\"iam:GetUser\",\"Resource\":\"*\",\
             \"Condition\":{{\"{key}\":\"{value}\"}}}}}}}}"
        );
        let document = document.trim_end_matches('}').to_owned() + "}}}}";
        let put =
            format!("Action=PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument={document}");
        it.bench.call(&keys, &put).ok();
        let answer = it.bench.call(&user, "Action=GetUser&UserName=ann");
        assert_eq!(answer.is_success(), allowed, "{key} {value}");
    }
}

#[test]
fn a_closed_account_has_no_credentials() {
    let mut it = TestOrganization::new();
    let (account, admin) = (it.account("dev"), it.admin());
    let keys = it.enter(&admin, &account);
    let user = user_in(&it.bench, &keys, "ann");
    let form = format!("AccountId={account}");
    it.bench.organizations("CloseAccount", &form).ok();
    for _ in 0..2 {
        for keys in [&keys, &user] {
            let answer = it.bench.call(keys, "Action=GetCallerIdentity");
            assert_eq!(answer.code(), Some("InvalidClientTokenId"));
        }
        it.bench.reopen();
    }
    let again = it.bench.organizations("CloseAccount", &form);
    assert_eq!(again.error().code, "AccountAlreadyClosedException");
    let removed = it
        .bench
        .organizations("RemoveAccountFromOrganization", &form);
    assert_eq!(removed.reason(), Some("ACCOUNT_CANNOT_LEAVE_ORGANIZATION"));
    let own = it
        .bench
        .organizations("CloseAccount", &format!("AccountId={ACCOUNT}"));
    assert_eq!(own.reason(), Some("CANNOT_CLOSE_MANAGEMENT_ACCOUNT"));
    let left = it.bench.organizations("DeleteOrganization", "");
    assert_eq!(left.error().code, "OrganizationNotEmptyException");
}

#[test]
fn an_account_that_was_removed_is_on_its_own() {
    let it = TestOrganization::new();
    let (account, admin) = (it.account("dev"), it.admin());
    let keys = it.enter(&admin, &account);
    let policy = it.policy("NoUsers", DENY_USERS);
    it.attach(&policy, &account);
    let create = "Action=CreateUser&UserName=ann";
    assert_eq!(it.bench.call(&keys, create).code(), Some("AccessDenied"));
    let used = it
        .bench
        .organizations("DeletePolicy", &format!("PolicyId={policy}"));
    assert_eq!(used.error().code, "PolicyInUseException");
    let form = format!("AccountId={account}");
    it.bench
        .organizations("RemoveAccountFromOrganization", &form)
        .ok();
    it.bench.call(&keys, create).ok();
    it.bench
        .organizations("DeletePolicy", &format!("PolicyId={policy}"))
        .ok();
    it.bench.organizations("DeleteOrganization", "").ok();
    it.bench
        .organizations_as(&keys, "CreateOrganization", "")
        .ok();
}

#[test]
fn documents_must_be_of_their_type() {
    let it = TestOrganization::new();
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*",
        "Action":"s3:*","Resource":"*"}}"#;
    let long = DENY_USERS.replace("iam:CreateUser", &"iam:CreateUser*".repeat(400));
    let rows = [
        (
            "SERVICE_CONTROL_POLICY",
            "{}",
            "MalformedPolicyDocumentException",
        ),
        (
            "SERVICE_CONTROL_POLICY",
            deny,
            "MalformedPolicyDocumentException",
        ),
        (
            "SERVICE_CONTROL_POLICY",
            &*long,
            "ConstraintViolationException",
        ),
        (
            "RESOURCE_CONTROL_POLICY",
            DENY_USERS,
            "MalformedPolicyDocumentException",
        ),
        (
            "RESOURCE_CONTROL_POLICY",
            &deny.replace("Deny", "Allow"),
            "MalformedPolicyDocumentException",
        ),
        (
            "RESOURCE_CONTROL_POLICY",
            &deny.replace("s3:*", "*"),
            "MalformedPolicyDocumentException",
        ),
        (
            "TAG_POLICY",
            "{}",
            "PolicyTypeNotAvailableForOrganizationException",
        ),
        ("OTHER", "{}", "InvalidInputException"),
    ];
    for (kind, content, code) in rows {
        let form = format!("Name=n&Description=d&Type={kind}&Content={content}");
        let answer = it.bench.organizations("CreatePolicy", &form);
        assert_eq!(answer.error().code, code, "{kind} {content}");
    }
    it.policy_of("RESOURCE_CONTROL_POLICY", "n", deny);
    it.policy("n", DENY_USERS);
    let form = format!("Name=n&Description=d&Type=SERVICE_CONTROL_POLICY&Content={DENY_USERS}");
    let twice = it.bench.organizations("CreatePolicy", &form);
    assert_eq!(twice.error().code, "DuplicatePolicyException");
    let aws = it
        .bench
        .organizations("DeletePolicy", "PolicyId=p-FullAWSAccess");
    assert_eq!(aws.reason(), Some("IMMUTABLE_POLICY"));
    let listed = it
        .bench
        .organizations("ListPolicies", "Filter=SERVICE_CONTROL_POLICY")
        .json();
    assert_eq!(listed["Policies"].as_array().unwrap().len(), 2);
}

#[test]
fn five_policies_of_a_type_at_one_place() {
    let it = TestOrganization::new();
    let unit = it.unit(&it.root, "unit");
    for number in 0..4 {
        let policy = it.policy(&format!("p{number}"), DENY_USERS);
        it.attach(&policy, &unit);
    }
    let policy = it.policy("one-more", DENY_USERS);
    let form = format!("PolicyId={policy}&TargetId={unit}");
    let more = it.bench.organizations("AttachPolicy", &form);
    assert_eq!(
        more.reason(),
        Some("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
    );
    let form = format!("TargetId={unit}&Filter=SERVICE_CONTROL_POLICY&MaxResults=3");
    let page = it
        .bench
        .organizations("ListPoliciesForTarget", &form)
        .json();
    assert_eq!(page["Policies"].as_array().unwrap().len(), 3);
    let next = format!("{form}&NextToken={}", text(&page["NextToken"]));
    let page = it
        .bench
        .organizations("ListPoliciesForTarget", &next)
        .json();
    assert_eq!(page["Policies"].as_array().unwrap().len(), 2);
    let bad = it.bench.organizations("ListAccounts", "NextToken=nonsense");
    assert_eq!(bad.reason(), Some("INVALID_NEXT_TOKEN"));
}

#[test]
fn tags_of_everything() {
    let it = TestOrganization::new();
    let (unit, account) = (it.unit(&it.root, "unit"), it.account("dev"));
    let policy = it.policy("p", DENY_USERS);
    for id in [&it.root, &unit, &account, &policy] {
        let tag = format!("ResourceId={id}&Tags.member.1.Key=k&Tags.member.1.Value=v");
        it.bench.organizations("TagResource", &tag).ok();
        let form = format!("ResourceId={id}");
        let listed = it.bench.organizations("ListTagsForResource", &form).json();
        assert_eq!(listed["Tags"][0]["Value"], "v", "{id}");
        let untag = format!("ResourceId={id}&TagKeys.member.1=k");
        it.bench.organizations("UntagResource", &untag).ok();
        let listed = it.bench.organizations("ListTagsForResource", &form).json();
        assert_eq!(listed["Tags"].as_array().unwrap().len(), 0, "{id}");
    }
    let many = (1..=51).map(|n| format!("&Tags.member.{n}.Key=k{n}&Tags.member.{n}.Value=v"));
    let many = format!("ResourceId={unit}{}", many.collect::<String>());
    let answer = it.bench.organizations("TagResource", &many);
    assert_eq!(answer.reason(), Some("MAX_TAG_LIMIT_EXCEEDED"));
}

#[test]
fn explanations_and_simulations_know_the_organization() {
    let it = TestOrganization::new();
    let (account, admin) = (it.account("dev"), it.admin());
    let keys = it.enter(&admin, &account);
    user_in(&it.bench, &keys, "ann");
    let attach = "Action=AttachUserPolicy&UserName=ann\
                  &PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess";
    it.bench.call(&keys, attach).ok();
    let policy = it.policy("NoUsers", DENY_USERS);
    it.attach(&policy, &account);
    let arn = format!("arn:aws:iam::{account}:user/ann");
    let explain = format!(
        "Action=ExplainAuthorization&PrincipalArn={arn}&ActionName=iam:CreateUser&ResourceArn={arn}"
    );
    let explained = it.bench.call(&keys, &explain);
    assert_eq!(explained.value("Decision"), "explicitDeny");
    let words = explained.value("Explanation");
    assert!(words.contains("service control policy"), "{words}");
    assert!(
        !explained
            .ok()
            .contains("<Statement>1</Statement><Policy>service"),
        "withheld"
    );
    let simulate = format!(
        "Action=SimulatePrincipalPolicy&PolicySourceArn={arn}&ActionNames.member.1=iam:CreateUser"
    );
    let simulated = it.bench.call(&keys, &simulate);
    assert_eq!(simulated.value("EvalDecision"), "explicitDeny");
    assert_eq!(simulated.value("AllowedByOrganizations"), "false");
}
