//! Devices from creation to deletion, what their codes unlock, and every refusal.

use keywright_base::limits;

use crate::testing::{ACCOUNT, TestAuthenticator, TestInstallation, TestKeys};

const UNABLE: &str = "MultiFactorAuthentication failed, unable to validate MFA code.  Please \
    verify your MFA serial number is valid and associated with this user.";
const WRONG: &str = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
const NOT_VALID: &str = "Authentication code for device is not valid.";

fn serial(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:mfa/{name}")
}

/// An account with a user who has a device.
fn with_device() -> (TestInstallation, TestKeys, TestAuthenticator) {
    let bench = TestInstallation::new();
    let keys = bench.user("ann", &["IAMFullAccess"]);
    let phone = bench.device("phone");
    bench.root(&phone.enable(&bench, "ann", [-1, 0])).ok();
    (bench, keys, phone)
}

fn session(phone: &TestAuthenticator, code: &str) -> String {
    format!(
        "Action=GetSessionToken&SerialNumber={}&TokenCode={code}",
        phone.serial
    )
}

/// Credentials obtained with a code; time passes first, so that there is a fresh one.
fn with_code(bench: &TestInstallation, keys: &TestKeys, phone: &TestAuthenticator) -> TestKeys {
    bench.pass(90);
    TestKeys::of(&bench.call(keys, &session(phone, &phone.code(bench, 0))))
}

#[test]
fn a_device_from_its_making_to_its_end() {
    let mut bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=ann").ok();
    let form = "Action=CreateVirtualMFADevice&Path=/team/&VirtualMFADeviceName=Phone\
                &Tags.member.1.Key=k&Tags.member.1.Value=v";
    let made = bench.root(form);
    assert_eq!(made.value("SerialNumber"), serial("team/Phone"));
    assert_eq!(made.value("Key"), "k");
    let phone = TestAuthenticator::of(&made);
    let listed = |bench: &TestInstallation, status: &str| {
        let list = format!("Action=ListVirtualMFADevices&AssignmentStatus={status}");
        bench.root(&list).values("SerialNumber").len()
    };
    let all = |bench: &TestInstallation| {
        ["Any", "Assigned", "Unassigned"].map(|status| listed(bench, status))
    };
    assert_eq!(all(&bench), [1, 0, 1]);
    bench.root(&phone.enable(&bench, "Ann", [-1, 0])).ok();
    let since = bench.now().iso8601();
    bench.reopen();
    assert_eq!(all(&bench), [1, 1, 0]);
    let display = bench.root("Action=ListVirtualMFADevices");
    assert_eq!(display.value("UserName"), "ann");
    assert_eq!(display.value("EnableDate"), since);
    assert!(display.values("Base32StringSeed").is_empty());
    let lower = serial("TEAM/phone");
    for form in [
        "ListMFADevices&UserName=ANN".to_owned(),
        format!("GetMFADevice&SerialNumber={lower}"),
        format!("GetMFADevice&SerialNumber={lower}&UserName=ann"),
    ] {
        let answer = bench.root(&format!("Action={form}"));
        assert_eq!(answer.value("UserName"), "ann", "{form}");
        assert_eq!(answer.value("SerialNumber"), serial("team/Phone"), "{form}");
        assert_eq!(answer.value("EnableDate"), since, "{form}");
    }
    let serial = &phone.serial;
    bench.root("Action=DeleteUser&UserName=ann").refused(
        "DeleteConflict",
        "Cannot delete entity, must delete MFA device first.",
    );
    let delete = format!("Action=DeleteVirtualMFADevice&SerialNumber={serial}");
    bench.root(&delete).refused(
        "DeleteConflict",
        "MFA VirtualDevice in use. Must deactivate first.",
    );
    let deactivate = format!("Action=DeactivateMFADevice&UserName=ann&SerialNumber={serial}");
    bench.root(&deactivate).ok();
    assert_eq!(all(&bench), [1, 0, 1]);
    bench.root(&delete).ok();
    bench.reopen();
    assert_eq!(all(&bench), [0, 0, 0]);
    bench.root("Action=DeleteUser&UserName=ann").ok();
}

