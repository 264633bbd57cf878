//! Validation and persistence of rotation policies.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use keywright_base::{AccountId, limits};
use keywright_wire::keywright;

use crate::{
    fault::{IamFault, InvalidInput},
    on_behalf::OnBehalf,
    rotations::{
        HistoryQuery, RetrievedKey, RotationCaller, RotationEngine, RotationOrder, RotationQuery,
        RotationStart, UserRef,
    },
    state::{CredentialOwner, User},
    testing::{ACCOUNT, TestInstallation},
};

/// Allows two destinations, reports one problem, and counts how often it is notified of policy
/// changes.
#[derive(Default)]
struct Engine(AtomicUsize);

/// For calls that these tests never make.
fn unexpected() -> IamFault {
    IamFault::Internal("unexpected request".to_owned())
}

#[async_trait::async_trait]
impl RotationEngine for Engine {
    async fn start(
        &self,
        _: &RotationCaller<'_>,
        _: RotationStart,
    ) -> Result<keywright::Rotation, IamFault> {
        Err(unexpected())
    }

    async fn order(
        &self,
        _: &RotationCaller<'_>,
        _: &UserRef,
        _: RotationOrder,
    ) -> Result<keywright::Rotation, IamFault> {
        Err(unexpected())
    }

    async fn retrieve_key(
        &self,
        _: &RotationCaller<'_>,
        _: &UserRef,
    ) -> Result<RetrievedKey, IamFault> {
        Err(unexpected())
    }

    async fn rotation(
        &self,
        _: AccountId,
        _: UserRef,
        _: Option<String>,
    ) -> Result<keywright::Rotation, IamFault> {
        Err(unexpected())
    }

    async fn rotations(&self, _: RotationQuery) -> Result<Vec<keywright::Rotation>, IamFault> {
        Err(unexpected())
    }

    async fn history(
        &self,
        _: HistoryQuery,
    ) -> Result<Vec<(i64, keywright::RotationEvent)>, IamFault> {
        Err(unexpected())
    }

    fn destinations(&self) -> Vec<String> {
        Vec::new()
    }

    fn check_destinations(&self, places: &[String]) -> Result<(), IamFault> {
        match places.iter().any(|place| place == "command:sh") {
            true => Err(InvalidInput::Other("not that".to_owned()).into()),
            false => Ok(()),
        }
    }

    fn policy_failures(&self, _: AccountId) -> HashMap<String, String> {
        [("b".to_owned(), "its maker is gone".to_owned())].into()
    }

