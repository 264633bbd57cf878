//! Texts recorded from AWS, and malformed forms.

use super::{decode, violation};
use crate::{DecodeFault, Form, iam, sts};

fn at(place: &str, why: &str) -> String {
    format!("Value at '{place}' failed to satisfy constraint: Member must {why}")
}

fn credential(id: &str, status: &str) -> String {
    violation::<iam::UpdateServiceSpecificCredentialInput>(&format!(
        "ServiceSpecificCredentialId={id}&Status={status}"
    ))
}

/// Recorded from AWS in 2026 with the values, in an order that varies from text to text. A
/// recording of 2025 had none.
#[test]
fn sets() {
    let why = at(
        "status",
        "satisfy enum value set: [Active, Inactive, Expired]",
    );
    let found = credential("ACCA12345678901234567", "Off");
    assert_eq!(found, format!("1 validation error detected: {why}"));
}

/// Recorded from AWS, one violation each.
#[test]
fn single_violations() {
    const TAG: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+";
    let key = |key: &str| format!("UserName=a&Tags.member.1.Key={key}&Tags.member.1.Value=");
    let value = "v".repeat(257);
    let value = format!("UserName=a&Tags.member.1.Key=k&Tags.member.1.Value={value}");
    let many: String = (1..52).map(|n| format!("&TagKeys.member.{n}=k")).collect();
    let version = "PolicyArn=arn:aws:iam::aws:policy/P&VersionId=1";
    let pattern = |pattern: &str| format!("satisfy regular expression pattern: {pattern}");
    for (found, place, why) in [
        (
            violation::<iam::CreateUserInput>(&key(&"k".repeat(129))),
            "tags.1.member.key",
            "have length less than or equal to 128".to_owned(),
        ),
        (
            violation::<iam::CreateUserInput>(&value),
            "tags.1.member.value",
            "have length less than or equal to 256".to_owned(),
        ),
        (
            violation::<iam::CreateUserInput>(&key("a%23")),
            "tags.1.member.key",
            pattern(TAG),
        ),
        (
            violation::<iam::UntagUserInput>(&format!("UserName=a{many}")),
            "tagKeys",
            "have length less than or equal to 50".to_owned(),
        ),
        (
            credential("totally-wrong-credential-id", "Active"),
            "serviceSpecificCredentialId",
            pattern(r"[\w]+"),
        ),
        (
            violation::<iam::GetPolicyVersionInput>(version),
            "versionId",
            pattern(r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?"),
        ),
    ] {
        let expected = format!("1 validation error detected: {}", at(place, &why));
        assert_eq!(found, expected);
    }
}

/// Recorded from AWS: paths have their own text, after everything else.
#[test]
fn paths() {
    let words = "is invalid. It must begin and end with / and contain only alphanumeric \
                 characters and/or / characters.";
    for (path, found) in [
        ("a/", format!("The specified value for path {words}")),
        ("/a", format!("The specified value for path {words}")),
        ("/a%20b/", format!("The specified value for path {words}")),
        (
            &"/".repeat(513),
            format!(
                "1 validation error detected: {}",
                at("path", "have length less than or equal to 512")
            ),
        ),
    ] {
        let form = format!("UserName=a&Path={path}");
        assert_eq!(violation::<iam::CreateUserInput>(&form), found, "{path}");
    }
    let policy = "PolicyName=p&PolicyDocument=%7B%7D&Path=/a//b/";
    assert_eq!(
        violation::<iam::CreatePolicyInput>(policy),
        format!("The specified value for path {words}")
    );
    let both = violation::<iam::UpdateUserInput>("UserName=a%20b&NewPath=a");
    let name = at(
        "userName",
        r"satisfy regular expression pattern: [\w+=,.@-]+",
    );
    assert_eq!(both, format!("1 validation error detected: {name}"));
}

/// Recorded from AWS, several violations in AWS's own order.
#[test]
fn several_violations() {
    let provider = format!(
        "Url={}&ClientIDList.member.1=&ThumbprintList.member.1={}",
        "u".repeat(256),
        "a".repeat(90)
    );
    let length = |min: usize, max: usize| {
        format!(
            "satisfy constraint: [Member must have length less than or equal to {max}, \
             Member must have length greater than or equal to {min}]"
        )
    };
    let value = |max: usize| format!("have value less than or equal to {max}");
    for (found, violations) in [
        (
            violation::<iam::CreateOpenIDConnectProviderInput>(&provider),
            [
                at("clientIDList", &length(1, 255)),
                at("thumbprintList", &length(40, 40)),
                at("url", "have length less than or equal to 255"),
            ],
        ),
        (
            violation::<iam::UpdateAccountPasswordPolicyInput>(
                "MaxPasswordAge=1096&MinimumPasswordLength=129&PasswordReusePrevention=25",
            ),
            [
                at("minimumPasswordLength", &value(128)),
                at("passwordReusePrevention", &value(24)),
                at("maxPasswordAge", &value(1095)),
            ],
        ),
    ] {
        let all = violations.join("; ");
        assert_eq!(found, format!("3 validation errors detected: {all}"));
    }
}

#[test]
fn sts_repeats_the_value_but_never_a_secret() {
    let role = "RoleArn=arn:aws:iam::111122223333:role/R";
    let rows = [
        (
            violation::<sts::AssumeRoleInput>(&format!("{role}&RoleSessionName=Session1:2")),
            r"1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*",
        ),
        (
            violation::<sts::AssumeRoleInput>("RoleSessionName=ab"),
            "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
        ),
        (
            violation::<sts::AssumeRoleWithWebIdentityInput>(&format!(
                "{role}&RoleSessionName=ab&WebIdentityToken=abc"
            )),
            "1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: Member must have length greater than or equal to 4",
        ),
    ];
    for (found, expected) in rows {
        assert_eq!(found, expected);
    }
    let text = violation::<sts::AssumeRoleInput>(&format!(
        "{role}&RoleSessionName=ab&TransitiveTagKeys.member.1=a&TransitiveTagKeys.member.2=%23"
    ));
    assert!(
        text.contains("Value '[a, #]' at 'transitiveTagKeys'"),
        "{text}"
    );
}

#[test]
fn violations_are_limited() {
    let tags: String = (1..3000)
        .map(|n| format!("&Tags.member.{n}.Key=%23"))
        .collect();
    let text = violation::<iam::CreateUserInput>(&format!("UserName=a{tags}"));
    assert!(
        text.starts_with("1 validation error detected: Value at 'tags' "),
        "{text}"
    );
    let contexts: String = (1..3000)
        .map(|n| format!("&ContextEntries.member.{n}.ContextKeyName=a"))
        .collect();
    let text = violation::<iam::SimulateCustomPolicyInput>(&format!(
        "PolicyInputList.member.1=p&ActionNames.member.1=s3:Get{contexts}"
    ));
    assert!(
        text.starts_with("100 validation errors detected: "),
        "{}",
        text.chars().take(60).collect::<String>()
    );
}

#[test]
fn what_is_no_form() {
    for body in ["a=%", "a=%4", "a=%zz", "%G0=1", "a=%+1", "a=%\u{e9}"] {
        assert!(Form::parse(body.as_bytes()).is_err(), "{body}");
    }
    for body in [
        "Tags=x",
        "Tags.member.2.Key=k&Tags.member.2.Value=",
        "Tags.member.1.Key=k&Tags.member.01.Key=k",
    ] {
        let fault = decode::<iam::CreateUserInput>(&format!("UserName=a&{body}"));
        assert!(
            matches!(fault, Err(DecodeFault::Malformed(_))),
            "{body}: {fault:?}"
        );
    }
    for (body, tags) in [("", None), ("&Tags=", Some(vec![]))] {
        let input: iam::CreateUserInput = decode(&format!("UserName=a{body}")).unwrap();
        assert_eq!(input.tags, tags, "{body}");
    }
    for (flag, expected) in [
        ("1", Some(true)),
        ("false", Some(false)),
        ("True", None),
        ("", None),
    ] {
        let read = decode::<iam::UpdateLoginProfileInput>(&format!(
            "UserName=a&PasswordResetRequired={flag}"
        ));
        assert_eq!(
            read.ok().and_then(|input| input.password_reset_required),
            expected,
            "{flag}"
        );
    }
}

#[test]
fn ten_thousand_parameters_and_jumps_are_read() {
    let body: String = (1..9990)
        .map(|n| format!("&ActionNames.member.{n}=s3:G{n}"))
        .collect();
    let input: iam::SimulateCustomPolicyInput =
        decode(&format!("PolicyInputList.member.1=p{body}")).unwrap();
    assert_eq!(input.action_names.len(), 9989);
    assert_eq!(input.action_names[9], "s3:G10");
    let jump: iam::UntagUserInput =
        decode("UserName=a&TagKeys.member.11=b&TagKeys.member.1=a").unwrap();
    assert_eq!(jump.tag_keys, ["a", "b"]);
}
