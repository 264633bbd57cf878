//! What is read from JSON, and what is refused with which reason.

use keywright_base::{Secret, Timestamp, WireError};

use crate::{
    Decode, DecodeFault, Form, InvalidMember, OperationShape, Service, answer, error_answer,
    organizations,
};

type CreateAccount = <organizations::CreateAccount as OperationShape>::Input;

const TARGET: Option<&str> = Some("AWSOrganizationsV20161128.CreateAccount");

fn decode(body: &str) -> Result<CreateAccount, DecodeFault> {
    let form = Form::parse_json(TARGET, body.as_bytes()).map_err(DecodeFault::Malformed)?;
    CreateAccount::decode(&form)
}

#[test]
fn the_target_names_operation_and_version() {
    for (target, action, version) in [
        (TARGET, Some("CreateAccount"), Some("2016-11-28")),
        (
            Some("AWSOrganizationsV20171128.X"),
            Some("X"),
            Some("2017-11-28"),
        ),
        (Some("Other.X"), Some("X"), Some("")),
        (Some("CreateAccount"), None, None),
        (None, None, None),
    ] {
        let form = Form::parse_json(target, b"{\"Action\":\"no\",\"Version\":\"no\"}").unwrap();
        assert_eq!(
            (form.action(), form.version()),
            (action, version),
            "{target:?}"
        );
    }
}

#[test]
fn members_and_elements_are_read() {
    let body = r#"{"Email": "a@b.cd", "AccountName": "A", "RoleName": null,
        "Tags": [{"Key": "k", "Value": ""}, {"Key": "\u00e9", "Value": "v"}]}"#;
    let input = decode(body).unwrap();
    assert_eq!(input.email.expose(), "a@b.cd");
    assert_eq!(input.role_name, None);
    let tags: Vec<_> = input.tags.unwrap();
    let tags: Vec<_> = tags.iter().map(|tag| (&*tag.key, &*tag.value)).collect();
    assert_eq!(tags, [("k", ""), ("é", "v")]);
}

#[test]
fn what_is_no_request() {
    let deep = format!("{{\"Tags\":{}{}}}", "[".repeat(40), "]".repeat(40));
    for body in [
        "[]",
        "{",
        "\"x\"",
        "{\"a\":1}{}",
        &deep,
        // Another type than the model's.
        r#"{"Email": 5, "AccountName": "A"}"#,
        r#"{"Email": "a@b.cd", "AccountName": ["A"]}"#,
        r#"{"Email": "a@b.cd", "AccountName": "A", "Tags": {"Key": "k"}}"#,
        r#"{"Email": "a@b.cd", "AccountName": "A", "Tags": ["k"]}"#,
    ] {
        let fault = decode(body).unwrap_err();
        assert!(
            matches!(fault, DecodeFault::Malformed(_)),
            "{body}: {fault:?}"
        );
    }
    let many: Vec<_> = (0..20_000)
        .map(|number| format!("\"m{number}\":1"))
        .collect();
    let many = format!("{{{}}}", many.join(","));
    assert!(Form::parse_json(TARGET, many.as_bytes()).is_err());
}

#[test]
fn violations_have_reasons() {
    let tag = |key: &str| {
        format!(r#"{{"Email":"a@b.cd","AccountName":"A","Tags":[{{"Key":"{key}","Value":""}}]}}"#)
    };
    for (body, reason) in [
        ("", InvalidMember::Missing),
        (r#"{"Email": "a@b.cd"}"#, InvalidMember::Missing),
        (
            r#"{"Email": "nobody", "AccountName": "A"}"#,
            InvalidMember::Pattern,
        ),
        (
            r#"{"Email": "a@b.c", "AccountName": "A"}"#,
            InvalidMember::Short,
        ),
        (
            r#"{"Email": "a@b.cd", "AccountName": "\n"}"#,
            InvalidMember::Pattern,
        ),
        (
            r#"{"Email": "a@b.cd", "AccountName": "A", "IamUserAccessToBilling": "x"}"#,
            InvalidMember::Enumeration,
        ),
        (
            r#"{"Email": "a@b.cd", "AccountName": "A", "No": 1}"#,
            InvalidMember::Unknown,
        ),
        // A dot does not lead into another member.
        (
            r#"{"Email": "a@b.cd", "Account.Name": "A"}"#,
            InvalidMember::Missing,
        ),
        (&*tag(&"k".repeat(129)), InvalidMember::Long),
        (&*tag(""), InvalidMember::Short),
    ] {
        assert_eq!(
            decode(body),
            Err(DecodeFault::InvalidInput(reason)),
            "{body}"
        );
    }
}

#[test]
fn responses_are_json() {
    let account = organizations::Account {
        id: Some("123456789012".to_owned()),
        name: Some(Secret::new("a\"\\\n\u{1}é".to_owned())),
        paths: Some(vec!["p".to_owned(), "q[".to_owned()]),
        joined_timestamp: Some(Timestamp::from_millis(1_500)),
        ..organizations::Account::default()
    };
    let output = organizations::ListAccountsOutput {
        accounts: Some(vec![
            account.clone(),
            organizations::Account::default(),
            account,
        ]),
        next_token: Some("t".to_owned()),
    };
    let operation = <organizations::ListAccounts as OperationShape>::OPERATION;
    let text = answer(operation, &output, "id");
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    let one = serde_json::json!({
        "Id": "123456789012",
        "Name": "a\"\\\n\u{1}é",
        "Paths": ["p", "q["],
        "JoinedTimestamp": 1.5,
    });
    let expected = serde_json::json!({ "Accounts": [one, {}, one], "NextToken": "t" });
    assert_eq!(read, expected, "{text}");
    let empty = organizations::ListAccountsOutput {
        accounts: Some(Vec::new()),
        next_token: None,
    };
    assert_eq!(answer(operation, &empty, "id"), r#"{"Accounts":[]}"#);
    let moved = <organizations::MoveAccount as OperationShape>::OPERATION;
    assert_eq!(answer(moved, &(), "id"), "");
    let summary = organizations::PolicySummary {
        aws_managed: Some(true),
        ..organizations::PolicySummary::default()
    };
    let listed = organizations::ListPoliciesOutput {
        policies: Some(vec![summary]),
        next_token: None,
    };
    let operation = <organizations::ListPolicies as OperationShape>::OPERATION;
    assert_eq!(
        answer(operation, &listed, "id"),
        r#"{"Policies":[{"AwsManaged":true}]}"#
    );
}

#[test]
fn errors_name_their_type() {
    let error = WireError::new(400, "InvalidInputException", "no").with("Reason", "INVALID_ENUM");
    assert_eq!(
        error_answer(Service::Organizations, &error, "id"),
        r#"{"__type":"InvalidInputException","Message":"no","Reason":"INVALID_ENUM"}"#
    );
}
