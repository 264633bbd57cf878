//! Login profiles and passwords: the order of errors, the password policy for every action, reuse,
//! restart.

use crate::{
    state::LoginProfile,
    testing::{TestInstallation, TestKeys},
};

const VIOLATION: (&str, &str) = (
    "PasswordPolicyViolation",
    "Password does not conform to the account password policy.",
);
const WRONG_OLD: (&str, &str) = ("AccessDenied", "The old password was incorrect.");

fn no_profile(user: &str) -> (&'static str, String) {
    let text = format!("Login Profile for User {user} cannot be found.");
    ("NoSuchEntity", text)
}

/// A user with the console password `Abcdef1!` who may change it.
fn with_password(bench: &TestInstallation, name: &str) -> TestKeys {
    let keys = bench.user(name, &["IAMUserChangePassword"]);
    create(bench, name, "Abcdef1%21");
    keys
}

fn create(bench: &TestInstallation, name: &str, password: &str) {
    let form = format!("Action=CreateLoginProfile&UserName={name}&Password={password}");
    bench.root(&form).ok();
}

fn change(old: &str, new: &str) -> String {
    format!("Action=ChangePassword&OldPassword={old}&NewPassword={new}")
}

fn login(bench: &TestInstallation, name: &str) -> LoginProfile {
    let account = crate::testing::ACCOUNT.parse().unwrap();
    let cell = bench.identity().ledger().account(account).unwrap();
    cell.snapshot().user(name).unwrap().login.clone().unwrap()
}

#[test]
fn errors_come_in_order() {
    let bench = TestInstallation::new();
    with_password(&bench, "ann");
    bench.user("bob", &[]);
    let taken = "Login Profile for user ann already exists.";
    let gone = "The user with name eve cannot be found.";
    let null = "1 validation error detected: Value at 'password' failed to satisfy constraint: \
                Member must not be null";
    let (missing, bobs) = no_profile("bob");
    for (form, code, text) in [
        (
            "Action=CreateLoginProfile&UserName=eve&Password=a",
            "NoSuchEntity",
            gone,
        ),
        (
            "Action=CreateLoginProfile&UserName=ann&Password=a",
            "EntityAlreadyExists",
            taken,
        ),
        (
            "Action=CreateLoginProfile&UserName=ANN",
            "EntityAlreadyExists",
            taken,
        ),
        (
            "Action=CreateLoginProfile&UserName=bob",
            "ValidationError",
            null,
        ),
        (
            "Action=CreateLoginProfile&UserName=bob&Password=a",
            VIOLATION.0,
            VIOLATION.1,
        ),
        ("Action=GetLoginProfile&UserName=eve", "NoSuchEntity", gone),
        ("Action=GetLoginProfile&UserName=bob", missing, &bobs),
        (
            "Action=UpdateLoginProfile&UserName=eve&Password=a",
            "NoSuchEntity",
            gone,
        ),
        (
            "Action=UpdateLoginProfile&UserName=bob&Password=a",
            missing,
            &bobs,
        ),
        (
            "Action=UpdateLoginProfile&UserName=ann&Password=a",
            VIOLATION.0,
            VIOLATION.1,
        ),
        (
            "Action=DeleteLoginProfile&UserName=eve",
            "NoSuchEntity",
            gone,
        ),
        ("Action=DeleteLoginProfile&UserName=bob", missing, &bobs),
    ] {
        bench.root(form).refused(code, text);
    }
}

#[test]
fn validation_comes_before_permission_and_permission_before_existence() {
    let bench = TestInstallation::new();
    let bob = bench.user("bob", &[]);
    let invalid = bench.call(&bob, "Action=CreateLoginProfile&UserName=a/b&Password=a");
    assert_eq!(invalid.error().code, "ValidationError");
    for action in [
        "CreateLoginProfile",
        "GetLoginProfile",
        "UpdateLoginProfile",
        "DeleteLoginProfile",
    ] {
        let arn = "arn:aws:iam::123456789012:user/bob";
        let text = format!(
            "User: {arn} is not authorized to perform: iam:{action} on resource: user eve because \
             no identity-based policy allows the iam:{action} action"
        );
        let form = format!("Action={action}&UserName=eve&Password=Abcdef1%21");
        bench.call(&bob, &form).refused("AccessDenied", &text);
    }
}

