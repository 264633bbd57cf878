//! Users and their tags.

use crate::testing::{
    ACCOUNT, TestInstallation,
    certificates::{TestCertificate, in_form, ssh_rsa},
};

/// A test installation with users of these names.
fn bench(names: &[&str]) -> TestInstallation {
    let bench = TestInstallation::new();
    for name in names {
        bench
            .root(&format!("Action=CreateUser&UserName={name}"))
            .ok();
    }
    bench
}

#[test]
fn a_user_has_the_form_of_aws() {
    let bench = TestInstallation::new();
    let made = bench.root("Action=CreateUser&UserName=Bob&Path=%2Fa%2F%2Fb%2F");
    let id = made.value("UserId");
    assert_eq!((id.len(), id.starts_with("AIDA")), (21, true));
    let key = bench.key("bob").id;
    assert_eq!(id.get(5..12), key.get(5..12), "both carry the account");
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/a//b/Bob");
    let display = bench.root("Action=GetUser&UserName=bOB");
    for (element, text) in [
        ("Arn", arn.as_str()),
        ("UserName", "Bob"),
        ("Path", "/a//b/"),
        ("CreateDate", &bench.now().iso8601()),
        ("UserId", &id),
    ] {
        assert_eq!(display.value(element), text);
        assert_eq!(made.value(element), text);
    }
    for absent in ["Tags", "PermissionsBoundary", "PasswordLastUsed"] {
        assert_eq!(display.values(absent), Vec::<String>::new(), "{absent}");
    }
}

#[test]
fn names_and_paths_that_are_none() {
    let bench = bench(&["bob"]);
    for (form, valid) in [
        (format!("UserName={}", "a".repeat(64)), true),
        (format!("UserName={}", "a".repeat(65)), false),
        ("UserName=a%2B%3D%2C.@-_".to_owned(), true),
        ("UserName=%C3%A9".to_owned(), false),
        ("UserName=a%0A".to_owned(), false),
        ("UserName=".to_owned(), false),
        ("UserName=p&Path=%2F%2F".to_owned(), false),
        ("UserName=p&Path=%2F%7F%2F".to_owned(), false),
        (format!("UserName=p&Path=%2F{}%2F", "a".repeat(511)), false),
        (format!("UserName=p&Path=%2F{}%2F", "a".repeat(510)), true),
    ] {
        let answer = bench.root(&format!("Action=CreateUser&{form}"));
        assert_eq!(answer.is_success(), valid, "{form}");
        if !valid {
            assert_eq!(answer.code(), Some("ValidationError"), "{form}");
        }
    }
    let long = format!("Action=GetUser&UserName={}", "a".repeat(128));
    assert_eq!(bench.root(&long).code(), Some("NoSuchEntity"));
}

#[test]
fn the_own_name_in_another_case_is_taken() {
    let bench = bench(&["bob"]);
    let answer = bench.root("Action=UpdateUser&UserName=BOB&NewUserName=Bob");
    assert_eq!(answer.code(), Some("EntityAlreadyExists"));
    bench
        .root("Action=UpdateUser&UserName=BOB&NewUserName=bob&NewPath=/a/")
        .ok();
    let users = bench.root("Action=ListUsers");
    assert_eq!(users.values("UserName"), ["bob"]);
}

#[test]
fn credentials_of_other_kinds_are_listed_as_none() {
    let bench = bench(&["bob"]);
    for action in [
        "ListSSHPublicKeys",
        "ListSigningCertificates",
        "ListServiceSpecificCredentials",
    ] {
        let answer = bench.root(&format!("Action={action}&UserName=BOB"));
        assert_eq!(answer.value("IsTruncated"), "false", "{action}");
        let answer = bench.root(&format!("Action={action}&UserName=ann"));
        assert_eq!(answer.code(), Some("NoSuchEntity"), "{action}");
        let answer = bench.root(&format!("Action={action}&UserName=bob&Marker=none"));
        assert_eq!(answer.code(), Some("ValidationError"), "{action}");
    }
    bench
        .root("Action=ListServiceSpecificCredentials&AllUsers=true")
        .ok();
}

/// Each step removes what the user is refused for.
#[test]
fn what_keeps_a_user_is_reported_in_order() {
    let bench = bench(&["bob"]);
    let device = bench.device("phone");
    bench.root(&device.enable(&bench, "bob", [-1, 0])).ok();
    let key = bench.key("bob").id;
    let body = in_form(&TestCertificate::new("bob.example").certificate);
    let ssh = in_form(&ssh_rsa(2048, 1));
    let id = |form: &str, element: &str| bench.root(&format!("Action={form}")).value(element);
    let certificate = id(
        &format!("UploadSigningCertificate&UserName=bob&CertificateBody={body}"),
        "CertificateId",
    );
    let ssh = id(
        &format!("UploadSSHPublicKey&UserName=bob&SSHPublicKeyBody={ssh}"),
        "SSHPublicKeyId",
    );
    let credential = id(
        "CreateServiceSpecificCredential&UserName=bob&ServiceName=logs.amazonaws.com",
        "ServiceSpecificCredentialId",
    );
    let login = "Action=CreateLoginProfile&UserName=bob&Password=Abcdef1%21";
    bench.root(login).ok();
    let serial = &device.serial;
    for (blocker, remove) in [
        (
            "delete access keys",
            format!("DeleteAccessKey&AccessKeyId={key}"),
        ),
        ("delete login profile", "DeleteLoginProfile".to_owned()),
        (
            "delete signing certificates",
            format!("DeleteSigningCertificate&CertificateId={certificate}"),
        ),
        (
            "delete MFA device",
            format!("DeactivateMFADevice&SerialNumber={serial}"),
        ),
        (
            "remove referenced objects",
            format!("DeleteSSHPublicKey&SSHPublicKeyId={ssh}"),
        ),
        (
            "remove referenced objects",
            format!("DeleteServiceSpecificCredential&ServiceSpecificCredentialId={credential}"),
        ),
    ] {
        let text = format!("Cannot delete entity, must {blocker} first.");
        bench
            .root("Action=DeleteUser&UserName=bob")
            .refused("DeleteConflict", &text);
        bench.root(&format!("Action={remove}&UserName=bob")).ok();
    }
    bench.root("Action=DeleteUser&UserName=bob").ok();
}

