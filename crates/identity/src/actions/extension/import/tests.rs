//! Imports as whole requests.

use keywright_base::limits;

use crate::{
    import_document::{
        ImportDocument, ImportedGroup, ImportedInline, ImportedPolicy, ImportedProfile,
        ImportedRole, ImportedTag, ImportedUser, ImportedVersion,
    },
    testing::{ACCOUNT, TestInstallation, TestKeys, TestResponse},
};

const READ: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}"#;

fn text(text: &str) -> String {
    text.to_owned()
}

fn own(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{name}")
}

fn trusting(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}}}"#
    )
}

fn by_role(name: &str) -> String {
    trusting(&format!(
        r#"{{"AWS":"arn:aws:iam::{ACCOUNT}:role/{name}"}}"#
    ))
}

fn version(id: &str, is_default: bool) -> ImportedVersion {
    ImportedVersion {
        version_id: text(id),
        is_default,
        policy_document: text(READ),
    }
}

fn policy(name: &str) -> ImportedPolicy {
    ImportedPolicy {
        policy_name: text(name),
        versions: vec![version("v1", true)],
        ..ImportedPolicy::default()
    }
}

fn inline(name: &str) -> Vec<ImportedInline> {
    vec![ImportedInline {
        policy_name: text(name),
        policy_document: text(READ),
    }]
}

fn tag(key: &str) -> Vec<ImportedTag> {
    vec![ImportedTag {
        key: text(key),
        value: text("v"),
    }]
}

fn user(name: &str) -> ImportedUser {
    ImportedUser {
        user_name: text(name),
        ..ImportedUser::default()
    }
}

fn role(name: &str, trust: String) -> ImportedRole {
    ImportedRole {
        role_name: text(name),
        assume_role_policy_document: trust,
        ..ImportedRole::default()
    }
}

