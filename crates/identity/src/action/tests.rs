//! Dispatch of actions: expensive ones are queued without delaying other requests, and are
//! authenticated and authorized again after waiting.

use std::task::{Context, Waker};

use keywright_base::limits;
use keywright_wire::{Form, Service};

use super::{ActionCall, Effort};
use crate::{
    Identity,
    actions::{actions, sample_name, sampled, samples},
    fault::IamFault,
    state::{StateChange, Tag, User},
    testing::{ACCOUNT, TestInstallation, TestKeys},
    work::{WorkOwner, WorkPermit, WorkQueue},
};

const SIMULATE: &str = "Action=SimulateCustomPolicy&ActionNames.member.1=s3:GetObject\
     &PolicyInputList.member.1={\"Version\":\"2012-10-17\",\"Statement\":[]}";

/// The operations that run outside the request threads.
#[test]
fn efforts() {
    let of = |effort| {
        let rows = actions().filter(|row| row.effort == effort);
        let mut names: Vec<_> = rows.map(|row| sample_name(row.operation)).collect();
        names.sort_unstable();
        names
    };
    let pages = [
        "GetAccountAuthorizationDetails",
        "GetGroup",
        "GetGroupPolicy",
        "GetPolicyVersion",
        "GetRolePolicy",
        "GetSAMLProvider",
        "GetServerCertificate",
        "GetUserPolicy",
        "ListAccessKeyAttempts",
        "ListAccessKeySessions",
        "ListDeniedRequests",
        "ListEntitiesForPolicy",
        "ListGroups",
        "ListInstanceProfiles",
        "ListInstanceProfilesForRole",
        "ListPolicies",
        "ListPoliciesGrantingServiceAccess",
        "ListRoles",
        "ListRotationHistory",
        "ListRotationPolicies",
        "ListRotations",
        "ListSAMLProviders",
        "ListServiceSpecificCredentials",
        "ListSigningCertificates",
        "ListUsers",
        "ListVirtualMFADevices",
        "organizations:ListAccounts",
        "organizations:ListAccountsForParent",
        "organizations:ListChildren",
        "organizations:ListCreateAccountStatus",
        "organizations:ListOrganizationalUnitsForParent",
        "organizations:ListParents",
        "organizations:ListPolicies",
        "organizations:ListPoliciesForTarget",
        "organizations:ListRoots",
        "organizations:ListTagsForResource",
        "organizations:ListTargetsForPolicy",
    ];
    assert_eq!(of(Effort::Page), pages);
    let long = [
        "ExplainAuthorization",
        "ExplainDeniedRequest",
        "GetContextKeysForCustomPolicy",
        "GetContextKeysForPrincipalPolicy",
        "GetCredentialReport",
        "ListAuthorizedPrincipals",
        "ListRotationPlaces",
        "SimulateCustomPolicy",
        "SimulatePrincipalPolicy",
        "ValidatePolicy",
    ];
    assert_eq!(of(Effort::Long), long);
    for row in actions().filter(|row| row.effort != Effort::Small) {
        assert!(!row.access.changes_state(), "{row:?}");
    }
}

/// Size limit in bytes for a response built on a request thread: about a user with fifty of the
/// longest tags.
const SHORT_ANSWER_BYTES: usize = 64 * 1024;

/// An account with more users than fit on a page, all in one group, with a policy and a tag.
fn crowded(bench: &TestInstallation) {
    bench.user("someone", &["AmazonS3FullAccess"]);
    bench.root("Action=CreateGroup&GroupName=some").ok();
    let add = "Action=AddUserToGroup&GroupName=some&UserName=someone";
    bench.root(add).ok();
    let ledger = bench.identity().ledger();
    let cell = ledger.account(ACCOUNT.parse().unwrap()).unwrap();
    let tag = |number: usize| Tag {
        key: format!("{number:0>128}"),
        value: "v".repeat(256),
    };
    let writing = ledger.write(&cell, |account| {
        let someone = account.user("someone").unwrap();
        let users = (0..1100).map(|number| User {
            id: keywright_base::UniqueId::generate(
                keywright_base::IdKind::User,
                account.id(),
                &*bench.identity().entropy,
            ),
            name: format!("user{number}"),
            keys: Vec::new(),
            ..User::clone(someone)
        });
        let tagged = User {
            tags: (0..50).map(tag).collect(),
            ..User::clone(someone)
        };
        let changes = users.chain([tagged]).map(StateChange::put);
        Ok::<_, IamFault>(((), changes.collect()))
    });
    bench.block_on(writing).unwrap().unwrap();
}