#[test]
fn tags_of_a_device() {
    let bench = TestInstallation::new();
    let serial = bench.device("phone").serial;
    let tag = |key: &str, value: &str| {
        format!(
            "Action=TagMFADevice&SerialNumber={serial}&Tags.member.1.Key={key}\
             &Tags.member.1.Value={value}"
        )
    };
    for (key, value) in [("team", "red"), ("Team", "blue"), ("team", "green")] {
        bench.root(&tag(key, value)).ok();
    }
    let list = format!("Action=ListMFADeviceTags&SerialNumber={serial}");
    assert_eq!(bench.root(&list).values("Value"), ["blue", "green"]);
    let untag = format!("Action=UntagMFADevice&SerialNumber={serial}&TagKeys.member.1=team");
    bench.root(&untag).ok();
    assert_eq!(bench.root(&list).values("Value"), ["blue"]);
    bench.root(&tag("aws:x", "v")).refused(
        "InvalidInput",
        "Tag keys beginning with aws: are reserved for system use.",
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row per refusal")]
fn refusals() {
    let (bench, _, phone) = with_device();
    bench.device("spare");
    bench.root("Action=CreateUser&UserName=bob").ok();
    let codes = "AuthenticationCode1=123456&AuthenticationCode2=123456";
    let none = "MFA Device with serial number arn:aws:iam::123456789012:mfa/none does not exist.";
    let phones =
        "MFA Device with serial number arn:aws:iam::123456789012:mfa/phone does not exist.";
    let hers = format!("SerialNumber={}", phone.serial);
    let (unknown, spare) = (
        format!("SerialNumber={}", serial("none")),
        format!("SerialNumber={}", serial("spare")),
    );
    let tag = "Tags.member.1.Key=k&Tags.member.1.Value=v";
    let nobody = "The user with name eve cannot be found.";
    let rows = [
        (
            "CreateVirtualMFADevice",
            "VirtualMFADeviceName=PHONE".to_owned(),
            "EntityAlreadyExists",
            "MFA device already exists.",
        ),
        (
            "EnableMFADevice",
            format!("UserName=eve&{unknown}&{codes}"),
            "NoSuchEntity",
            nobody,
        ),
        (
            "EnableMFADevice",
            format!("UserName=bob&{unknown}&{codes}"),
            "NoSuchEntity",
            none,
        ),
        (
            "EnableMFADevice",
            format!("UserName=bob&{hers}&{codes}"),
            "EntityAlreadyExists",
            "MFA Device is already in use.",
        ),
        (
            "EnableMFADevice",
            format!("UserName=bob&{spare}&{codes}"),
            "InvalidAuthenticationCode",
            NOT_VALID,
        ),
        (
            "ResyncMFADevice",
            format!("UserName=ann&{hers}&{codes}"),
            "InvalidAuthenticationCode",
            NOT_VALID,
        ),
        (
            "ResyncMFADevice",
            format!("UserName=bob&{hers}&{codes}"),
            "NoSuchEntity",
            phones,
        ),
        (
            "ResyncMFADevice",
            format!("UserName=bob&{unknown}&{codes}"),
            "NoSuchEntity",
            none,
        ),
        (
            "DeactivateMFADevice",
            format!("UserName=eve&{hers}"),
            "NoSuchEntity",
            nobody,
        ),
        (
            "DeactivateMFADevice",
            format!("UserName=bob&{hers}"),
            "NoSuchEntity",
            phones,
        ),
        (
            "DeactivateMFADevice",
            format!("UserName=bob&{unknown}"),
            "NoSuchEntity",
            none,
        ),
        (
            "DeleteVirtualMFADevice",
            unknown.clone(),
            "NoSuchEntity",
            none,
        ),
        ("GetMFADevice", unknown.clone(), "NoSuchEntity", none),
        (
            "GetMFADevice",
            format!("UserName=bob&{hers}"),
            "NoSuchEntity",
            phones,
        ),
        (
            "ListMFADevices",
            "UserName=eve".to_owned(),
            "NoSuchEntity",
            nobody,
        ),
        (
            "TagMFADevice",
            format!("{unknown}&{tag}"),
            "NoSuchEntity",
            none,
        ),
        (
            "UntagMFADevice",
            format!("{unknown}&TagKeys.member.1=k"),
            "NoSuchEntity",
            none,
        ),
        ("ListMFADeviceTags", unknown.clone(), "NoSuchEntity", none),
        (
            "ListVirtualMFADevices",
            "Marker=x".to_owned(),
            "ValidationError",
            "Invalid Marker.",
        ),
    ];
    for (action, form, code, message) in rows {
        let answer = bench.root(&format!("Action={action}&{form}"));
        answer.refused(code, message);
    }
    let long = format!(
        "Action=CreateVirtualMFADevice&VirtualMFADeviceName={}",
        "x".repeat(230)
    );
    bench.root(&long).refused(
        "ValidationError",
        "1 validation error detected: Value at 'serialNumber' failed to satisfy constraint: \
         Member must have length less than or equal to 256",
    );
}

#[test]
fn a_code_works_once_and_only_for_its_owner() {
    let (mut bench, ann, phone) = with_device();
    let bob = bench.user("bob", &[]);
    // Both codes that enabled it are used up.
    for offset in [-1, 0] {
        let form = session(&phone, &phone.code(&bench, offset));
        bench.call(&ann, &form).refused("AccessDenied", WRONG);
    }
    let next = session(&phone, &phone.code(&bench, 1));
    bench.call(&bob, &next).refused("AccessDenied", UNABLE);
    bench.root(&next).refused("AccessDenied", UNABLE);
    bench.call(&ann, &next).ok();
    bench.call(&ann, &next).refused("AccessDenied", WRONG);
    bench.reopen();
    bench.call(&ann, &next).refused("AccessDenied", WRONG);
    let unknown = session(&TestAuthenticator::new("none", &[]), "123456");
    bench.call(&ann, &unknown).refused("AccessDenied", UNABLE);
    let half = "MultiFactorAuthentication failed, must provide both MFA serial number and one \
                time pass code.";
    for form in [
        "Action=GetSessionToken&TokenCode=123456".to_owned(),
        format!("Action=GetSessionToken&SerialNumber={}", phone.serial),
    ] {
        bench.call(&ann, &form).refused("AccessDenied", half);
    }
}

#[test]
fn an_access_key_waits_longer_and_longer_and_others_do_not() {
    let (bench, ann, phone) = with_device();
    let other = bench.key("ann");
    bench.pass(limits::MFA_WINDOW_SECS);
    let right = |keys: &TestKeys| bench.call(keys, &session(&phone, &phone.code(&bench, 0)));
    let wrong = phone.code(&bench, 50);
    for _ in 0..limits::MFA_ATTEMPTS {
        let answer = bench.call(&ann, &session(&phone, &wrong));
        answer.refused("AccessDenied", WRONG);
    }
    right(&ann).refused("AccessDenied", UNABLE);
    right(&other).ok();
    bench.pass(limits::MFA_WINDOW_SECS);
    let answer = bench.call(&ann, &session(&phone, &wrong));
    answer.refused("AccessDenied", WRONG);
    bench.pass(limits::MFA_WINDOW_SECS);
    right(&ann).refused("AccessDenied", UNABLE);
    bench.root(&phone.resync(&bench, "ann", [0, 1])).ok();
    bench.pass(limits::MFA_WINDOW_SECS);
    right(&ann).ok();
}

#[test]
fn a_device_of_the_same_name_has_no_attempts_behind_it() {
    let (bench, ann, phone) = with_device();
    let wrong = phone.code(&bench, 50);
    for _ in 0..=limits::MFA_ATTEMPTS {
        assert!(!bench.call(&ann, &session(&phone, &wrong)).is_success());
    }
    let serial = &phone.serial;
    for form in [
        format!("Action=DeactivateMFADevice&UserName=ann&SerialNumber={serial}"),
        format!("Action=DeleteVirtualMFADevice&SerialNumber={serial}"),
    ] {
        bench.root(&form).ok();
    }
    bench.pass(1);
    let phone = bench.device("phone");
    for _ in 0..=limits::MFA_ATTEMPTS {
        let answer = bench.root(&phone.enable(&bench, "ann", [40, 41]));
        answer.refused("InvalidAuthenticationCode", NOT_VALID);
    }
    bench.root(&phone.enable(&bench, "ann", [-1, 0])).ok();
    let answer = bench.call(&ann, &session(&phone, &phone.code(&bench, 1)));
    answer.ok();
}

#[test]
fn a_clock_that_is_off_is_found_out() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    let phone = bench.device("phone");
    let may = |offset: i64| {
        let form = session(&phone, &phone.code(&bench, offset));
        bench.call(&ann, &form).is_success()
    };
    for codes in [[1, 0], [0, 2], [0, 0], [21, 22], [-22, -21]] {
        let answer = bench.root(&phone.enable(&bench, "ann", codes));
        answer.refused("InvalidAuthenticationCode", NOT_VALID);
    }
    bench.root(&phone.enable(&bench, "ann", [9, 10])).ok();
    bench.pass(5 * 60);
    assert!(!may(0));
    assert!(may(10));
    bench.pass(10 * 60);
    bench.root(&phone.resync(&bench, "ann", [-9, -8])).ok();
    bench.pass(5 * 60);
    assert!(!may(0));
    assert!(may(-9));
    // A small drift is accepted.
    bench.pass(10 * 60);
    bench.root(&phone.resync(&bench, "ann", [-3, -2])).ok();
    assert!(may(2));
}

#[test]
fn a_device_that_is_assigned_again_takes_no_old_code() {
    let (bench, _, phone) = with_device();
    let deactivate = format!(
        "Action=DeactivateMFADevice&UserName=ann&SerialNumber={}",
        phone.serial
    );
    bench.root(&deactivate).ok();
    let again = bench.root(&phone.enable(&bench, "ann", [-1, 0]));
    again.refused("InvalidAuthenticationCode", NOT_VALID);
    bench.root(&phone.enable(&bench, "ann", [1, 2])).ok();
}

#[test]
fn eight_devices_at_most() {
    let bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=ann").ok();
    for n in 0..=limits::MFA_DEVICES_PER_USER {
        let device = bench.device(&format!("phone{n}"));
        let answer = bench.root(&device.enable(&bench, "ann", [-1, 0]));
        if n < limits::MFA_DEVICES_PER_USER {
            answer.ok();
        } else {
            answer.refused(
                "LimitExceeded",
                "Cannot exceed quota for MFADevicesPerUser: 8",
            );
        }
    }
    let mut seen = Vec::new();
    let mut marker = String::new();
    for _ in 0..3 {
        let form = format!("Action=ListMFADevices&UserName=ann&MaxItems=3{marker}");
        let page = bench.root(&form);
        seen.extend(page.values("SerialNumber"));
        marker = page.values("Marker").concat();
        if !marker.is_empty() {
            marker.insert_str(0, "&Marker=");
        }
    }
    let all: Vec<_> = (0..8).map(|n| serial(&format!("phone{n}"))).collect();
    assert_eq!((seen, marker), (all, String::new()));
}

#[test]
fn ones_own_devices_are_changed_with_a_code() {
    let (bench, ann, phone) = with_device();
    let spare = bench.device("spare");
    let enable = |codes| spare.enable(&bench, "ann", codes);
    let deactivate = format!("Action=DeactivateMFADevice&SerialNumber={}", phone.serial);
    for form in [enable([-1, 0]), deactivate.clone()] {
        bench
            .call(&ann, &form)
            .refused("AccessDenied", super::WITHOUT_CODE);
    }
    // Other users' devices are for administrators.
    let admin = bench.user("admin", &["IAMFullAccess"]);
    bench.call(&admin, &enable([-1, 0])).ok();
    let safe = with_code(&bench, &ann, &phone);
    bench.call(&safe, &deactivate).ok();
}

#[test]
fn root_has_devices_of_its_own() {
    let bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=root").ok();
    let admin = bench.user("admin", &["AdministratorAccess"]);
    let phone = bench.device("root-account-mfa-device");
    bench.root(&phone.enable(&bench, "root", [-1, 0])).ok();
    let mine = bench.root("Action=ListMFADevices");
    assert_eq!(mine.value("UserName"), "root");
    let display = bench.root("Action=ListVirtualMFADevices");
    assert_eq!(display.value("Arn"), format!("arn:aws:iam::{ACCOUNT}:root"));
    let summary = bench.root("Action=GetAccountSummary");
    let keys = summary.values("key");
    let value = |key: &str| {
        let at = keys.iter().position(|other| other == key).unwrap();
        summary.values("value")[at].clone()
    };
    for (key, count) in [
        ("AccountMFAEnabled", "1"),
        ("MFADevices", "1"),
        ("MFADevicesInUse", "1"),
    ] {
        assert_eq!(value(key), count, "{key}");
    }
    // For anyone else `root` is the user of that name.
    let theirs = bench.call(&admin, "Action=ListMFADevices&UserName=root");
    assert!(theirs.values("SerialNumber").is_empty());
    let named = format!(
        "Action=DeactivateMFADevice&UserName=root&SerialNumber={}",
        phone.serial
    );
    assert_eq!(bench.call(&admin, &named).code(), Some("NoSuchEntity"));
    let unnamed = format!("Action=DeactivateMFADevice&SerialNumber={}", phone.serial);
    let session = TestKeys::of(&bench.root("Action=GetSessionToken"));
    bench
        .call(&session, &unnamed)
        .refused("AccessDenied", super::WITHOUT_CODE);
    // The access key is the way back when the device is lost.
    bench.root(&unnamed).ok();
}

#[test]
fn a_session_with_a_code_says_so_for_as_long_as_it_lasts() {
    let (bench, ann, phone) = with_device();
    let rule = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*",
        "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}}"#;
    let put = format!("Action=PutUserPolicy&UserName=ann&PolicyName=mfa&PolicyDocument={rule}");
    bench.root(&put).ok();
    let plain = TestKeys::of(&bench.call(&ann, "Action=GetSessionToken"));
    let safe = with_code(&bench, &ann, &phone);
    for (keys, allowed) in [(&ann, false), (&plain, false), (&safe, true)] {
        let answer = bench.call(keys, "Action=GetUser");
        assert_eq!(answer.is_success(), allowed);
    }
    let recent = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*",
        "Condition":{"NumericGreaterThan":{"aws:MultiFactorAuthAge":"600"}}}}"#;
    let put = format!("Action=PutUserPolicy&UserName=ann&PolicyName=mfa&PolicyDocument={recent}");
    bench.root(&put).ok();
    bench.pass(600);
    assert!(bench.call(&safe, "Action=GetUser").is_success());
    bench.pass(1);
    assert!(!bench.call(&safe, "Action=GetUser").is_success());
    assert!(bench.call(&ann, "Action=GetUser").is_success());
}