    fn policies_changed(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn destination(&self, place: &str, _: Option<&str>) -> Option<String> {
        Some(place.to_owned())
    }

    fn accepts(&self, _: &str, _: &User) -> bool {
        true
    }
}

fn bench() -> (TestInstallation, Arc<Engine>) {
    let bench = TestInstallation::new();
    let engine = Arc::new(Engine::default());
    bench.identity().set_rotations(Arc::clone(&engine) as _);
    (bench, engine)
}

fn put(name: &str, more: &str) -> String {
    format!("Action=PutRotationPolicy&RotationPolicyName={name}&{more}")
}

const TAG: &str = "Tags.member.1.Key=team&Tags.member.1.Value=ops";

#[test]
fn a_policy_stays_as_it_was_put() {
    let (mut bench, engine) = bench();
    let keys = bench.user("maker", &["AdministratorAccess"]);
    let more = "PathPrefix=/jobs/&MaxAgeDays=0&ObserveSeconds=5&DwellSeconds=6\
                &Places.member.1=person";
    bench.call(&keys, &put("b", more)).ok();
    bench.root(&put("C", "Everyone=true")).ok();
    bench.root(&put("a", TAG)).ok();
    assert_eq!(engine.0.load(Ordering::SeqCst), 3);
    bench.reopen();
    bench.identity().set_rotations(Arc::clone(&engine) as _);
    let listed = bench.root("Action=ListRotationPolicies");
    assert_eq!(listed.values("RotationPolicyName"), ["a", "b", "C"]);
    assert_eq!(listed.values("MaxAgeDays"), ["90", "0", "90"]);
    assert_eq!(listed.values("PathPrefix"), ["/jobs/"]);
    assert_eq!(listed.values("Everyone"), ["true"]);
    assert_eq!(listed.values("Key"), ["team"]);
    assert_eq!(listed.values("ObserveSeconds"), ["86400", "5", "86400"]);
    assert_eq!(listed.values("DwellSeconds"), ["604800", "6", "604800"]);
    assert_eq!(listed.values("Trouble"), ["its maker is gone"]);
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let maker = format!("arn:aws:iam::{ACCOUNT}:user/maker");
    assert_eq!(listed.values("CreatedBy"), [&*root, &*maker, &*root]);
    bench
        .root("Action=DeleteRotationPolicy&RotationPolicyName=B")
        .ok();
    bench.reopen();
    bench.identity().set_rotations(Arc::clone(&engine) as _);
    let listed = bench.root("Action=ListRotationPolicies");
    assert_eq!(listed.values("RotationPolicyName"), ["a", "C"]);
}

/// A policy acts for the principal who last changed it, so no one writes with another's
/// permissions.
#[test]
fn a_policy_acts_for_the_principal_that_put_it_last() {
    let (bench, _) = bench();
    let keys = bench.user("other", &["AdministratorAccess"]);
    bench.root(&put("p", "Everyone=true")).ok();
    let made = bench
        .root("Action=ListRotationPolicies")
        .value("CreateDate");
    bench.pass(60);
    let again = bench.call(&keys, &put("P", "Everyone=true&MaxAgeDays=30"));
    assert_eq!(again.value("RotationPolicyName"), "p");
    assert_eq!(again.value("CreateDate"), made);
    assert_ne!(again.value("UpdateDate"), made);
    assert!(again.value("CreatedBy").ends_with("user/other"));
    let account = ACCOUNT.parse().unwrap();
    let cell = bench.identity().ledger().account(account).unwrap();
    let snapshot = cell.snapshot();
    let user = snapshot.user("other").unwrap().id;
    let by = OnBehalf {
        account,
        owner: CredentialOwner::User(user),
        mfa: None,
    };
    assert_eq!(snapshot.rotation_policy("p").unwrap().by, by);
}

#[test]
fn what_a_policy_cannot_say() {
    let (bench, engine) = bench();
    for (more, code, expected_text) in [
        ("MaxAgeDays=3", "InvalidInput", "exactly one"),
        ("Everyone=false", "InvalidInput", "exactly one"),
        (
            "Everyone=true&PathPrefix=/a/",
            "InvalidInput",
            "exactly one",
        ),
        (
            &format!("Everyone=true&{TAG}"),
            "InvalidInput",
            "exactly one",
        ),
        ("PathPrefix=/a", "InvalidInput", "end with a slash"),
        ("PathPrefix=a/", "ValidationError", "pathPrefix"),
        (
            &format!("{TAG}&Tags.member.2.Key=team&Tags.member.2.Value=x"),
            "InvalidInput",
            "Duplicate",
        ),
        (
            "Everyone=true&MaxAgeDays=3&JitterDays=4",
            "InvalidInput",
            "JitterDays",
        ),
        (
            "Everyone=true&MaxAgeDays=-1",
            "ValidationError",
            "maxAgeDays",
        ),
        (
            "Everyone=true&Places.member.1=command:sh",
            "InvalidInput",
            "not that",
        ),
    ] {
        let answer = bench.root(&put("p", more));
        let error = answer.error();
        let message = error.message.clone().unwrap_or_default();
        assert_eq!(error.code, code, "{more}: {message}");
        assert!(message.contains(expected_text), "{more}: {message}");
    }
    assert_eq!(engine.0.load(Ordering::SeqCst), 0);
    let gone = bench.root("Action=DeleteRotationPolicy&RotationPolicyName=p");
    gone.refused(
        "NoSuchEntity",
        "The rotation policy with name p cannot be found.",
    );
}

#[test]
fn there_are_not_more_than_the_quota() {
    let (bench, _) = bench();
    let most = limits::ROTATION_POLICIES_PER_ACCOUNT;
    for number in 0..most {
        bench
            .root(&put(&format!("p{number}"), "Everyone=true"))
            .ok();
    }
    let one_more = bench.root(&put("q", "Everyone=true"));
    let text = format!("Cannot exceed quota for RotationPoliciesPerAccount: {most}");
    one_more.refused("LimitExceeded", &text);
    bench.root(&put("p0", "PathPrefix=/x/")).ok();
    let page = bench.root("Action=ListRotationPolicies&MaxItems=30");
    assert_eq!(page.values("RotationPolicyName").len(), 30);
    assert_eq!(page.value("IsTruncated"), "true");
}

/// Allows a user some actions on some users, and every action of the extension.
fn let_rotate(bench: &TestInstallation, user: &str, resource: &str, more: &str) {
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["keywright:*","iam:*CredentialReport"],"Resource":"*"}},{{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::{ACCOUNT}:user{resource}"{more}}}]}}"#
    );
    let put = format!("Action=PutUserPolicy&UserName={user}&PolicyName=p&PolicyDocument={policy}");
    bench.root(&put).ok();
}