/// Checks the declarations: an action that is not a page has a short response.
#[test]
fn what_is_made_where_requests_are_answered_is_short() {
    let bench = TestInstallation::new();
    crowded(&bench);
    let samples = samples();
    let (mut long, mut short) = (Vec::new(), 0);
    for row in actions().filter(|row| !row.access.changes_state()) {
        let name = sample_name(row.operation);
        let (_, more) = samples.iter().find(|(action, _)| *action == name).unwrap();
        let answer = bench.root(&sampled(name, &format!("{more}&MaxItems=1000")));
        if !answer.is_success() || row.effort == Effort::Long {
            continue;
        }
        if answer.ok().len() > SHORT_ANSWER_BYTES {
            assert_eq!(row.effort, Effort::Page, "{name}: {}", answer.ok().len());
            long.push(name);
        } else if row.effort == Effort::Small {
            short += 1;
        }
    }
    long.sort_unstable();
    let expected = [
        "GetAccountAuthorizationDetails",
        "GetGroup",
        "ListEntitiesForPolicy",
        "ListPolicies",
        "ListUsers",
    ];
    assert_eq!(long, expected);
    assert!(short >= 10, "{short}");
}

/// Takes every slot of a queue.
fn occupy(bench: &TestInstallation, queue: &WorkQueue) -> Vec<WorkPermit> {
    let free = queue.limits().permits;
    let enter = |_| bench.block_on(queue.enter(WorkOwner::Installation));
    (0..free).map(enter).collect::<Result<_, _>>().unwrap()
}

const HEAVY: fn(&Identity) -> &WorkQueue = |identity| &identity.heavy;
const PAGES: fn(&Identity) -> &WorkQueue = |identity| &identity.pages;

/// Sends a request while every slot of a queue is taken. `meanwhile` runs once it waits.
fn wait_for_place(
    bench: &TestInstallation,
    queue: fn(&Identity) -> &WorkQueue,
    (keys, form): (&TestKeys, &str),
    meanwhile: impl FnOnce(),
) -> Result<String, IamFault> {
    let body = format!("{form}&Version={}", Service::Iam.version());
    let event = bench.admitted(keys, Service::Iam, &body);
    let form = Form::parse(body.as_bytes()).unwrap();
    let action = Identity::served(Service::Iam, &form).unwrap();
    let call = ActionCall::new(event.record(), &form).unwrap();
    let places = occupy(bench, queue(bench.identity()));
    let mut answering = Box::pin(bench.identity().call(action, call));
    bench.block_on(async {
        let mut context = Context::from_waker(Waker::noop());
        assert!(answering.as_mut().poll(&mut context).is_pending());
    });
    meanwhile();
    drop(places);
    bench.block_on(answering).map(|answer| answer.xml)
}

#[test]
fn what_is_light_does_not_wait_for_what_is_heavy() {
    let bench = TestInstallation::new();
    let keys = bench.user("ann", &["ReadOnlyAccess"]);
    let answer = wait_for_place(&bench, HEAVY, (&keys, SIMULATE), || {
        bench.root("Action=GetUser&UserName=ann").ok();
        bench.root("Action=CreateUser&UserName=bob").ok();
        bench.root("Action=ListUsers").ok();
    });
    assert!(answer.unwrap_err().wire().code == "InvalidInput");
    let page = "Action=ListPolicies&MaxItems=1000";
    let answer = wait_for_place(&bench, PAGES, (&keys, page), || {
        bench.root("Action=GetUser&UserName=ann").ok();
    });
    assert!(answer.unwrap().contains("AdministratorAccess"));
}

