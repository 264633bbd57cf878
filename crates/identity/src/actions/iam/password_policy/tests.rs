//! The account's password policy: set, read back and deleted.

use crate::testing::{ACCOUNT, TestInstallation};

const GET: &str = "Action=GetAccountPasswordPolicy";

#[test]
fn without_a_policy_there_is_none_to_read_or_delete() {
    let bench = TestInstallation::new();
    let read = format!("The Password Policy with domain name {ACCOUNT} cannot be found.");
    let delete = "The account policy with name PasswordPolicy cannot be found.";
    for (action, text) in [
        ("GetAccountPasswordPolicy", &*read),
        ("DeleteAccountPasswordPolicy", delete),
    ] {
        bench
            .root(&format!("Action={action}"))
            .refused("NoSuchEntity", text);
    }
}

#[test]
fn what_an_update_leaves_out_is_the_default() {
    let mut bench = TestInstallation::new();
    let everything = "Action=UpdateAccountPasswordPolicy&MinimumPasswordLength=14\
        &RequireSymbols=true&RequireNumbers=true&RequireUppercaseCharacters=true\
        &RequireLowercaseCharacters=true&AllowUsersToChangePassword=true&MaxPasswordAge=90\
        &PasswordReusePrevention=24&HardExpiry=true";
    let booleans = [
        "RequireSymbols",
        "RequireNumbers",
        "RequireUppercaseCharacters",
        "RequireLowercaseCharacters",
        "AllowUsersToChangePassword",
        "ExpirePasswords",
    ];
    let numbers = ["MaxPasswordAge", "PasswordReusePrevention", "HardExpiry"];
    for (update, length, boolean, number) in [
        (everything, "14", "true", Some(["90", "24", "true"])),
        ("Action=UpdateAccountPasswordPolicy", "6", "false", None),
    ] {
        bench.root(update).ok();
        bench.reopen();
        let read = bench.root(GET);
        assert_eq!(read.value("MinimumPasswordLength"), length);
        for name in booleans {
            assert_eq!(read.value(name), boolean, "{name}");
        }
        for (i, name) in numbers.into_iter().enumerate() {
            let wanted: Vec<_> = number.iter().map(|number| number[i].to_owned()).collect();
            assert_eq!(read.values(name), wanted, "{name}");
        }
    }
    bench.root("Action=DeleteAccountPasswordPolicy").ok();
    assert_eq!(bench.root(GET).error().code, "NoSuchEntity");
}

#[test]
fn bounds_are_checked_before_permission() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    let form = "Action=UpdateAccountPasswordPolicy&MinimumPasswordLength=129\
        &PasswordReusePrevention=25&MaxPasswordAge=1096";
    let bound = |name: &str, most: u32| {
        format!(
            "Value at '{name}' failed to satisfy constraint: Member must have value less than or \
             equal to {most}"
        )
    };
    let text = format!(
        "3 validation errors detected: {}; {}; {}",
        bound("minimumPasswordLength", 128),
        bound("passwordReusePrevention", 24),
        bound("maxPasswordAge", 1095)
    );
    bench.call(&ann, form).refused("ValidationError", &text);
}

#[test]
fn each_action_is_refused_without_permission() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    for action in [
        "GetAccountPasswordPolicy",
        "UpdateAccountPasswordPolicy",
        "DeleteAccountPasswordPolicy",
    ] {
        let text = format!(
            "User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: iam:{action} on \
             resource: * because no identity-based policy allows the iam:{action} action"
        );
        let form = format!("Action={action}");
        bench.call(&ann, &form).refused("AccessDenied", &text);
    }
}