#[test]
fn a_profile_lives_from_create_to_delete_and_over_a_restart() {
    let mut bench = TestInstallation::new();
    bench.user("ann", &[]);
    let form = "Action=CreateLoginProfile&UserName=ann&Password=Abcdef1%21";
    let created = bench.root(&format!("{form}&PasswordResetRequired=true"));
    assert_eq!(created.value("PasswordResetRequired"), "true");
    assert!(!created.ok().contains("Abcdef1"), "{created:?}");
    bench.pass(60);
    bench
        .root("Action=UpdateLoginProfile&UserName=ann&Password=Ghijkl2%21")
        .ok();
    bench.reopen();
    let read = bench.root("Action=GetLoginProfile&UserName=ANN");
    assert_eq!(read.value("UserName"), "ann");
    assert_eq!(read.value("CreateDate"), created.value("CreateDate"));
    // It stays true when a new password is set without it.
    assert_eq!(read.value("PasswordResetRequired"), "true");
    bench
        .root("Action=UpdateLoginProfile&UserName=ann&PasswordResetRequired=false")
        .ok();
    let read = bench.root("Action=GetLoginProfile&UserName=ann");
    assert_eq!(read.value("PasswordResetRequired"), "false");
    bench.root("Action=DeleteLoginProfile&UserName=ann").ok();
    bench.reopen();
    let (code, text) = no_profile("ann");
    bench
        .root("Action=GetLoginProfile&UserName=ann")
        .refused(code, &text);
}

#[test]
fn what_is_stored_is_an_argon2id_hash() {
    let bench = TestInstallation::new();
    with_password(&bench, "ann");
    let login = login(&bench, "ann");
    assert!(
        login.hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{login:?}"
    );
    assert!(!login.hash.contains("Abcdef1"));
}

#[test]
fn changing_ones_own_password() {
    let mut bench = TestInstallation::new();
    let ann = with_password(&bench, "ann");
    bench
        .root("Action=UpdateLoginProfile&UserName=ann&PasswordResetRequired=true")
        .ok();
    for (old, new, (code, text)) in [
        ("wrong", "a", WRONG_OLD),
        ("Abcdef1%21", "Abcdef1%21", WRONG_OLD),
        ("Abcdef1%21", "a", VIOLATION),
    ] {
        bench.call(&ann, &change(old, new)).refused(code, text);
    }
    bench.call(&ann, &change("Abcdef1%21", "Ghijkl2%21")).ok();
    let read = bench.root("Action=GetLoginProfile&UserName=ann");
    assert_eq!(read.value("PasswordResetRequired"), "false");
    bench.reopen();
    bench
        .call(&ann, &change("Abcdef1%21", "Mnopqr3%21"))
        .refused(WRONG_OLD.0, WRONG_OLD.1);
    bench.call(&ann, &change("Ghijkl2%21", "Mnopqr3%21")).ok();
}

#[test]
fn only_a_user_with_a_password_changes_it() {
    let bench = TestInstallation::new();
    let bob = bench.user("bob", &["IAMUserChangePassword"]);
    let form = change("Abcdef1%21", "Ghijkl2%21");
    let (code, text) = no_profile("bob");
    bench.call(&bob, &form).refused(code, &text);
    let users_only = "Only IAM Users can change their own password";
    bench.root(&form).refused("InvalidUserType", users_only);
}

#[test]
fn the_account_can_let_users_change_their_passwords() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    let eve = bench.user("eve", &["AWSDenyAll"]);
    create(&bench, "ann", "Abcdef1%21");
    create(&bench, "eve", "Abcdef1%21");
    let form = change("Abcdef1%21", "Ghijkl2%21");
    let policy = "Action=UpdateAccountPasswordPolicy&AllowUsersToChangePassword";
    bench.root(&format!("{policy}=false")).ok();
    let denied = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: \
                  iam:ChangePassword on resource: user ann because no identity-based policy \
                  allows the iam:ChangePassword action";
    bench.call(&ann, &form).refused("AccessDenied", denied);
    bench.root(&format!("{policy}=true")).ok();
    bench.call(&ann, &form).ok();
    bench.call(&ann, "Action=GetAccountPasswordPolicy").ok();
    // An explicit deny applies, and nothing else is granted.
    let refused = bench.call(&eve, &form);
    let text = refused.error().message.clone().unwrap();
    assert!(
        text.contains("with an explicit deny in an identity-based policy"),
        "{text}"
    );
    let other = bench.call(&ann, "Action=GetLoginProfile&UserName=eve");
    assert_eq!(other.error().code, "AccessDenied");
    bench.root(&format!("{policy}=false")).ok();
    let again = change("Ghijkl2%21", "Mnopqr3%21");
    bench.call(&ann, &again).refused("AccessDenied", denied);
}