/// A policy can neither rotate nor exempt the keys of users that its author could not rotate
/// directly.
#[test]
fn a_policy_takes_the_rights_over_everybody_it_can_mean() {
    let (bench, engine) = bench();
    let keys = bench.user("maker", &[]);
    for (resource, more, selector, allowed) in [
        ("/jobs/*", "", "PathPrefix=/jobs/", true),
        ("/jobs/*", "", "PathPrefix=/jobs/nightly/", true),
        ("/jobs/*", "", "PathPrefix=/", false),
        ("/jobs/*", "", "Everyone=true", false),
        ("/jobs/*", "", TAG, false),
        ("/jobs/bob", "", "PathPrefix=/jobs/", false),
        ("/*", "", "Everyone=true", true),
        (
            "/*",
            r#","Condition":{"StringEquals":{"iam:ResourceTag/team":"ops"}}"#,
            TAG,
            true,
        ),
        (
            "/*",
            r#","Condition":{"StringEquals":{"iam:ResourceTag/team":"dev"}}"#,
            TAG,
            false,
        ),
        (
            "/*",
            r#","Condition":{"StringNotEquals":{"iam:ResourceTag/tier":"gold"}}"#,
            "Everyone=true",
            false,
        ),
    ] {
        let_rotate(&bench, "maker", resource, more);
        let answer = bench.call(&keys, &put("p", selector));
        let expected = (!allowed).then_some("AccessDenied");
        assert_eq!(answer.code(), expected, "{resource}{more} {selector}");
        if allowed {
            let delete = "Action=DeleteRotationPolicy&RotationPolicyName=p";
            bench.call(&keys, delete).ok();
        }
    }
    let_rotate(&bench, "maker", "/*", "");
    let deny = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Action":"iam:UpdateAccessKey","Resource":"arn:aws:iam::{ACCOUNT}:user/root-*"}}}}"#
    );
    let form = "Action=PutUserPolicy&UserName=maker&PolicyName=no&PolicyDocument=";
    bench.root(&format!("{form}{deny}")).ok();
    let refused = bench.call(&keys, &put("p", "Everyone=true"));
    let expected_text = refused.error().message.clone().unwrap();
    let users = format!("iam:UpdateAccessKey on resource: arn:aws:iam::{ACCOUNT}:user/*");
    assert!(expected_text.contains(&users), "{expected_text}");
    bench.call(&keys, &put("p", "PathPrefix=/jobs/")).ok();
    assert_eq!(engine.0.load(Ordering::SeqCst), 5);
}

#[test]
fn another_principals_policy_is_not_taken_away() {
    let (bench, _) = bench();
    let keys = bench.user("maker", &[]);
    bench.root(&put("all", "Everyone=true")).ok();
    let_rotate(&bench, "maker", "/jobs/*", "");
    let overwrite = put("all", "PathPrefix=/jobs/");
    let delete = "Action=DeleteRotationPolicy&RotationPolicyName=all";
    for form in [&*overwrite, delete] {
        assert_eq!(
            bench.call(&keys, form).code(),
            Some("AccessDenied"),
            "{form}"
        );
    }
    let listed = bench.root("Action=ListRotationPolicies");
    assert_eq!(listed.values("Everyone"), ["true"]);
    let_rotate(&bench, "maker", "/*", "");
    bench.call(&keys, &overwrite).ok();
    // Deleting one's own policy requires no permissions on users.
    let_rotate(&bench, "maker", "/nobody", "");
    bench.call(&keys, delete).ok();
}