#[test]
fn a_long_form_is_read_when_it_is_the_callers_turn() {
    let bench = TestInstallation::new();
    let root = bench.root.clone();
    let document = "x".repeat(limits::BODY_BYTES_FREE);
    let long = format!("Action=CreatePolicy&PolicyName=p&PolicyDocument={document}");
    let answer = wait_for_place(&bench, PAGES, (&root, &long), || {
        let short = "Action=CreatePolicy&PolicyName=q&PolicyDocument=x";
        assert_eq!(bench.root(short).code(), Some("MalformedPolicyDocument"));
    });
    assert_eq!(answer.unwrap_err().wire().code, "LimitExceeded");
    let places = occupy(&bench, PAGES(bench.identity()));
    let identity = bench.identity();
    let reading = identity.read_beside([192, 0, 2, 7].into(), b"text", <[u8]>::len);
    let mut reading = Box::pin(reading);
    bench.block_on(async {
        let mut context = Context::from_waker(Waker::noop());
        assert!(reading.as_mut().poll(&mut context).is_pending());
    });
    drop(places);
    assert_eq!(bench.block_on(reading), Ok(4));
}

#[test]
fn a_long_decision_is_made_when_it_is_the_callers_turn() {
    let bench = TestInstallation::new();
    let keys = bench.wide_user("wide");
    let other = bench.user("ann", &["ReadOnlyAccess"]);
    for form in [
        "Action=GetUser&UserName=wide",
        "Action=TagUser&UserName=wide&Tags.member.1.Key=k&Tags.member.1.Value=v",
        "Action=ListUserTags&UserName=wide",
        "Action=ListPolicies&MaxItems=1",
    ] {
        // On `*` there is little to compare.
        if form.contains("UserName") {
            let answer = wait_for_place(&bench, HEAVY, (&keys, form), || {
                bench.root("Action=GetUser&UserName=wide").ok();
                bench.call(&other, "Action=GetUser&UserName=wide").ok();
                bench.call(&other, "Action=ListUsers").ok();
            });
            answer.unwrap();
        }
        bench.call(&keys, form).ok();
    }
    assert!(
        bench
            .root("Action=ListUserTags&UserName=wide")
            .ok()
            .contains("<Key>k</Key>")
    );
    // A permission revoked while the request waited no longer counts.
    let detach = format!(
        "Action=DetachUserPolicy&UserName=wide&PolicyArn=arn:aws:iam::{ACCOUNT}:policy/wide"
    );
    let untag = "Action=UntagUser&UserName=wide&TagKeys.member.1=k";
    let answer = wait_for_place(&bench, HEAVY, (&keys, untag), || {
        bench.root(&detach).ok();
    });
    assert_eq!(answer.unwrap_err().wire().code, "AccessDenied");
}

#[test]
fn what_waited_is_authenticated_and_authorized_again() {
    let bench = TestInstallation::new();
    let keys = bench.user("ann", &["ReadOnlyAccess"]);
    let id = &keys.id;
    let status = |status| format!("Action=UpdateAccessKey&UserName=ann&AccessKeyId={id}&{status}");
    let policy = "PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess";
    let code = |meanwhile: &str| {
        let answer = wait_for_place(&bench, HEAVY, (&keys, SIMULATE), || {
            bench.root(meanwhile).ok();
        });
        answer.map_err(|fault| fault.wire().code)
    };
    let inactive = status("Status=Inactive");
    bench.take_events();
    assert_eq!(code(&inactive), Err("InvalidClientTokenId".into()));
    // The key was used while it was inactive, so this is an attempt.
    let events = bench.take_events();
    let attempts = events.iter().filter(|event| event.inactive_key.is_some());
    assert_eq!(attempts.count(), 1, "{events:?}");
    bench.root(&status("Status=Active")).ok();
    let detach = format!("Action=DetachUserPolicy&UserName=ann&{policy}");
    assert_eq!(code(&detach), Err("AccessDenied".into()));
}

#[test]
fn a_report_is_made_when_it_is_the_callers_turn() {
    let bench = TestInstallation::new();
    let root = bench.root.clone();
    let make = "Action=GenerateCredentialReport";
    let answer = wait_for_place(&bench, HEAVY, (&root, make), || {
        bench.root("Action=GetUser").ok();
    });
    answer.unwrap();
    bench.root("Action=GetCredentialReport").ok();
}
