//! Groups and the permissions that their members receive.

use crate::testing::TestInstallation;

fn bench() -> TestInstallation {
    let bench = TestInstallation::new();
    bench.root("Action=CreateGroup&GroupName=Readers").ok();
    bench
}

#[test]
fn refusals() {
    let bench = bench();
    bench.root("Action=CreateUser&UserName=bob").ok();
    for (form, code, message) in [
        (
            "CreateGroup&GroupName=readers",
            "EntityAlreadyExists",
            "Group with name readers already exists.",
        ),
        (
            "GetGroup&GroupName=Writers",
            "NoSuchEntity",
            "The group with name Writers cannot be found.",
        ),
        (
            "DeleteGroup&GroupName=Writers",
            "NoSuchEntity",
            "The group with name Writers cannot be found.",
        ),
        (
            "AddUserToGroup&GroupName=Writers&UserName=eve",
            "NoSuchEntity",
            "The user with name eve cannot be found.",
        ),
        (
            "AddUserToGroup&GroupName=Writers&UserName=bob",
            "NoSuchEntity",
            "The group with name Writers cannot be found.",
        ),
        (
            "RemoveUserFromGroup&GroupName=Readers&UserName=eve",
            "NoSuchEntity",
            "The user with name eve cannot be found.",
        ),
        (
            "ListGroupsForUser&UserName=eve",
            "NoSuchEntity",
            "The user with name eve cannot be found.",
        ),
        (
            "UpdateGroup&GroupName=Writers&NewGroupName=x",
            "NoSuchEntity",
            "The group with name Writers cannot be found.",
        ),
    ] {
        bench.root(&format!("Action={form}")).refused(code, message);
    }
}