#[test]
fn as_many_passwords_as_the_policy_says_do_not_come_back() {
    let bench = TestInstallation::new();
    let ann = with_password(&bench, "ann");
    let policy = "Action=UpdateAccountPasswordPolicy&PasswordReusePrevention=2";
    bench.root(policy).ok();
    bench.call(&ann, &change("Abcdef1%21", "second")).ok();
    for back in ["Abcdef1%21", "second"] {
        let update = format!("Action=UpdateLoginProfile&UserName=ann&Password={back}");
        bench.root(&update).refused(VIOLATION.0, VIOLATION.1);
    }
    bench
        .call(&ann, &change("second", "Abcdef1%21"))
        .refused(VIOLATION.0, VIOLATION.1);
    bench.call(&ann, &change("second", "third!")).ok();
    // Of the last two, the first password is no longer one.
    bench.call(&ann, &change("third!", "Abcdef1%21")).ok();
    bench.root("Action=UpdateAccountPasswordPolicy").ok();
    bench.call(&ann, &change("Abcdef1%21", "third!")).ok();
}

#[test]
fn a_user_is_about_itself_when_it_names_nobody() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &["IAMFullAccess"]);
    let created = bench.call(&ann, "Action=CreateLoginProfile&Password=Abcdef1%21");
    assert_eq!(created.value("UserName"), "ann");
    assert_eq!(
        bench.call(&ann, "Action=GetLoginProfile").value("UserName"),
        "ann"
    );
    bench.call(&ann, "Action=DeleteLoginProfile").ok();
    let root = bench.root("Action=GetLoginProfile");
    root.refused("NoSuchEntity", "The user with name root cannot be found.");
}

#[test]
fn a_user_with_a_password_is_not_deleted() {
    let bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=ann").ok();
    create(&bench, "ann", "Abcdef1%21");
    bench.root("Action=DeleteUser&UserName=ann").refused(
        "DeleteConflict",
        "Cannot delete entity, must delete login profile first.",
    );
}

#[test]
fn the_last_sign_in_is_reported_and_survives_a_restart() {
    let mut bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=ann").ok();
    let show = "Action=GetUser&UserName=ann";
    let id = bench.root(show).value("UserId");
    assert!(bench.root(show).values("PasswordLastUsed").is_empty());
    let sign_in = |bench: &TestInstallation| {
        let note = async { bench.identity().usage().note_password(&id, bench.now()) };
        bench.block_on(note);
    };
    let first = bench.now().iso8601();
    sign_in(&bench);
    bench.pass(5 * 60 - 1);
    sign_in(&bench);
    assert_eq!(bench.root(show).value("PasswordLastUsed"), first);
    bench.pass(1);
    let second = bench.now().iso8601();
    sign_in(&bench);
    bench.reopen();
    for form in [show, "Action=ListUsers"] {
        assert_eq!(bench.root(form).value("PasswordLastUsed"), second, "{form}");
    }
}

/// An access key of a user does not help to find out the password by trial.
#[test]
fn an_old_password_cannot_be_guessed() {
    let bench = TestInstallation::new();
    let keys = bench.user("bob", &["IAMUserChangePassword"]);
    let other = bench.key("bob");
    let create = "Action=CreateLoginProfile&UserName=bob&Password=Abcdefg1";
    bench.root(create).ok();
    let change = |keys, old: &str, new: &str| {
        let form = format!("Action=ChangePassword&OldPassword={old}&NewPassword={new}");
        bench.call(keys, &form).code()
    };
    // The correct password resets the count.
    for _ in 0..5 {
        assert_eq!(change(&keys, "Wrong-1", "Abcdefg2"), Some("AccessDenied"));
    }
    assert_eq!(change(&keys, "Abcdefg1", "Abcdefg2"), None);
    for _ in 0..6 {
        assert_eq!(change(&keys, "Wrong-1", "Abcdefg3"), Some("AccessDenied"));
    }
    // Also the correct one, with any key of the user, until the wait is over.
    for keys in [&keys, &other] {
        assert_eq!(change(keys, "Abcdefg2", "Abcdefg3"), Some("Throttling"));
    }
    for wait in [1, 2, 4, 8] {
        bench.pass(wait);
        assert_eq!(change(&keys, "Wrong-1", "Abcdefg3"), Some("AccessDenied"));
        bench.pass(2 * wait - 1);
        assert_eq!(change(&keys, "Abcdefg2", "Abcdefg3"), Some("Throttling"));
    }
    bench.pass(3600);
    assert_eq!(change(&keys, "Abcdefg2", "Abcdefg3"), None);
}
