//! How actions are dispatched: what is heavy waits for its turn and delays nobody else, and what
//! has waited is authenticated and authorized again.

use std::{
    sync::Arc,
    task::{Context, Waker},
};

use keywright_wire::{Form, Service};

use super::Call;
use crate::{
    actions::ACTIONS,
    fault::Fault,
    testing::{Bench, Keys},
    work::{WorkOwner, WorkPermit},
};

const SIMULATE: &str = "Action=SimulateCustomPolicy&ActionNames.member.1=s3:GetObject\
     &PolicyInputList.member.1={\"Version\":\"2012-10-17\",\"Statement\":[]}";

/// The operations whose declaration says that they are heavy.
#[test]
fn heavy_actions() {
    let heavy = ACTIONS.iter().filter(|row| row.heavy);
    let mut names: Vec<_> = heavy.clone().map(|row| row.operation.name).collect();
    names.sort_unstable();
    let expected = [
        "ExplainAuthorization",
        "ExplainDeniedRequest",
        "GetContextKeysForCustomPolicy",
        "GetContextKeysForPrincipalPolicy",
        "GetCredentialReport",
        "ListAuthorizedPrincipals",
        "SimulateCustomPolicy",
        "SimulatePrincipalPolicy",
        "ValidatePolicy",
    ];
    assert_eq!(names, expected);
    for row in heavy {
        assert!(!row.access.changes_state(), "{row:?}");
    }
}

/// Takes every place for heavy work.
fn occupy(bench: &Bench) -> Vec<WorkPermit> {
    let heavy = &bench.identity().heavy;
    let free = heavy.limits().permits;
    let enter = |_| bench.block_on(heavy.enter(WorkOwner::Installation));
    (0..free).map(enter).collect::<Result<_, _>>().unwrap()
}

/// Sends a request while every place is taken; `meanwhile` runs once it waits.
fn wait_for_place(
    bench: &Bench,
    keys: &Keys,
    form: &str,
    meanwhile: impl FnOnce(),
) -> Result<String, Fault> {
    let body = format!("{form}&Version={}", Service::Iam.version());
    let caller = Arc::new(bench.caller(keys, Service::Iam, &body).unwrap());
    let (facts, form) = (bench.facts(), Form::parse(body.as_bytes()).unwrap());
    let call = Call {
        caller: &caller,
        facts: &facts,
        form: &form,
        request_id: "11111111-2222-4333-8444-555555555555",
    };
    let places = occupy(bench);
    let mut answering = Box::pin(bench.identity().call(Service::Iam, call));
    bench.block_on(async {
        let mut context = Context::from_waker(Waker::noop());
        assert!(answering.as_mut().poll(&mut context).is_pending());
    });
    meanwhile();
    drop(places);
    bench.block_on(answering)
}

#[test]
fn what_is_light_does_not_wait_for_what_is_heavy() {
    let bench = Bench::new();
    let keys = bench.user("ann", &["ReadOnlyAccess"]);
    let answer = wait_for_place(&bench, &keys, SIMULATE, || {
        bench.root("Action=GetUser&UserName=ann").ok();
        bench.root("Action=CreateUser&UserName=bob").ok();
    });
    assert!(answer.unwrap_err().wire().code == "InvalidInput");
}

#[test]
fn what_waited_is_authenticated_and_authorized_again() {
    let bench = Bench::new();
    let keys = bench.user("ann", &["ReadOnlyAccess"]);
    let id = &keys.id;
    let status = |status| format!("Action=UpdateAccessKey&UserName=ann&AccessKeyId={id}&{status}");
    let policy = "PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess";
    let code = |meanwhile: &str| {
        let answer = wait_for_place(&bench, &keys, SIMULATE, || {
            bench.root(meanwhile).ok();
        });
        answer.map_err(|fault| fault.wire().code)
    };
    let inactive = status("Status=Inactive");
    assert_eq!(code(&inactive), Err("InvalidClientTokenId"));
    bench.root(&status("Status=Active")).ok();
    let detach = format!("Action=DetachUserPolicy&UserName=ann&{policy}");
    assert_eq!(code(&detach), Err("AccessDenied"));
}

#[test]
fn a_report_is_made_when_it_is_the_callers_turn() {
    let bench = Bench::new();
    let root = bench.root.clone();
    let answer = wait_for_place(&bench, &root, "Action=GenerateCredentialReport", || {
        bench.root("Action=GetUser").ok();
    });
    answer.unwrap();
    bench.root("Action=GetCredentialReport").ok();
}