fn roles(roles: impl IntoIterator<Item = (&'static str, String)>) -> ImportDocument {
    ImportDocument {
        roles: roles
            .into_iter()
            .map(|(name, trust)| role(name, trust))
            .collect(),
        ..ImportDocument::default()
    }
}

fn users(users: Vec<ImportedUser>) -> ImportDocument {
    ImportDocument {
        users,
        ..ImportDocument::default()
    }
}

/// One of everything, each of which refers to others.
fn everything() -> ImportDocument {
    ImportDocument {
        policies: vec![
            ImportedPolicy {
                path: text("/team/"),
                description: Some(text("reads")),
                tags: tag("p"),
                versions: vec![
                    version("v7", false),
                    version("v3", true),
                    version("v4", false),
                ],
                ..policy("reader")
            },
            policy("limit"),
        ],
        groups: vec![ImportedGroup {
            group_name: text("devs"),
            path: text("/team/"),
            inline_policies: inline("g"),
            attached_policy_arns: vec![own("team/reader")],
        }],
        users: vec![ImportedUser {
            path: text("/team/"),
            permissions_boundary: Some(own("limit")),
            tags: tag("u"),
            inline_policies: inline("u"),
            attached_policy_arns: vec![
                text("arn:aws:iam::aws:policy/ReadOnlyAccess"),
                own("team/reader"),
            ],
            group_names: vec![text("devs")],
            ..user("ann")
        }],
        roles: vec![
            ImportedRole {
                description: Some(text("deploys")),
                max_session_duration: Some(7200),
                permissions_boundary: Some(own("limit")),
                tags: tag("r"),
                inline_policies: inline("r"),
                attached_policy_arns: vec![own("team/reader")],
                ..role("deploy", trusting(r#"{"Service":"ec2.amazonaws.com"}"#))
            },
            ImportedRole {
                path: text("/aws-service-role/ecs.amazonaws.com/"),
                tags: tag("s"),
                ..role("AWSServiceRoleForECS", String::new())
            },
        ],
        instance_profiles: vec![ImportedProfile {
            instance_profile_name: text("machines"),
            tags: tag("i"),
            role_name: Some(text("deploy")),
            ..ImportedProfile::default()
        }],
    }
}

/// Imports a document with more parameters.
#[track_caller]
fn import(
    bench: &TestInstallation,
    keys: &TestKeys,
    document: &ImportDocument,
    more: &str,
) -> TestResponse {
    let document = document.encode().unwrap();
    bench.call(
        keys,
        &format!("Action=ImportAccount&Document={document}{more}"),
    )
}

const DRY: &str = "&DryRun=true";

/// `outcome kind name`, and the reason if there is one.
#[track_caller]
fn entries(response: &TestResponse) -> Vec<String> {
    let rows = response.ok().split("<member>").skip(1);
    let field = |row: &str, name: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let rest = row.split_once(&open)?.1;
        Some(rest.split_once(&close)?.0.replace("&quot;", "\""))
    };
    let line = |row: &str| {
        let of = |name: &str| field(row, name).unwrap_or_default();
        let line = format!(
            "{} {} {}",
            of("Outcome"),
            of("EntityType"),
            of("EntityName")
        );
        match field(row, "Reason") {
            Some(reason) => format!("{line}: {reason}"),
            None => line,
        }
    };
    rows.map(line).collect()
}

/// Everything in the account, apart from what differs between two accounts with the same entities.
fn details(bench: &TestInstallation) -> String {
    bench
        .root("Action=GetAccountAuthorizationDetails")
        .ok()
        .to_owned()
}

#[test]
fn everything_is_created_in_one_commit() {
    let mut bench = TestInstallation::new();
    let version = || {
        let account = bench.identity().ledger().account(ACCOUNT.parse().unwrap());
        account.unwrap().snapshot().version()
    };
    let before = version();
    let expected = [
        "created policy reader",
        "created policy limit",
        "created group devs",
        "created user ann",
        "created role AWSServiceRoleForECS",
        "created role deploy",
        "created instance-profile machines",
    ];
    let planned = import(&bench, &bench.root, &everything(), DRY);
    assert_eq!(entries(&planned), expected);
    assert_eq!(version(), before, "a plan changes nothing");

    let done = import(&bench, &bench.root, &everything(), "");
    assert_eq!(entries(&done), expected);
    assert_eq!(version(), before + 1, "one commit");
    let text = details(&bench);
    for part in [
        "<Path>/team/</Path><UserName>ann</UserName>",
        "<GroupList><member>devs</member></GroupList>",
        "<PolicyArn>arn:aws:iam::123456789012:policy/team/reader</PolicyArn>",
        "<PermissionsBoundaryArn>arn:aws:iam::123456789012:policy/limit</PermissionsBoundaryArn>",
        "<DefaultVersionId>v3</DefaultVersionId>",
        "<VersionId>v7</VersionId>",
        "<RoleName>AWSServiceRoleForECS</RoleName>",
        "<InstanceProfileName>machines</InstanceProfileName>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let role = bench.root("Action=GetRole&RoleName=deploy");
    assert_eq!(role.value("Description"), "deploys");
    assert_eq!(role.value("MaxSessionDuration"), "7200");
    bench.reopen();
    assert_eq!(details(&bench), text, "the same after a restart");
    let again = import(&bench, &bench.root, &everything(), "");
    let exists: Vec<_> = expected
        .iter()
        .map(|it| it.replace("created", "exists"))
        .collect();
    assert_eq!(entries(&again), exists);
    assert_eq!(details(&bench), text, "what exists stays as it is");
    let arn = own("team/reader");
    let next = format!("Action=CreatePolicyVersion&PolicyArn={arn}&PolicyDocument={READ}");
    assert_eq!(bench.root(&next).value("VersionId"), "v8");
}

#[test]
fn an_entity_is_created_whole_or_not_at_all() {
    let bench = TestInstallation::new();
    let document = ImportDocument {
        policies: vec![ImportedPolicy {
            versions: vec![ImportedVersion {
                policy_document: text("{}"),
                ..version("v1", true)
            }],
            ..policy("broken")
        }],
        groups: vec![ImportedGroup {
            group_name: text("devs"),
            attached_policy_arns: vec![own("broken")],
            ..ImportedGroup::default()
        }],
        users: vec![
            user("fine"),
            ImportedUser {
                group_names: vec![text("devs")],
                ..user("member")
            },
        ],
        ..ImportDocument::default()
    };
    let expected = [
        "rejected policy broken: CreatePolicy: MalformedPolicyDocument: Syntax errors in \
         policy.",
        "rejected group devs: AttachGroupPolicy: NoSuchEntity: Policy \
         arn:aws:iam::123456789012:policy/broken does not exist or is not attachable.",
        "created user fine",
        "rejected user member: AddUserToGroup: NoSuchEntity: The group with name devs cannot be \
         found.",
    ];
    let planned = import(&bench, &bench.root, &document, DRY);
    assert_eq!(entries(&planned), expected);
    import(&bench, &bench.root, &document, "").refused(
        "InvalidInput",
        "3 of 4 entities cannot be imported, so nothing was. The first is the policy broken: \
         CreatePolicy: MalformedPolicyDocument: Syntax errors in policy.",
    );
    assert!(!details(&bench).contains("fine"), "nothing was imported");
    let done = import(&bench, &bench.root, &document, "&AllowIncomplete=true");
    assert_eq!(entries(&done), expected);
    let text = details(&bench);
    assert!(text.contains("fine") && !text.contains("devs") && !text.contains("member<"));
}

/// Each step requires its own permission of IAM, on its own resource and with its condition keys.
#[test]
fn an_import_needs_the_permissions_of_iam() {
    let bench = TestInstallation::new();
    let keys = bench.user("importer", &[]);
    let allow = |statements: &str| {
        let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        bench
            .root(&format!(
                "Action=PutUserPolicy&UserName=importer&PolicyName=p&PolicyDocument={document}"
            ))
            .ok();
    };
    let own_action = r#"{"Effect":"Allow","Action":"keywright:ImportAccount","Resource":"*"}"#;
    let bounded = |name: &str| ImportedUser {
        permissions_boundary: Some(text("arn:aws:iam::aws:policy/ReadOnlyAccess")),
        ..user(name)
    };
    let denied = |document: &ImportDocument, action: &str, resource: &str| {
        let expected = format!(
            "User: arn:aws:iam::{ACCOUNT}:user/importer is not authorized to perform: {action} on \
             resource: {resource} because no identity-based policy allows the {action} action"
        );
        for more in ["", "&AllowIncomplete=true"] {
            import(&bench, &keys, document, more).refused("AccessDenied", &expected);
        }
        let planned = entries(&import(&bench, &keys, document, DRY));
        assert!(
            planned.iter().any(|line| line.contains(&expected)),
            "{planned:?}"
        );
    };
    allow(r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#);
    import(&bench, &keys, &users(vec![user("ann")]), "").refused(
        "AccessDenied",
        &format!(
            "User: arn:aws:iam::{ACCOUNT}:user/importer is not authorized to perform: \
             keywright:ImportAccount on resource: * because no identity-based policy allows the \
             keywright:ImportAccount action"
        ),
    );

    let boundary = r#""Condition":{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}"#;
    allow(&format!(
        r#"{own_action},{{"Effect":"Allow","Action":"iam:CreateUser","Resource":"arn:aws:iam::*:user/team/*",{boundary}}}"#
    ));
    let ann = format!("arn:aws:iam::{ACCOUNT}:user/ann");
    denied(&users(vec![bounded("ann")]), "iam:CreateUser", &ann);
    let ann = ImportedUser {
        path: text("/team/"),
        ..bounded("ann")
    };
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/team/ann");
    let unbounded = ImportedUser {
        permissions_boundary: None,
        ..ann.clone()
    };
    denied(&users(vec![unbounded]), "iam:CreateUser", &arn);
    let tagged = ImportedUser {
        tags: tag("k"),
        ..ann.clone()
    };
    denied(&users(vec![tagged]), "iam:TagUser", &arn);
    let granted = ImportedUser {
        inline_policies: inline("p"),
        ..ann.clone()
    };
    denied(&users(vec![granted]), "iam:PutUserPolicy", "user ann");
    assert!(!details(&bench).contains(">ann<"));
    let done = import(&bench, &keys, &users(vec![ann]), "");
    assert_eq!(entries(&done), ["created user ann"]);
}

/// A principal cannot extend its own permissions by an import: it exists, so it stays as it is.
#[test]
fn the_caller_stays_as_it_is() {
    let bench = TestInstallation::new();
    let keys = bench.user("importer", &["AdministratorAccess"]);
    let document = users(vec![ImportedUser {
        attached_policy_arns: vec![text("arn:aws:iam::aws:policy/ReadOnlyAccess")],
        ..user("Importer")
    }]);
    let done = import(&bench, &keys, &document, "");
    assert_eq!(entries(&done), ["exists user Importer"]);
    let attached = bench.root("Action=ListAttachedUserPolicies&UserName=importer");
    assert_eq!(attached.values("PolicyName"), ["AdministratorAccess"]);
}

/// The draft compiles the caller's policies for its own versions of the account only.
#[test]
fn a_draft_leaves_no_compiled_policies_behind() {
    let bench = TestInstallation::new();
    bench.root("Action=CreateGroup&GroupName=g").ok();
    bench
        .root("Action=AttachGroupPolicy&GroupName=g&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess")
        .ok();
    let keys = bench.user("importer", &[]);
    bench
        .root("Action=AddUserToGroup&GroupName=g&UserName=importer")
        .ok();
    let mut document = users(vec![user("ann")]);
    document.policies = (0..20)
        .map(|number| policy(&format!("p{number}")))
        .collect();
    import(&bench, &keys, &document, DRY).ok();
    bench
        .root("Action=DetachGroupPolicy&GroupName=g&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess")
        .ok();
    for number in 0..20 {
        let answer = bench.call(&keys, "Action=ListUsers");
        assert_eq!(answer.code(), Some("AccessDenied"), "at version {number}");
        let create = format!("Action=CreateGroup&GroupName=g{number}");
        bench.root(&create).ok();
    }
}

#[test]
fn roles_that_trust_each_other_are_created() {
    let bench = TestInstallation::new();
    let nobody = trusting(r#"{"Service":"ec2.amazonaws.com"}"#);
    let document = roles([
        ("a", by_role("b")),
        ("b", by_role("c")),
        ("c", nobody),
        ("self", by_role("self")),
        ("x", by_role("y")),
        ("y", by_role("x")),
        ("z", by_role("y")),
    ]);
    let done = import(&bench, &bench.root, &document, "");
    let created = ["c", "b", "a", "self", "x", "y", "z"];
    assert_eq!(
        entries(&done),
        created.map(|name| format!("created role {name}"))
    );
    for (name, trusted) in [("self", "self"), ("x", "y"), ("y", "x"), ("z", "y")] {
        let role = bench.root(&format!("Action=GetRole&RoleName={name}"));
        let trust = role.value("AssumeRolePolicyDocument");
        assert!(
            trust.contains(&format!("role%2F{trusted}%22")),
            "{name}: {trust}"
        );
    }
}

#[test]
fn a_circle_with_a_bad_role_is_rejected_as_far_as_it_depends_on_it() {
    let bench = TestInstallation::new();
    bench
        .root(&format!(
            "Action=CreateRole&RoleName=known&AssumeRolePolicyDocument={}",
            trusting(r#"{"Service":"ec2.amazonaws.com"}"#)
        ))
        .ok();
    let both = trusting(&format!(
        r#"{{"AWS":["arn:aws:iam::{ACCOUNT}:role/x","arn:aws:iam::{ACCOUNT}:role/gone"]}}"#
    ));
    let document = roles([
        ("known", by_role("known")),
        ("self", by_role("self")),
        ("x", by_role("y")),
        ("y", both),
        ("z", by_role("x")),
    ]);
    let planned = entries(&import(&bench, &bench.root, &document, DRY));
    let outcomes: Vec<_> = planned
        .iter()
        .map(|it| it.split(':').next().unwrap())
        .collect();
    let expected = [
        "exists role known",
        "created role self",
        "rejected role x",
        "rejected role y",
        "rejected role z",
    ];
    assert_eq!(outcomes, expected, "{planned:?}");
    let gone = r#"Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/gone""#;
    assert!(planned[3].ends_with(gone), "{planned:?}");
    import(&bench, &bench.root, &document, "&AllowIncomplete=true").ok();
    let listed = bench.root("Action=ListRoles").values("RoleName");
    assert_eq!(listed, ["known", "self"]);
}

#[test]
fn bad_documents_are_rejected() {
    let bench = TestInstallation::new();
    let two = |one: ImportedVersion, other: ImportedVersion| ImportDocument {
        policies: vec![ImportedPolicy {
            versions: vec![one, other],
            ..policy("p")
        }],
        ..ImportDocument::default()
    };
    let invalid = "CreatePolicyVersion: InvalidInput: ";
    let cases = [
        (
            users(vec![user("Ann"), user("ann")]),
            "CreateUser: EntityAlreadyExists: User with name ann already exists.",
        ),
        (
            users(vec![user("a/b")]),
            r"Value at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+",
        ),
        (
            two(version("v1", true), version("v2", true)),
            &format!("{invalid}Exactly one version must be the default."),
        ),
        (
            two(version("v1", false), version("v2", false)),
            &format!("{invalid}Exactly one version must be the default."),
        ),
        (
            two(version("v1", true), version("v01", false)),
            &format!("{invalid}Two versions have the same ID."),
        ),
        (
            two(version("v1", true), version("2", false)),
            &format!("{invalid}A version ID is not v1, v2, and so on."),
        ),
        (
            two(version("v1", true), version("v4294967295", false)),
            &format!("{invalid}A version ID is not v1, v2, and so on."),
        ),
        (
            ImportDocument {
                policies: vec![ImportedPolicy {
                    versions: (1..=6).map(|n| version(&format!("v{n}"), n == 1)).collect(),
                    ..policy("p")
                }],
                ..ImportDocument::default()
            },
            "CreatePolicyVersion: LimitExceeded: A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
        ),
    ];
    for (document, why) in cases {
        let planned = entries(&import(&bench, &bench.root, &document, DRY));
        let last = planned.last().unwrap();
        assert!(
            last.starts_with("rejected") && last.ends_with(why),
            "{last}"
        );
    }
}

#[test]
fn what_is_not_compressed_or_not_known_is_not_imported() {
    let bench = TestInstallation::new();
    let unknown = "Action=ImportAccount&Document=AAAA";
    bench
        .root(unknown)
        .refused("InvalidInput", "Document is not compressed with gzip.");
    let linked = ImportedRole {
        path: text("/aws-service-role/unheard-of.amazonaws.com/"),
        ..role("AWSServiceRoleForNothing", String::new())
    };
    let document = ImportDocument {
        roles: vec![linked],
        ..ImportDocument::default()
    };
    let done = entries(&import(&bench, &bench.root, &document, ""));
    assert_eq!(
        done,
        [
            "skipped role AWSServiceRoleForNothing: this server does not have the service-linked role"
        ]
    );
}

#[test]
fn operations_are_limited() {
    let bench = TestInstallation::new();
    bench.root("Action=CreateGroup&GroupName=g").ok();
    // Adding a member again changes nothing.
    let additions = |count: usize| ImportedUser {
        group_names: vec![text("g"); count],
        ..user("ann")
    };
    let most = limits::IMPORT_OPERATIONS;
    let planned = import(&bench, &bench.root, &users(vec![additions(most - 1)]), DRY);
    assert_eq!(entries(&planned), ["created user ann"]);
    let over = import(&bench, &bench.root, &users(vec![additions(most)]), DRY);
    let text = format!("Cannot exceed quota for OperationsPerImport: {most}");
    over.refused("LimitExceeded", &text);
}

#[test]
fn entities_are_limited() {
    let bench = TestInstallation::new();
    let most = limits::IMPORT_ENTITIES;
    let nameless = |count: usize| users(vec![user(""); count]);
    let planned = import(&bench, &bench.root, &nameless(most), DRY);
    assert_eq!(entries(&planned).len(), most);
    let over = import(&bench, &bench.root, &nameless(most + 1), DRY);
    let text = format!("Cannot exceed quota for EntitiesPerImport: {most}");
    over.refused("LimitExceeded", &text);
}

#[test]
fn quotas_hold_for_an_import() {
    let bench = TestInstallation::new();
    let groups = (0..=limits::GROUPS_PER_ACCOUNT).map(|number| ImportedGroup {
        group_name: format!("g{number:03}"),
        ..ImportedGroup::default()
    });
    let document = ImportDocument {
        groups: groups.collect(),
        ..ImportDocument::default()
    };
    let planned = entries(&import(&bench, &bench.root, &document, DRY));
    assert_eq!(
        planned
            .iter()
            .filter(|it| it.starts_with("created"))
            .count(),
        300
    );
    assert!(planned[300].ends_with("Cannot exceed quota for GroupsPerAccount: 300"));
}

/// The account may change between computing an import and committing it.
#[test]
fn an_import_is_committed_on_the_state_it_was_computed_on() {
    let bench = TestInstallation::new();
    let view_of = |body: &dyn Fn(&crate::view::StateView<'_>)| {
        let event = bench.admitted(&bench.root, keywright_wire::Service::Keywright, "");
        let record = event.record();
        let account = bench.identity().ledger().account(ACCOUNT.parse().unwrap());
        let snapshot = account.unwrap().snapshot().clone();
        let caller = record.caller().unwrap();
        body(&bench.identity().view(&snapshot, (record, caller)));
    };
    let prepared = std::cell::OnceCell::new();
    let document = users(vec![user("ann")]).encode().unwrap();
    view_of(&|view| {
        assert!(
            prepared
                .set(super::computed(view, &document).unwrap())
                .is_ok()
        )
    });
    let entry = crate::action::served::<super::ImportAccount>();
    let form = keywright_wire::Form::of(vec![("Document".to_owned(), document.clone())]).unwrap();
    let request = entry.decode(&form).ok().unwrap();
    let input = keywright_wire::keywright::ImportAccountInput {
        document: document.clone(),
        ..Default::default()
    };
    let outcome = || {
        let outcome = std::cell::Cell::new(None);
        view_of(&|view| {
            let mut steps = limits::IMPORT_STEPS;
            let approval = crate::authorize::approve_step(view, &*request, &mut steps).unwrap();
            let prepared = prepared.get().unwrap();
            let done = <super::ImportAccount as crate::action::PreparedAction>::run(
                view,
                crate::authorize::Permit::of(approval).unwrap(),
                &input,
                prepared,
            );
            outcome.set(Some(done.map(|done| done.changes.len())));
        });
        outcome.take().unwrap()
    };
    assert_eq!(outcome(), Ok(1));
    bench.root("Action=CreateUser&UserName=Ann").ok();
    assert_eq!(
        outcome(),
        Err(crate::fault::IamFault::ConcurrentModification)
    );
}
