//! Golden tests: responses, AWS's validation texts, and the errors for malformed forms.

mod recorded;

use keywright_base::{Secret, Timestamp, WireError};
use proptest::prelude::*;

use crate::{
    Decode, DecodeFault, Form, OperationShape, Service, answer, error_answer, iam, operation,
    operations, pattern, percent_encode_document, sts,
};

fn decode<T: Decode>(body: &str) -> Result<T, DecodeFault> {
    T::decode(&Form::parse(body.as_bytes()).unwrap())
}

fn violation<T: Decode + std::fmt::Debug>(body: &str) -> String {
    match decode::<T>(body) {
        Err(DecodeFault::Validation(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// Rows: a form, and whether it has a value at or below `A`.
#[test]
fn a_value_below_a_name_begins_with_it_and_a_dot() {
    for (form, expected) in [
        ("", false),
        ("A=1", true),
        ("A.b=1", true),
        ("A%2Eb=1", true),
        ("A!=1&A-b=1&A.b.c=1&A0=1&B=1", true),
        ("A!=1&A-b=1&A/=1&A0=1&B=1", false),
        ("AB=1", false),
        ("AB.c=1", false),
        ("a.b=1", false),
        ("@=1", false),
    ] {
        let parsed = Form::parse(form.as_bytes()).unwrap();
        assert_eq!(parsed.scope().member("A").is_given(), expected, "{form}");
    }
}

#[test]
fn a_nested_input() {
    let body = "Action=CreateUser&Version=2010-05-08&UserName=bob&Path=%2Fteam%2F\
                &Tags.member.1.Key=a+b&Tags.member.1.Value=&Tags.member.02.Key=c\
                &Tags.member.02.Value=%C3%A9&Unknown=1";
    let input: iam::CreateUserInput = decode(body).unwrap();
    assert_eq!(
        (&*input.user_name, input.path.as_deref()),
        ("bob", Some("/team/"))
    );
    let tags: Vec<_> = input
        .tags
        .unwrap()
        .into_iter()
        .map(|tag| (tag.key, tag.value))
        .collect();
    assert_eq!(
        tags,
        [("a b".into(), String::new()), ("c".into(), "é".into())]
    );
}

#[test]
fn validation_texts() {
    let rows = [
        (
            "UserName=a%20b",
            r"1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+",
        ),
        (
            "",
            "1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must not be null",
        ),
        (
            "UserName=a&Tags.member.1.Key=&Tags.member.1.Value=v",
            r"2 validation errors detected: Value at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1; Value at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+",
        ),
    ];
    for (body, text) in rows {
        assert_eq!(violation::<iam::CreateUserInput>(body), text, "{body}");
    }
    let long = format!("UserName={}", "a".repeat(65));
    assert!(violation::<iam::CreateUserInput>(&long).ends_with("less than or equal to 64"));
    let policy = "MinimumPasswordLength=129&MaxPasswordAge=0";
    assert_eq!(
        violation::<iam::UpdateAccountPasswordPolicyInput>(policy)
            .matches("failed to satisfy constraint")
            .count(),
        2
    );
}

#[test]
fn lists_of_strings_name_all_constraints_and_sts_echoes() {
    let text = violation::<iam::UntagUserInput>("UserName=a&TagKeys.member.1=%00");
    assert_eq!(
        text,
        r"1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+, Member must not be null]"
    );
    let text = violation::<sts::GetSessionTokenInput>("DurationSeconds=1");
    assert!(text.contains("Value '1' at 'durationSeconds'"), "{text}");
}

#[test]
fn malformed_scalars_and_indexes() {
    for body in [
        "MaxItems=1.5",
        "MaxItems=%201",
        "MaxItems=1e2",
        "MaxItems=2147483648",
        "MaxItems=",
    ] {
        let fault = decode::<iam::ListUsersInput>(body);
        assert!(matches!(fault, Err(DecodeFault::Malformed(_))), "{body}");
    }
    for good in ["MaxItems=01", "MaxItems=%2B1"] {
        assert_eq!(
            decode::<iam::ListUsersInput>(good).unwrap().max_items,
            Some(1)
        );
    }
    for index in ["0", "-1", "x", "99", "4294967296"] {
        let body = format!("UserName=a&TagKeys.member.{index}=k");
        let fault = decode::<iam::UntagUserInput>(&body);
        assert!(matches!(fault, Err(DecodeFault::Malformed(_))), "{index}");
    }
    for body in [&b"a=1&a=2"[..], b"a=%FF", b"%C3=1"] {
        assert!(Form::parse(body).is_err());
    }
    let many = "x&".repeat(20_000);
    assert!(Form::parse(many.as_bytes()).is_err());
}

#[test]
fn answers() {
    let output = iam::CreateAccessKeyOutput {
        access_key: iam::AccessKey {
            user_name: "bob".into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            status: "Active".into(),
            secret_access_key: Secret::new("a/<&>".into()),
            create_date: Some(Timestamp::from_secs(0)),
        },
    };
    assert_eq!(
        answer(iam::CreateAccessKey::OPERATION, &output, "r"),
        "<CreateAccessKeyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <CreateAccessKeyResult><AccessKey><UserName>bob</UserName>\
         <AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Active</Status>\
         <SecretAccessKey>a/&lt;&amp;&gt;</SecretAccessKey>\
         <CreateDate>1970-01-01T00:00:00Z</CreateDate></AccessKey></CreateAccessKeyResult>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></CreateAccessKeyResponse>"
    );
    assert_eq!(
        answer(iam::DeleteUser::OPERATION, &(), "r"),
        "<DeleteUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DeleteUserResponse>"
    );
    let empty = answer(
        iam::ListUsers::OPERATION,
        &iam::ListUsersOutput::default(),
        "r",
    );
    assert!(empty.contains("<Users/>"), "{empty}");
}

#[test]
fn errors() {
    assert_eq!(
        error_answer(
            Service::Iam,
            &WireError::new(404, "NoSuchEntity", "a<b"),
            "r"
        ),
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error>\
         <Type>Sender</Type><Code>NoSuchEntity</Code><Message>a&lt;b</Message></Error>\
         <RequestId>r</RequestId></ErrorResponse>"
    );
    let silent = error_answer(Service::Sts, &WireError::silent(500, "X"), "r");
    assert!(!silent.contains("Message") && silent.contains("Receiver"));
}

#[test]
fn documents_travel_percent_encoded() {
    assert_eq!(
        percent_encode_document("{\"a\": 1}~"),
        "%7B%22a%22%3A%201%7D~"
    );
}

#[test]
fn every_operation_is_found_under_its_own_name() {
    let of_aws = |each: &&crate::Operation| each.service != Service::Keywright;
    assert_eq!(operations().filter(of_aws).count(), 254);
    for each in operations() {
        let found = operation(each.service, each.service.version(), each.name).unwrap();
        assert!(std::ptr::eq(found, each));
        assert_eq!(
            each.policy_action,
            format!("{}:{}", each.service.scope_name(), each.name)
        );
    }
    assert!(operation(Service::Iam, "2010-05-08", "createuser").is_none());
    assert!(operation(Service::Iam, "2010-05-09", "CreateUser").is_none());
}

#[test]
fn every_pattern_of_the_models_is_known() {
    let tables = [
        include_str!("generated/iam/constraints.rs"),
        include_str!("generated/sts/constraints.rs"),
        include_str!("generated/keywright/constraints.rs"),
    ];
    let mut seen = 0;
    for rest in tables
        .iter()
        .flat_map(|table| table.split("Some(r\"").skip(1))
    {
        let pattern = rest.split_once("\")").unwrap().0;
        assert!(pattern::is_known(pattern), "{pattern}");
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn patterns() {
    let path = r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)";
    let alias = r"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$";
    let name = r"[\w+=,.@-]+";
    let tag = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+";
    let rows = [
        (path, "/", true),
        (path, "/a//b/", true),
        (path, "//", false),
        (path, "/a", false),
        (path, "/a b/", false),
        (alias, "my-alias", true),
        (alias, "my--alias", false),
        (alias, "-a1", false),
        (name, "é", false),
        (name, "a\n", false),
        (name, "", false),
        (tag, "é 字 ½", true),
        (tag, "a#b", false),
        (tag, "a\tb", false),
        ("no such pattern", "a", false),
    ];
    for (pattern, text, expected) in rows {
        assert_eq!(
            pattern::matches(pattern, text),
            expected,
            "{pattern} on {text:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_form_panics(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(form) = Form::parse(&body) {
            let _ = iam::CreateUserInput::decode(&form);
            let _ = iam::SimulateCustomPolicyInput::decode(&form);
        }
    }
}
