//! The action catalogue: every line of the data is parsed, and all references between the facts
//! resolve.

use crate::{AccessLevel, ActionCatalogue, ServiceAction};

const DATA: &str = concat!(
    include_str!("../../data/actions.txt"),
    include_str!("../../data/extension.txt")
);

#[test]
fn every_line_is_read() {
    let catalogue = ActionCatalogue::built_in();
    let lines = |kind: &str| DATA.lines().filter(|l| l.starts_with(kind)).count();
    let with = |of: fn(&ServiceAction) -> &Vec<&'static str>| {
        let actions = catalogue.actions();
        actions.filter(|action| !of(action).is_empty()).count()
    };
    let read = [
        catalogue.actions().count(),
        catalogue.resource_types().len(),
        catalogue.condition_keys().len(),
        with(|action| &action.dependent),
        with(|action| &action.does),
        with(|action| &action.reveals),
    ];
    let kinds = ["action ", "type ", "key ", "depends ", "does ", "reveals "];
    assert_eq!(read, kinds.map(lines));
    assert_eq!(read[0], 190 + 16 + 180 + 63 + 26);
    let other = DATA
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'));
    let nothing = lines("nothing ");
    assert_eq!(other.count(), read.iter().sum::<usize>() + nothing);
}

/// Every Keywright action must state what its caller could do, or learn, in IAM through it.
#[test]
fn every_action_of_ours_implies_others_or_says_why_not() {
    let catalogue = ActionCatalogue::built_in();
    for (_, action) in catalogue.of_service("keywright") {
        let name = format!("keywright:{}", action.name);
        let nothing = DATA.contains(&format!("nothing {name} | "));
        assert_ne!(action.implied().next().is_some(), nothing, "{name}");
        // Implied actions imply nothing further.
        for inner in action.implied() {
            let further = catalogue.action(inner).unwrap().implied();
            for further in further {
                assert!(
                    action.implied().any(|one| one == further),
                    "{name}: {further}"
                );
            }
        }
    }
}

#[test]
fn levels_are_spelt_as_known() {
    for line in DATA.lines().filter(|line| line.starts_with("action ")) {
        let level = line.split(" | ").nth(1).unwrap().trim_matches([' ', '|']);
        let known = ["List", "Read", "Tagging", "Write", "Permissions"];
        assert!(known.contains(&level), "{line}");
    }
}

#[test]
fn the_facts_refer_to_each_other() {
    let catalogue = ActionCatalogue::built_in();
    for action in catalogue.actions() {
        for used in &action.resources {
            let known = catalogue.resource_types().iter();
            let mut own = known.filter(|t| t.service == action.service);
            assert!(own.any(|t| t.name == used.name), "{action:?}");
        }
        for name in action.dependent.iter().copied().chain(action.implied()) {
            assert!(catalogue.action(name).is_some(), "{action:?}");
        }
    }
}

#[test]
fn facts_at_random() {
    let catalogue = ActionCatalogue::built_in();
    let rows = [
        (
            "iam:createuser",
            AccessLevel::Write,
            "user",
            "iam:PermissionsBoundary",
        ),
        (
            "IAM:AttachUserPolicy",
            AccessLevel::Permissions,
            "user",
            "iam:PolicyARN",
        ),
        (
            "iam:PassRole",
            AccessLevel::Write,
            "role",
            "iam:PassedToService",
        ),
        (
            "sts:AssumeRole",
            AccessLevel::Write,
            "role",
            "sts:ExternalId",
        ),
        (
            "s3:GetObject",
            AccessLevel::Read,
            "object",
            "s3:ExistingObjectTag/<key>",
        ),
        ("s3:ListBucket", AccessLevel::List, "bucket", "s3:prefix"),
    ];
    for (name, level, resource, key) in rows {
        let action = catalogue.action(name).unwrap();
        assert_eq!(action.level, level, "{name}");
        assert!(action.is_on(resource), "{name}");
        assert!(action.condition_keys.contains(&key), "{action:?}");
    }
    assert!(
        catalogue
            .action("iam:ListUsers")
            .unwrap()
            .resources
            .is_empty()
    );
    assert!(catalogue.action("iam:Nothing").is_none());
    let add = catalogue.action("iam:AddRoleToInstanceProfile").unwrap();
    assert_eq!(add.dependent, ["iam:PassRole"]);
}
