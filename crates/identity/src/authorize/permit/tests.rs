//! The cost of decisions, and when a long one is reused.

use keywright_base::limits;
use keywright_policy::{Decision, MeasuredDecision};
use keywright_wire::{Decode, Form, Service};

use super::{StepsLeft, permit_at_length, permit_shortly};
use crate::{
    action::Input,
    actions::TagUser,
    testing::{ACCOUNT, TestInstallation},
};

const TAG: &str = "Action=TagUser&UserName=wide&Tags.member.1.Key=k&Tags.member.1.Value=v";

#[test]
fn a_long_decision_stands_for_the_same_policies_tags_and_targets_only() {
    let bench = TestInstallation::new();
    let keys = bench.wide_user("wide");
    bench.user("other", &[]);
    let form = Form::parse(TAG.as_bytes()).unwrap();
    let event = bench.admitted(&keys, Service::Iam, TAG);
    let head = (&**event.record(), event.record().caller().unwrap());
    let tag = Input::<TagUser>::decode(&form).ok().unwrap();
    let cell = bench.identity().ledger().account(ACCOUNT.parse().unwrap());
    let snapshot = || cell.as_ref().unwrap().snapshot().clone();
    let before = snapshot();
    let view = bench.identity().view(&before, head);
    assert!(permit_shortly::<TagUser>(&view, &tag, None).is_none());
    let (_, long) = permit_at_length::<TagUser>(&view, &tag).unwrap();
    assert!(long.is_some());
    let again = |input| {
        let now = snapshot();
        let view = bench.identity().view(&now, head);
        permit_shortly::<TagUser>(&view, input, long.as_ref()).map(|permit| permit.is_ok())
    };
    assert_eq!(again(&tag), Some(true));
    // Changes to other users do not matter.
    bench.root("Action=CreateAccessKey&UserName=other").ok();
    assert_eq!(again(&tag), Some(true));
    let mut longer = tag.clone();
    longer.tags.push(longer.tags[0].clone());
    assert_eq!(again(&longer), None, "another target");
    bench.root("Action=CreateGroup&GroupName=g").ok();
    assert_eq!(again(&tag), None, "other grants");
    let now = snapshot();
    let view = bench.identity().view(&now, head);
    let (_, long) = permit_at_length::<TagUser>(&view, &tag).unwrap();
    bench.root(&TAG.replace("=k", "=l")).ok();
    let now = snapshot();
    let view = bench.identity().view(&now, head);
    let other_tags = permit_shortly::<TagUser>(&view, &tag, long.as_ref());
    assert!(other_tags.is_none(), "the caller has other tags");
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