#[test]
fn what_each_action_is_authorized_on() {
    let bench = TestInstallation::new();
    let eve = bench.user("eve", &[]);
    let phone = bench.device("phone").serial;
    let codes = "AuthenticationCode1=123456&AuthenticationCode2=123456";
    let tag = "Tags.member.1.Key=k&Tags.member.1.Value=v";
    let rows = [
        (
            "CreateVirtualMFADevice",
            format!("Path=/x/&VirtualMFADeviceName=n&{tag}"),
            serial("x/n"),
        ),
        (
            "EnableMFADevice",
            format!("UserName=ann&SerialNumber={phone}&{codes}"),
            "user ann".to_owned(),
        ),
        (
            "ResyncMFADevice",
            format!("UserName=ann&SerialNumber={phone}&{codes}"),
            "user ann".to_owned(),
        ),
        (
            "DeactivateMFADevice",
            format!("SerialNumber={phone}"),
            "user eve".to_owned(),
        ),
        ("ListMFADevices", String::new(), "user eve".to_owned()),
        (
            "GetMFADevice",
            format!("SerialNumber={phone}"),
            "user eve".to_owned(),
        ),
        ("ListVirtualMFADevices", String::new(), serial("")),
        (
            "DeleteVirtualMFADevice",
            format!("SerialNumber={phone}"),
            phone.clone(),
        ),
        (
            "TagMFADevice",
            format!("SerialNumber={phone}&{tag}"),
            phone.clone(),
        ),
        (
            "UntagMFADevice",
            format!("SerialNumber={phone}&TagKeys.member.1=k"),
            phone.clone(),
        ),
        (
            "ListMFADeviceTags",
            format!("SerialNumber={phone}"),
            phone.clone(),
        ),
    ];
    for (action, form, resource) in rows {
        let text = format!(
            "User: arn:aws:iam::{ACCOUNT}:user/eve is not authorized to perform: iam:{action} on \
             resource: {resource} because no identity-based policy allows the iam:{action} action"
        );
        let answer = bench.call(&eve, &format!("Action={action}&{form}"));
        answer.refused("AccessDenied", &text);
    }
}
