//! The cost of decisions, and when a long one is reused.

use keywright_base::limits;
use keywright_policy::{Decision, MeasuredDecision};
use keywright_wire::{Form, Service};

use super::{StepsLeft, approve_at_length, approve_shortly};
use crate::{
    action::ActionRequest,
    actions::{CreateUser, TagUser, actions},
    authorize::Permit,
    fault::IamFault,
    testing::{ACCOUNT, TestInstallation},
};

const TAG: &str = "Action=TagUser&UserName=wide&Tags.member.1.Key=k&Tags.member.1.Value=v";

#[test]
fn a_long_decision_stands_for_the_same_policies_tags_and_targets_only() {
    let bench = TestInstallation::new();
    let keys = bench.wide_user("wide");
    bench.user("other", &[]);
    let entry = actions().find(|it| it.operation.name == "TagUser").unwrap();
    let request = |form: &str| {
        let form = Form::parse(form.as_bytes()).unwrap();
        entry.decode(&form).ok().unwrap()
    };
    let event = bench.admitted(&keys, Service::Iam, TAG);
    let head = (&**event.record(), event.record().caller().unwrap());
    let tag = request(TAG);
    let cell = bench.identity().ledger().account(ACCOUNT.parse().unwrap());
    let snapshot = || cell.as_ref().unwrap().snapshot().clone();
    let before = snapshot();
    let view = bench.identity().view(&before, head);
    assert!(approve_shortly(&view, &*tag, None).is_none());
    let (_, long) = approve_at_length(&view, &*tag).unwrap();
    assert!(long.is_some());
    let again = |request: &dyn ActionRequest| {
        let now = snapshot();
        let view = bench.identity().view(&now, head);
        approve_shortly(&view, request, long.as_ref()).map(|approval| approval.is_ok())
    };
    assert_eq!(again(&*tag), Some(true));
    // Changes to other users do not matter.
    bench.root("Action=CreateAccessKey&UserName=other").ok();
    assert_eq!(again(&*tag), Some(true));
    let longer = request(&format!("{TAG}&Tags.member.2.Key=l&Tags.member.2.Value=v"));
    assert_eq!(again(&*longer), None, "another target");
    bench.root("Action=CreateGroup&GroupName=g").ok();
    assert_eq!(again(&*tag), None, "other grants");
    let now = snapshot();
    let view = bench.identity().view(&now, head);
    let (_, long) = approve_at_length(&view, &*tag).unwrap();
    bench.root(&TAG.replace("=k", "=l")).ok();
    let now = snapshot();
    let view = bench.identity().view(&now, head);
    let other_tags = approve_shortly(&view, &*tag, long.as_ref());
    assert!(other_tags.is_none(), "the caller has other tags");
}

#[test]
fn an_approval_permits_its_own_operation_only() {
    let bench = TestInstallation::new();
    let keys = bench.user("admin", &["AdministratorAccess"]);
    let event = bench.admitted(&keys, Service::Iam, TAG);
    let head = (&**event.record(), event.record().caller().unwrap());
    let cell = bench.identity().ledger().account(ACCOUNT.parse().unwrap());
    let account = cell.unwrap().snapshot().clone();
    let view = bench.identity().view(&account, head);
    let entry = actions().find(|it| it.operation.name == "TagUser").unwrap();
    let form = Form::parse(TAG.as_bytes()).unwrap();
    let tag = entry.decode(&form).ok().unwrap();
    let approval = || approve_shortly(&view, &*tag, None).unwrap().unwrap();
    assert!(Permit::<TagUser>::of(approval()).is_ok());
    let other = Permit::<CreateUser>::of(approval());
    assert!(
        matches!(other, Err(IamFault::Internal(text)) if text == "the approval is for TagUser")
    );
}

#[test]
fn the_decisions_of_a_request_share_its_steps() {
    let decided = |steps, cut_short| MeasuredDecision {
        decision: Decision::Allow,
        steps,
        cut_short,
    };
    let mut left = StepsLeft::SHORT;
    let mut offered = Vec::new();
    for _ in 0..3 {
        let outcome = left.decide(|most| {
            offered.push(most);
            decided(most.min(60_000), most < 60_000)
        });
        assert_eq!(outcome.is_ok(), offered.len() == 1);
    }
    assert_eq!(offered, [100_000, 40_000, 0]);
    let mut left = StepsLeft::LONG;
    let one = |most| decided(most, true);
    assert!(
        left.decide(one).is_ok(),
        "denied by what was decided, not left undecided"
    );
    assert_eq!(left.left, limits::REQUEST_STEPS - limits::DECISION_STEPS);
}