#[test]
fn pages_stay_right_while_others_write() {
    let bench = bench(&["b", "D", "a", "C", "e"]);
    let first = bench.root("Action=ListUsers&MaxItems=2");
    assert_eq!(
        first.values("UserName"),
        ["a", "b"],
        "without regard to case"
    );
    assert_eq!(first.value("IsTruncated"), "true");
    // The last user of the first page is deleted, one is added before it and one after it.
    bench.root("Action=DeleteUser&UserName=b").ok();
    bench.root("Action=CreateUser&UserName=aa").ok();
    bench.root("Action=CreateUser&UserName=cc").ok();
    let marker = first.value("Marker");
    let second = bench.root(&format!("Action=ListUsers&MaxItems=2&Marker={marker}"));
    assert_eq!(second.values("UserName"), ["C", "cc"]);
    let marker = second.value("Marker");
    let last = bench.root(&format!("Action=ListUsers&Marker={marker}"));
    assert_eq!(last.values("UserName"), ["D", "e"]);
    assert_eq!(last.value("IsTruncated"), "false");
    assert_eq!(last.values("Marker"), Vec::<String>::new());
    let other = format!("Action=ListUsers&PathPrefix=%2Fx&Marker={marker}");
    bench
        .root(&other)
        .refused("ValidationError", "Invalid Marker.");
}

#[test]
fn a_path_prefix_is_a_prefix_of_the_text() {
    let bench = TestInstallation::new();
    for (name, path) in [
        ("a", "/"),
        ("b", "/team/"),
        ("c", "/team/x/"),
        ("d", "/tea/"),
    ] {
        let form = format!("Action=CreateUser&UserName={name}&Path={path}");
        bench.root(&form).ok();
    }
    for (prefix, names) in [
        ("/", vec!["a", "b", "c", "d"]),
        ("/tea", vec!["b", "c", "d"]),
        ("/team/", vec!["b", "c"]),
        ("/none/", vec![]),
    ] {
        let listed = bench.root(&format!("Action=ListUsers&PathPrefix={prefix}"));
        assert_eq!(listed.values("UserName"), names, "{prefix}");
    }
}

#[test]
fn ten_policies_at_most() {
    let bench = bench(&["bob"]);
    let policies = crate::catalogue::PolicyCatalogue::built_in()
        .by_name()
        .values();
    let attachable = policies.filter(|policy| !policy.is_service_role_policy());
    for (n, policy) in attachable.take(11).enumerate() {
        let form = format!(
            "Action=AttachUserPolicy&UserName=bob&PolicyArn={}",
            policy.arn
        );
        match n {
            10 => bench.root(&form).refused(
                "LimitExceeded",
                "Cannot exceed quota for PoliciesPerUser: 10",
            ),
            // Attaching a policy that is already attached changes nothing.
            _ => assert!(bench.root(&form).is_success() && bench.root(&form).is_success()),
        }
    }
    let attached = bench.root("Action=ListAttachedUserPolicies&UserName=bob");
    assert_eq!(attached.values("PolicyName").len(), 10);
}

#[test]
fn tags_of_users_do_not_differ_in_case() {
    let bench = bench(&["bob"]);
    let tag = |key: &str, value: &str| {
        format!("Action=TagUser&UserName=bob&Tags.member.1.Key={key}&Tags.member.1.Value={value}")
    };
    let pairs = || {
        let listed = bench.root("Action=ListUserTags&UserName=bob");
        let pairs = listed.values("Key").into_iter().zip(listed.values("Value"));
        pairs.collect::<Vec<_>>()
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    bench.root(&tag("Team", "a")).ok();
    bench.root(&tag("TEAM", "aws:b")).ok();
    assert_eq!(pairs(), [pair("TEAM", "aws:b")], "spelling and value");
    bench.root(&tag("%C3%A9%20_.:/=%2B-@", "")).ok();
    assert_eq!(pairs().len(), 2);
    let display = bench.root("Action=GetUser&UserName=bob");
    assert_eq!(display.values("Key").len(), 2);
    let untag = |keys: &str| bench.root(&format!("Action=UntagUser&UserName=bob{keys}"));
    untag("&TagKeys.member.1=team&TagKeys.member.2=never").ok();
    assert_eq!(pairs(), [pair("é _.:/=+-@", "")]);
    for (key, code) in [
        ("%20", "ValidationError"),
        ("a%23", "ValidationError"),
        ("aWs:x", "InvalidInput"),
    ] {
        assert_eq!(bench.root(&tag(key, "")).code(), Some(code), "{key}");
    }
    let none = bench.root("Action=TagUser&UserName=bob&Tags=");
    assert_eq!(none.code(), Some("InvalidInput"));
    untag("&TagKeys=").ok();
}
