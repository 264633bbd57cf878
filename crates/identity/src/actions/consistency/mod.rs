//! Random sequences of every operation of IAM that changes state, and what must hold after each
//! step.
//!
//! The operations and their parameters come from the samples of the sweeps, with names from small
//! pools, so that a new operation takes part without being listed here. What must hold is in
//! `checks`.

mod checks;
mod forms;

use keywright_wire::Service;
use proptest::{prelude::*, test_runner::Config};

use self::{
    checks::{History, check},
    forms::{FormMaker, KnownIds},
};
use super::{actions, sweeps::samples};
use crate::{
    action::ActionLevel,
    testing::{ACCOUNT, TestInstallation, TestKeys},
};

/// The samples of the operations of IAM that change state.
fn mutations() -> Vec<(&'static str, String)> {
    let is_mutation = |name: &str| {
        let row = actions().find(|row| row.operation.name == name);
        row.is_some_and(|row| {
            let level = row.access;
            let reads = matches!(level, ActionLevel::List | ActionLevel::Read);
            // This one is a read that stores a report.
            let writes = !reads || name == "GenerateCredentialReport";
            row.operation.service == Service::Iam && writes
        })
    };
    let samples = samples().into_iter();
    samples.filter(|(name, _)| is_mutation(name)).collect()
}

/// The same, with those that create and change thrice: otherwise little would ever exist.
fn weighted() -> Vec<(&'static str, String)> {
    let removing = ["Delete", "Detach", "Remove", "Deactivate"];
    let weight = |name: &str| {
        let removes = removing.iter().any(|verb| name.starts_with(verb));
        if removes { 1 } else { 3 }
    };
    let samples = mutations().into_iter();
    samples
        .flat_map(|sample| std::iter::repeat_n(sample.clone(), weight(sample.0)))
        .collect()
}

/// Carries out steps, each an operation by its place in the list and a choice of parameters, and
/// checks the account after each.
fn run(steps: &[(usize, u64)]) {
    let mutations = weighted();
    let mut bench = TestInstallation::new();
    let (mut known, mut history) = (KnownIds::default(), History::default());
    for (number, (operation, choice)) in steps.iter().enumerate() {
        let (name, sample) = &mutations[operation % mutations.len()];
        // So that dates differ, and reports expire.
        bench.pass(600);
        let form = FormMaker::new(*choice, &known).form(name, sample, &bench);
        let response = bench.root(&form);
        if response.is_success() {
            known.learn(name, &response);
        } else {
            let code = response.code();
            assert_ne!(code, Some("ServiceFailure"), "{form}");
        }
        check(&bench, &mut history, &form);
        if number % 16 == 15 || number + 1 == steps.len() {
            let before = checks::records(&bench);
            bench.reopen();
            assert_eq!(checks::records(&bench), before, "after a restart");
            check(&bench, &mut history, "a restart");
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 24, ..Config::default() })]

    #[test]
    fn every_sequence_of_operations_leaves_a_consistent_account(
        steps in prop::collection::vec((any::<usize>(), any::<u64>()), 1..80)
    ) {
        run(&steps);
    }
}

/// Nothing of a deleted user or role passes to the next one of the same name.
#[test]
fn a_recreated_principal_is_another_one() {
    let mut bench = TestInstallation::new();
    let keys = bench.user("ann", &["AdministratorAccess"]);
    let trust = |principal: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"sts:AssumeRole",
            "Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:{principal}"}}}}}}"#
        )
    };
    let create = |name: &str, document: &str| {
        bench.root(&format!(
            "Action=CreateRole&RoleName={name}&AssumeRolePolicyDocument={document}"
        ))
    };
    create("first", &trust("user/ann")).ok();
    create("second", &trust("role/first")).ok();
    let assume = |role: &str| {
        format!("Action=AssumeRole&RoleSessionName=s1&RoleArn=arn:aws:iam::{ACCOUNT}:role/{role}")
    };
    let session = TestKeys::of(&bench.call(&keys, "Action=GetSessionToken"));
    let as_role = TestKeys::of(&bench.call(&keys, &assume("first")));
    bench.call(&as_role, "Action=GetCallerIdentity").ok();
    let old_id = bench.root("Action=GetUser&UserName=ann").value("UserId");

    let admin = "PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess";
    for form in [
        format!(
            "Action=DeleteAccessKey&UserName=ann&AccessKeyId={}",
            keys.id
        ),
        format!("Action=DetachUserPolicy&UserName=ann&{admin}"),
        "Action=DeleteUser&UserName=ann".to_owned(),
        "Action=DeleteRole&RoleName=first".to_owned(),
    ] {
        bench.root(&form).ok();
    }
    let again = bench.user("ann", &["AdministratorAccess"]);
    create("first", &trust("user/ann")).ok();
    for after in ["at once", "after a restart"] {
        for old in [&keys, &session, &as_role] {
            let answer = bench.call(old, "Action=ListUsers");
            let code = answer.code();
            let refused = ["InvalidClientTokenId", "AccessDenied", "ExpiredToken"];
            assert!(
                code.is_some_and(|code| refused.contains(&code)),
                "{after}: {code:?}"
            );
        }
        let user = bench.root("Action=GetUser&UserName=ann");
        assert_ne!(user.value("UserId"), old_id, "{after}");
        // The role that trusted the old one names it by its ID, and trusts no other.
        let second = bench.root("Action=GetRole&RoleName=second");
        let document = second.value("AssumeRolePolicyDocument");
        assert!(
            document.contains("AROA") && !document.contains("first"),
            "{document}"
        );
        let in_first = TestKeys::of(&bench.call(&again, &assume("first")));
        let answer = bench.call(&in_first, &assume("second"));
        assert_eq!(answer.code(), Some("AccessDenied"), "{after}");
        bench.reopen();
    }
}