#[test]
fn a_group_goes_when_nothing_depends_on_it() {
    let bench = bench();
    bench.root("Action=CreateUser&UserName=bob").ok();
    let policy = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let document = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let document = document.replace("[]", r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#);
    for form in [
        "AddUserToGroup&GroupName=Readers&UserName=bob".to_owned(),
        format!("PutGroupPolicy&GroupName=Readers&PolicyName=p&PolicyDocument={document}"),
        format!("AttachGroupPolicy&GroupName=Readers&PolicyArn={policy}"),
    ] {
        bench.root(&format!("Action={form}")).ok();
    }
    for (message, then) in [
        (
            "must detach all policies first.",
            format!("DetachGroupPolicy&GroupName=Readers&PolicyArn={policy}"),
        ),
        (
            "must delete policies first.",
            "DeleteGroupPolicy&GroupName=Readers&PolicyName=P".to_owned(),
        ),
        (
            "must remove users from group first.",
            "RemoveUserFromGroup&GroupName=readers&UserName=BOB".to_owned(),
        ),
    ] {
        let message = format!("Cannot delete entity, {message}");
        bench
            .root("Action=DeleteGroup&GroupName=Readers")
            .refused("DeleteConflict", &message);
        bench.root(&format!("Action={then}")).ok();
    }
    bench.root("Action=DeleteGroup&GroupName=Readers").ok();
}

#[test]
fn members_get_what_their_group_has_until_they_leave() {
    let mut bench = bench();
    let keys = bench.user("bob", &[]);
    let list = "Action=ListUsers";
    let denied = bench.call(&keys, list);
    assert_eq!(denied.error().code, "AccessDenied");
    let policy = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    bench
        .root(&format!(
            "Action=AttachGroupPolicy&GroupName=Readers&PolicyArn={policy}"
        ))
        .ok();
    bench
        .root("Action=AddUserToGroup&GroupName=Readers&UserName=bob")
        .ok();
    bench.call(&keys, list).ok();
    // Renaming and moving changes neither the ID nor the members.
    let id = bench
        .root("Action=GetGroup&GroupName=Readers")
        .value("GroupId");
    bench
        .root("Action=UpdateGroup&GroupName=Readers&NewGroupName=People&NewPath=%2Fa%2F")
        .ok();
    bench.reopen();
    let group = bench.root("Action=GetGroup&GroupName=people");
    assert_eq!(group.value("GroupId"), id);
    assert_eq!(
        group.value("Arn"),
        "arn:aws:iam::123456789012:group/a/People"
    );
    assert_eq!(group.values("UserName"), ["bob"]);
    bench.call(&keys, list).ok();
    bench
        .root("Action=RemoveUserFromGroup&GroupName=People&UserName=bob")
        .ok();
    assert_eq!(bench.call(&keys, list).error().code, "AccessDenied");
}

#[test]
fn a_user_is_in_ten_groups_at_most() {
    let bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=bob").ok();
    for n in 0..=10 {
        bench
            .root(&format!("Action=CreateGroup&GroupName=g{n}"))
            .ok();
        let add = bench.root(&format!(
            "Action=AddUserToGroup&GroupName=g{n}&UserName=bob"
        ));
        if n == 10 {
            add.refused("LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10");
        } else {
            add.ok();
        }
    }
    let first = bench.root("Action=ListGroupsForUser&UserName=bob&MaxItems=6");
    assert_eq!(
        first.values("GroupName"),
        ["g0", "g1", "g2", "g3", "g4", "g5"]
    );
    bench
        .root("Action=RemoveUserFromGroup&GroupName=g5&UserName=bob")
        .ok();
    let marker = first.value("Marker");
    let rest = bench.root(&format!(
        "Action=ListGroupsForUser&UserName=bob&Marker={marker}"
    ));
    assert_eq!(rest.values("GroupName"), ["g6", "g7", "g8", "g9"]);
}

#[test]
fn entities_of_a_policy() {
    let bench = bench();
    let policy = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    bench.user("alice", &["AmazonS3FullAccess"]);
    bench
        .root(&format!(
            "Action=CreateUser&UserName=bob&PermissionsBoundary={policy}"
        ))
        .ok();
    bench
        .root(&format!(
            "Action=AttachGroupPolicy&GroupName=Readers&PolicyArn={policy}"
        ))
        .ok();
    let entities = |more: &str| {
        let form = format!("Action=ListEntitiesForPolicy&PolicyArn={policy}{more}");
        let answer = bench.root(&form);
        (answer.values("GroupName"), answer.values("UserName"))
    };
    for (more, groups, users) in [
        ("", vec!["Readers"], vec!["alice", "bob"]),
        ("&EntityFilter=User", vec![], vec!["alice", "bob"]),
        ("&EntityFilter=Group", vec!["Readers"], vec![]),
        ("&EntityFilter=Role", vec![], vec![]),
        (
            "&PolicyUsageFilter=PermissionsPolicy",
            vec!["Readers"],
            vec!["alice"],
        ),
        (
            "&PolicyUsageFilter=PermissionsBoundary",
            vec![],
            vec!["bob"],
        ),
        ("&PathPrefix=%2Fx%2F", vec![], vec![]),
        ("&MaxItems=1", vec!["Readers"], vec![]),
    ] {
        let expected: (Vec<_>, Vec<_>) = (
            groups.into_iter().map(str::to_owned).collect(),
            users.into_iter().map(str::to_owned).collect(),
        );
        assert_eq!(entities(more), expected, "{more}");
    }
}

#[test]
fn inline_policies() {
    let bench = bench();
    bench.root("Action=CreateUser&UserName=bob").ok();
    let document = "{\"Version\":\"2012-10-17\",\n \"Statement\":{\"Effect\":\"Allow\",\
                    \"Action\":\"s3:Get*\",\"Resource\":\"*\"}}";
    for (kind, size) in [("User", 2048), ("Group", 5120)] {
        let name = if kind == "User" {
            "UserName=bob"
        } else {
            "GroupName=Readers"
        };
        let put = format!("Action=Put{kind}Policy&{name}&PolicyName=Get&PolicyDocument={document}");
        bench.root(&put).ok();
        let got = bench.root(&format!("Action=Get{kind}Policy&{name}&PolicyName=gET"));
        assert_eq!(
            got.value("PolicyName"),
            "gET",
            "in the spelling of the request"
        );
        assert!(
            got.value("PolicyDocument")
                .starts_with("%7B%22Version%22%3A%222012-10-17%22%2C%0A")
        );
        let missing = format!("Action=Get{kind}Policy&{name}&PolicyName=x");
        let words = kind.to_lowercase();
        let text = format!("The {words} policy with name x cannot be found.");
        bench.root(&missing).refused("NoSuchEntity", &text);
        let bad = format!("Action=Put{kind}Policy&{name}&PolicyName=Bad&PolicyDocument=x");
        assert_eq!(bench.root(&bad).error().code, "MalformedPolicyDocument");
        let sid = "S".repeat(size);
        let large = document.replace("{\"Effect\"", &format!("{{\"Sid\":\"{sid}\",\"Effect\""));
        let large = format!("Action=Put{kind}Policy&{name}&PolicyName=Big&PolicyDocument={large}");
        let owner = name.split_once('=').unwrap().1;
        let text = format!("Maximum policy size of {size} bytes exceeded for {words} {owner}");
        bench.root(&large).refused("LimitExceeded", &text);
        let listed = bench.root(&format!("Action=List{kind}Policies&{name}"));
        assert_eq!(listed.values("member"), ["Get"]);
        bench
            .root(&format!("Action=Delete{kind}Policy&{name}&PolicyName=GET"))
            .ok();
        let listed = bench.root(&format!("Action=List{kind}Policies&{name}"));
        assert_eq!(listed.values("member"), Vec::<String>::new());
    }
}
