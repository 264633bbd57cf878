//! Texts as they were recorded from AWS, and what is no form.

use super::{decode, violation};
use crate::{DecodeFault, Form, iam, sts};

/// Recorded from AWS, several at once in AWS's own order.
#[test]
fn recorded_validation_texts() {
    let tag = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+";
    let ninety = "a".repeat(90);
    let k129 = format!(
        "UserName=a&Tags.member.1.Key={}&Tags.member.1.Value=",
        "k".repeat(129)
    );
    let v257 = format!(
        "UserName=a&Tags.member.1.Key=k&Tags.member.1.Value={}",
        "v".repeat(257)
    );
    let many: String = (1..52).map(|n| format!("&TagKeys.member.{n}=k")).collect();
    let provider = format!(
        "Url={}&ClientIDList.member.1=&ThumbprintList.member.1={ninety}",
        "u".repeat(256)
    );
    let at = |place: &str, why: &str| {
        format!("Value at '{place}' failed to satisfy constraint: Member must {why}")
    };
    let one = |text: String| format!("1 validation error detected: {text}");
    let rows = [
        (
            violation::<iam::CreateUserInput>(&k129),
            one(at(
                "tags.1.member.key",
                "have length less than or equal to 128",
            )),
        ),
        (
            violation::<iam::CreateUserInput>(&v257),
            one(at(
                "tags.1.member.value",
                "have length less than or equal to 256",
            )),
        ),
        (
            violation::<iam::CreateUserInput>(
                "UserName=a&Tags.member.1.Key=a%23&Tags.member.1.Value=",
            ),
            one(at(
                "tags.1.member.key",
                &format!("satisfy regular expression pattern: {tag}"),
            )),
        ),
        (
            violation::<iam::UntagUserInput>(&format!("UserName=a{many}")),
            one(at("tagKeys", "have length less than or equal to 50")),
        ),
        (
            violation::<iam::UpdateServiceSpecificCredentialInput>(
                "ServiceSpecificCredentialId=ACCA12345678901234567&Status=Off",
            ),
            one(at("status", "satisfy enum value set")),
        ),
        (
            violation::<iam::UpdateServiceSpecificCredentialInput>(
                "ServiceSpecificCredentialId=totally-wrong-credential-id&Status=Active",
            ),
            one(at(
                "serviceSpecificCredentialId",
                r"satisfy regular expression pattern: [\w]+",
            )),
        ),
        (
            violation::<iam::GetPolicyVersionInput>(
                "PolicyArn=arn:aws:iam::aws:policy/P&VersionId=1",
            ),
            one(at(
                "versionId",
                r"satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?",
            )),
        ),
        (
            violation::<iam::CreateOpenIDConnectProviderInput>(&provider),
            format!(
                "3 validation errors detected: {}; {}; {}",
                at(
                    "clientIDList",
                    "satisfy constraint: [Member must have length less than or equal to 255, Member must have length greater than or equal to 1]"
                ),
                at(
                    "thumbprintList",
                    "satisfy constraint: [Member must have length less than or equal to 40, Member must have length greater than or equal to 40]"
                ),
                at("url", "have length less than or equal to 255"),
            ),
        ),
        (
            violation::<iam::UpdateAccountPasswordPolicyInput>(
                "MaxPasswordAge=1096&MinimumPasswordLength=129&PasswordReusePrevention=25",
            ),
            format!(
                "3 validation errors detected: {}; {}; {}",
                at(
                    "minimumPasswordLength",
                    "have value less than or equal to 128"
                ),
                at(
                    "passwordReusePrevention",
                    "have value less than or equal to 24"
                ),
                at("maxPasswordAge", "have value less than or equal to 1095"),
            ),
        ),
    ];
    for (found, expected) in rows {
        assert_eq!(found, expected);
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
        &text[..60]
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
