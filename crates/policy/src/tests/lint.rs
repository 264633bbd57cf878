//! Lint: each finding has a case that triggers it and one that does not, and points at the right
//! position.

use crate::{
    ActionCatalogue, DocumentKind, LintFinding, Severity, TextPosition, lint,
    lint::escalation::ESCALATIONS,
};

/// Findings as `code at text`.
fn found(text: &str, kind: DocumentKind<'_>) -> Vec<String> {
    let place = |f: LintFinding| {
        format!(
            "{} at {}",
            f.code,
            text.get(f.span.start..f.span.end).unwrap()
        )
    };
    lint(text, kind).into_iter().map(place).collect()
}

fn statement(text: &str) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": {text}}}]}}"#)
}

#[test]
fn findings_of_identity_policies() {
    let rows: &[(&str, &[&str])] = &[
        (
            r#""Allow", "Action": "*", "Resource": "*""#,
            &[r#"everything at "*""#],
        ),
        (r#""Deny", "Action": "*", "Resource": "*""#, &[]),
        (
            r#""Allow", "Action": "*", "Resource": "arn:aws:iam::123456789012:user/ann""#,
            &[r#"escalation at "*""#],
        ),
        (
            r#""Allow", "Action": "*", "Resource": "arn:aws:s3:::b""#,
            &[],
        ),
        (
            r#""Allow", "Action": "lambda:Update*", "Resource": "*""#,
            &[r#"escalation at "lambda:Update*""#],
        ),
        (
            r#""Allow", "Action": "lambda:UpdateFunctionCode",
               "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:f""#,
            &[],
        ),
        (
            r#""Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"a": "true"}}"#,
            &[],
        ),
        (
            r#""Allow", "Action": ["s3:*", "iam:*"], "Resource": "*""#,
            &[r#"escalation at "s3:*""#, r#"escalation at "iam:*""#],
        ),
        (
            r#""Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]"#,
            &[],
        ),
        (
            r#""Allow", "Action": "s3:PutBucketPolicy", "Resource": "arn:aws:s3:::app-*""#,
            &[r#"escalation at "s3:PutBucketPolicy""#],
        ),
        (
            r#""Allow", "Action": "iam:Create*", "Resource": "arn:aws:iam::*:user/${aws:username}""#,
            &[],
        ),
        (
            r#""Allow", "Action": "iam:*Policy*", "Resource": "arn:aws:iam::*:policy/team/*""#,
            &[r#"escalation at "iam:*Policy*""#],
        ),
        (
            r#""Allow", "Action": "iam:AddUserToGroup", "Resource": "arn:aws:iam::*:user/*""#,
            &[],
        ),
        (
            r#""Allow", "Action": "iam:CreateAccessKey",
               "Resource": "arn:aws:iam::*:user/${aws:username}*""#,
            &[r#"escalation at "iam:CreateAccessKey""#],
        ),
        (
            r#""Allow", "Action": "iam:AttachUserPolicy", "Resource": "*",
               "Condition": {"Bool": {"aws:SecureTransport": "true"},
                             "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#,
            &[r#"escalation at "iam:AttachUserPolicy""#],
        ),
        (
            r#""Allow", "Action": "iam:AttachUserPolicy", "Resource": "*",
               "Condition": {"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/ReadOnlyAccess"}}"#,
            &[],
        ),
        (
            r#""Allow", "Action": "*", "Resource": "*",
               "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}"#,
            &[r#"everything at "*""#],
        ),
        (
            r#""Allow", "NotAction": ["s3:*", "sts:*", "keywright:*"],
               "NotResource": "arn:aws:s3:::b""#,
            &[
                r#"allow-all-but at ["s3:*", "sts:*", "keywright:*"]"#,
                r#"escalation at ["s3:*", "sts:*", "keywright:*"]"#,
                r#"allow-all-but at "arn:aws:s3:::b""#,
            ],
        ),
        (
            r#""Allow", "Action": "iam:CreateAccessKey", "Resource": "*""#,
            &[r#"escalation at "iam:CreateAccessKey""#],
        ),
        (
            r#""Allow", "Action": "iam:CreateAccessKey",
               "Resource": "arn:aws:iam::*:user/${aws:username}""#,
            &[],
        ),
        (
            r#""Allow", "Action": "keywright:*", "Resource": "*""#,
            &[r#"escalation at "keywright:*""#],
        ),
        (
            r#""Allow", "Action": ["keywright:StartRotation", "keywright:RetrieveRotationKey"],
               "Resource": "arn:aws:iam::*:user/${aws:username}""#,
            &[],
        ),
        (
            r#""Allow", "Action": "iam:PutUserPolicy",
               "Resource": "arn:aws:iam::*:user/${aws:username}""#,
            &[r#"escalation at "iam:PutUserPolicy""#],
        ),
        (
            r#""Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/*""#,
            &[r#"escalation at "iam:PassRole""#],
        ),
        (
            r#""Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/r""#,
            &[],
        ),
        (
            r#""Allow", "Action": "iam:PassRole", "Resource": "*",
               "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}"#,
            &[],
        ),
        (
            r#""Allow", "NotAction": "iam:*", "Resource": "*""#,
            &[r#"allow-all-but at "iam:*""#, r#"escalation at "iam:*""#],
        ),
        (
            r#""Allow", "Action": "s3:GetObject", "NotResource": ["arn:aws:s3:::b"]"#,
            &[r#"allow-all-but at ["arn:aws:s3:::b"]"#],
        ),
        (
            r#""Allow", "Action": ["s3:GetObjekt", "s3:GetObject"], "Resource": "*""#,
            &[r#"no-such-action at "s3:GetObjekt""#],
        ),
        (
            r#""Allow", "Action": "ec2:Whatever", "Resource": "*""#,
            &[r#"no-such-action at "ec2:Whatever""#],
        ),
        (
            r#""Allow", "Action": "s3:Fetch*", "Resource": "*""#,
            &[r#"no-such-action at "s3:Fetch*""#],
        ),
        (
            r#""Allow", "Action": "s3:GetObject", "Resource": "*",
               "Condition": {"StringEquals": {"aws:TagKeys": ["a"]}}"#,
            &[r#"list-without-set at ["a"]"#],
        ),
        (
            r#""Allow", "Action": "s3:GetObject", "Resource": "*",
               "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}"#,
            &[r#"for-all-without-null at ["a"]"#],
        ),
        (
            r#""Allow", "Action": "s3:GetObject", "Resource": "*",
               "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]},
                             "Null": {"aws:TagKeys": "false"}}"#,
            &[],
        ),
    ];
    for (text, findings) in rows {
        assert_eq!(
            found(&statement(text), DocumentKind::Managed),
            *findings,
            "{text}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row a case")]
fn findings_of_trust_in_identity_providers() {
    let of = |effect: &str, provider: &str, condition: &str| {
        let text = statement(&format!(
            r#""{effect}", "Action": "sts:AssumeRoleWithWebIdentity",
               "Principal": {{"Federated": {provider}}}, "Condition": {condition}"#
        ));
        let findings = lint(&text, DocumentKind::Trust);
        let codes = findings.into_iter().map(|it| it.code);
        codes
            .filter(|code| *code != "for-all-without-null")
            .collect::<Vec<_>>()
    };
    let arn = r#""arn:aws:iam::123456789012:oidc-provider/idp.example.com/t""#;
    let (open, closed, foreign) = (vec!["any-token"], vec![], vec!["foreign-claim"]);
    let both = vec!["any-token", "foreign-claim"];
    for (condition, expected) in [
        ("{}", &open),
        (r#"{"StringEquals": {"idp.example.com/t:aud": "a"}}"#, &open),
        (
            r#"{"StringEquals": {"idp.example.com/t:sub": "a"}}"#,
            &closed,
        ),
        (
            r#"{"StringEquals": {"IDP.example.com/T:SUB": "a"}}"#,
            &closed,
        ),
        (
            r#"{"StringLike": {"idp.example.com/t:sub": "a:*"}}"#,
            &closed,
        ),
        (
            r#"{"StringLike": {"idp.example.com/t:sub": ["a:*", "*"]}}"#,
            &open,
        ),
        (r#"{"StringLike": {"idp.example.com/t:sub": "?*"}}"#, &open),
        (
            r#"{"StringNotLike": {"idp.example.com/t:sub": "a:*"}}"#,
            &open,
        ),
        (
            r#"{"StringNotEquals": {"idp.example.com/t:sub": "a"}}"#,
            &open,
        ),
        (
            r#"{"StringLikeIfExists": {"idp.example.com/t:sub": "a"}}"#,
            &open,
        ),
        (r#"{"Null": {"idp.example.com/t:sub": "false"}}"#, &open),
        (
            r#"{"StringEquals": {"idp.example.com/t:repository": "a"}}"#,
            &closed,
        ),
        (
            r#"{"ForAnyValue:StringEquals": {"idp.example.com/t:groups": "a"}}"#,
            &closed,
        ),
        (
            r#"{"ForAllValues:StringEquals": {"idp.example.com/t:groups": "a"}}"#,
            &open,
        ),
        (
            r#"{"ForAllValues:StringEquals": {"idp.example.com/t:sub": "a"}}"#,
            &closed,
        ),
        (
            r#"{"ForAnyValue:StringEquals": {"idp.example.com/t:amr": "mfa"}}"#,
            &open,
        ),
        (r#"{"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}"#, &open),
        (r#"{"StringEquals": {"idp.example.com:sub": "a"}}"#, &both),
        (
            r#"{"StringEquals": {"idp.example.com/t:sub": "a", "other.example.com:aud": "b"}}"#,
            &foreign,
        ),
        (
            r#"{"StringEquals": {"idp.example.com/t:sub": "a", "sts:RoleSessionName": "b",
                "aws:RequestTag/x": "y"}}"#,
            &closed,
        ),
    ] {
        assert_eq!(of("Allow", arn, condition), *expected, "{condition}");
    }
    let condition = r#"{"StringEquals": {"other.example.com:sub": "a"}}"#;
    assert_eq!(of("Deny", arn, condition), foreign);
    let own = r#"{"StringEquals": {"idp.example.com/t:aud": "a"}}"#;
    assert_eq!(of("Deny", arn, own), closed);
    // One of two providers is open.
    let two =
        r#"["accounts.google.com", "arn:aws:iam::123456789012:oidc-provider/idp.example.com/t"]"#;
    let one = r#"{"StringEquals": {"accounts.google.com:sub": "a"}}"#;
    assert_eq!(of("Allow", two, one), open);
    // The audience of a provider that is built into AWS is an app of the account's own.
    let cognito = r#""cognito-identity.amazonaws.com""#;
    let pool = r#"{"StringEquals": {"cognito-identity.amazonaws.com:aud": "us-east-1:x"}}"#;
    assert_eq!(of("Allow", cognito, pool), closed);
    let saml = r#""arn:aws:iam::123456789012:saml-provider/p""#;
    let audience = r#"{"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}"#;
    assert_eq!(of("Allow", saml, audience), closed);
    assert_eq!(of("Allow", saml, "{}"), open);
}

#[test]
fn findings_of_trust_and_bucket_policies() {
    let trust = |principal: &str| {
        statement(&format!(
            r#""Allow", "Action": "sts:AssumeRole", "Principal": {principal}"#
        ))
    };
    assert_eq!(
        found(&trust(r#"{"AWS": "*"}"#), DocumentKind::Trust),
        [r#"public at {"AWS": "*"}"#]
    );
    assert_eq!(
        found(&trust(r#"{"AWS": "123456789012"}"#), DocumentKind::Trust),
        [""; 0]
    );
    let token = r#"{"Federated": "accounts.google.com"}"#;
    assert_eq!(
        found(&trust(token), DocumentKind::Trust),
        [format!("any-token at {token}")]
    );
    let bucket = statement(
        r#""Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*""#,
    );
    assert_eq!(
        found(&bucket, DocumentKind::Bucket { bucket: "b" }),
        [r#"public at "*""#]
    );
    for (condition, public) in [
        (r#"{"Bool": {"aws:SecureTransport": "true"}}"#, true),
        (r#"{"StringLike": {"aws:Referer": "https://x/*"}}"#, true),
        (r#"{"StringLike": {"aws:SourceVpc": "vpc-*"}}"#, true),
        (r#"{"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}"#, false),
    ] {
        let limited = statement(&format!(
            r#""Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
               "Condition": {condition}"#
        ));
        let found = found(&limited, DocumentKind::Bucket { bucket: "b" });
        assert_eq!(!found.is_empty(), public, "{condition}");
    }
    let refused = statement(
        r#""Allow", "NotPrincipal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*""#,
    );
    let [refused] = lint(&refused, DocumentKind::Bucket { bucket: "b" })
        .try_into()
        .unwrap();
    assert_eq!(refused.message, "Allow with NotPrincipal is not allowed.");
}

#[test]
fn errors_come_alone_and_point_at_the_byte() {
    let text = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [x]}";
    let [finding] = lint(text, DocumentKind::Managed).try_into().unwrap();
    assert_eq!(finding.severity, Severity::Error);
    assert_eq!(finding.message, "Syntax errors in policy.");
    assert_eq!(finding.hint, "expected a JSON value");
    let position = TextPosition::of(text, finding.span.start);
    assert_eq!((position.line, position.column), (3, 17));
    for lines in ["é\nü", "é\rü", "é\r\nü"] {
        let end = TextPosition::of(lines, 100);
        assert_eq!((end.line, end.column), (2, 2), "{lines:?}");
    }
}

/// A violation is reported at its position, with a hint.
#[test]
fn refusals_point_at_what_is_wrong() {
    let good = r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}"#;
    let rows = [
        (
            r#""Allow", "Action": "s3:GetObject", "Resource": ["*", "bucket"]"#,
            r#""bucket""#,
            "an ARN",
        ),
        (
            r#""Allow", "Action": ["GetObject"], "Resource": "*""#,
            r#"["GetObject"]"#,
            "service:Action",
        ),
        (
            r#""Allow", "Action": "s3:GetObject", "Resource": "arn:aws:iam:eu-west-1:1:user/x""#,
            r#""arn:aws:iam:eu-west-1:1:user/x""#,
            "region",
        ),
        (r#""Allow", "Action": "s3:GetObject""#, "", "Resource"),
        (
            r#""allow", "Action": "s3:GetObject", "Resource": "*""#,
            "",
            "Effect",
        ),
        (
            r#""Allow", "Action": "s3:GetObject", "Resource": "*", "Principal": "*""#,
            r#""*""#,
            "Principal",
        ),
    ];
    for (wrong, at, hint) in rows {
        let wrong = format!(r#"{{"Effect": {wrong}}}"#);
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{good}, {wrong}]}}"#);
        let [finding] = lint(&text, DocumentKind::Managed).try_into().unwrap();
        let display = text.get(finding.span.start..finding.span.end).unwrap();
        let expected = if at.is_empty() { wrong.as_str() } else { at };
        assert_eq!(display, expected, "{}", finding.message);
        assert_eq!(finding.statement, Some(1), "{}", finding.message);
        assert!(
            finding.hint.contains(hint),
            "{}: {}",
            finding.message,
            finding.hint
        );
    }
    let twice = r#"{"Version": "2012-10-17", "Statement": [
        {"Sid": "a", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
        {"Sid": "a", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}"#;
    let [finding] = lint(twice, DocumentKind::Managed).try_into().unwrap();
    assert_eq!((finding.statement, finding.span.end), (None, twice.len()));
    assert!(finding.hint.contains("Sid"));
}

#[test]
fn variables_without_version() {
    let text = r#"{"Statement": {"Effect": "Allow", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/${aws:username}"}}"#;
    assert_eq!(
        found(text, DocumentKind::Inline),
        ["version at ${aws:username}"]
    );
}

#[test]
fn a_near_name_is_suggested() {
    let text = statement(r#""Deny", "Action": "iam:CreateAcessKeys", "Resource": "*""#);
    let [finding] = lint(&text, DocumentKind::Managed).try_into().unwrap();
    assert_eq!(finding.message, "there is no action iam:CreateAcessKeys");
    assert_eq!(finding.hint, "did you mean iam:CreateAccessKey?");
}

/// The list of escalations names only existing actions, and each is found by itself.
#[test]
fn every_escalation_is_an_action() {
    for way in ESCALATIONS {
        let service = way.action.split(':').next().unwrap();
        if ActionCatalogue::built_in().knows(service) {
            let action = ActionCatalogue::built_in().action(way.action).unwrap();
            assert_eq!(format!("{}:{}", action.service, action.name), way.action);
        }
        let alone = format!(r#""Allow", "Action": "{}", "Resource": "*""#, way.action);
        let [finding] = lint(&statement(&alone), DocumentKind::Managed)
            .try_into()
            .unwrap();
        assert_eq!(finding.code, "escalation", "{}", way.action);
        assert!(finding.message.contains(way.action), "{}", finding.message);
    }
}

/// Every Keywright action that uses IAM permissions is an escalation.
#[test]
fn every_action_of_ours_that_implies_others_is_an_escalation() {
    for (_, action) in ActionCatalogue::built_in().of_service("keywright") {
        let name = format!("keywright:{}", action.name);
        let listed = ESCALATIONS.iter().any(|way| way.action == name);
        assert_eq!(listed, action.implied().next().is_some(), "{name}");
    }
}

/// If there are many paths, only some are named, so that a finding stays readable.
#[test]
fn of_many_ways_some_are_named() {
    let all = statement(r#""Allow", "Action": "iam:*", "Resource": "*""#);
    let [finding] = lint(&all, DocumentKind::Managed).try_into().unwrap();
    let of_iam = ESCALATIONS
        .iter()
        .filter(|way| way.action.starts_with("iam:"));
    let more = format!("; and {} more", of_iam.count() - 6);
    assert!(finding.message.ends_with(&more), "{}", finding.message);
    let roles = statement(r#""Allow", "Action": "sts:AssumeRole", "Resource": "*""#);
    let [finding] = lint(&roles, DocumentKind::Managed).try_into().unwrap();
    assert_eq!(finding.hint, "name the roles that may be assumed");
}

#[test]
fn what_has_no_effect_is_pointed_out() {
    let rows: &[(&str, &[&str])] = &[
        // Services and actions.
        (
            r#""Allow", "Action": "dyanmodb:GetItem", "Resource": "*""#,
            &[r#"no-such-service at "dyanmodb:GetItem""#],
        ),
        (
            r#""Deny", "NotAction": "dyanmodb:GetItem", "Resource": "*""#,
            &[r#"no-such-service at "dyanmodb:GetItem""#],
        ),
        (
            r#""Allow", "Action": ["dynamodb:GetItm", "DynamoDB:getitem"], "Resource": "*""#,
            &[r#"no-such-action at "dynamodb:GetItm""#],
        ),
        // Actions and resources.
        (
            r#""Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::b/*""#,
            &[r#"no-matching-resource at "s3:ListBucket""#],
        ),
        (
            r#""Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b""#,
            &[r#"no-matching-resource at "s3:GetObject""#],
        ),
        (
            r#""Allow", "Action": ["s3:ListBucket", "s3:GetObject"],
               "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]"#,
            &[],
        ),
        (
            r#""Allow", "Action": "s3:GetObject",
               "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]"#,
            &[r#"no-matching-action at "arn:aws:s3:::b""#],
        ),
        (
            r#""Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b${aws:username}""#,
            &[],
        ),
        (
            r#""Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::b""#,
            &[r#"allow-all-but at "arn:aws:s3:::b""#],
        ),
        (
            r#""Allow", "Action": ["s3:ListAllMyBuckets", "s3:GetBucketLocation"],
               "Resource": "arn:aws:s3:::*""#,
            &[],
        ),
        (
            r#""Allow", "Action": "s3:ListAllMyBuckets", "Resource": "arn:aws:s3:::team-*""#,
            &[r#"no-matching-resource at "s3:ListAllMyBuckets""#],
        ),
        (
            r#""Allow", "Action": "iam:GetAccountSummary", "Resource": "arn:aws:iam::1:user/a""#,
            &[r#"no-matching-resource at "iam:GetAccountSummary""#],
        ),
        (
            r#""Allow", "Action": "iam:ListUsers", "Resource": "arn:aws:iam::*:user/*""#,
            &[],
        ),
        (
            r#""Allow", "Action": "logs:DescribeLogGroups", "Resource": "arn:aws:logs:*:*:*""#,
            &[],
        ),
        (
            r#""Allow", "Action": "dynamodb:GetItem", "Resource": "arn:aws:sqs:*:*:q""#,
            &[r#"no-matching-resource at "dynamodb:GetItem""#],
        ),
        // Keys.
        (
            r#""Allow", "Action": "iam:GetUser", "Resource": "*",
               "Condition": {"NumericLessThan": {"iam:AccessKeysCount": "2"}}"#,
            &[r#"no-such-key at "2""#],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"StringLike": {"aws:PrincipalTags/team": "x"}}"#,
            &[r#"no-such-key at "x""#],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"StringEquals": {"aws:PrincipalTag/team": "x", "s3:prefix": "p"}}"#,
            &[],
        ),
        (
            r#""Allow", "Action": "s3:DeleteBucket", "Resource": "*",
               "Condition": {"StringEquals": {"s3:prefix": "p"}}"#,
            &[r#"key-without-action at "p""#],
        ),
        (
            r#""Allow", "Action": "s3:*", "Resource": "*",
               "Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "p"}}"#,
            &[],
        ),
        // Values and operators.
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"StringEquals": {"s3:prefix": ["2026/*"]}}"#,
            &[r#"literal-wildcard at ["2026/*"]"#],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"StringEquals": {"s3:prefix": ["2026/${*}"]}}"#,
            &[],
        ),
        (
            r#""Allow", "Action": "iam:GetUser", "Resource": "*",
               "Condition": {"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "a"}}"#,
            &[r#"any-if-exists at "a""#],
        ),
        // Mutually exclusive conditions.
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"StringEquals": {"s3:prefix": "a"},
                             "StringNotEquals": {"s3:prefix": ["b", "a"]}}"#,
            &[r#"impossible-conditions at ["b", "a"]"#],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"StringEquals": {"s3:prefix": ["a", "c"]},
                             "StringNotEquals": {"s3:prefix": ["b", "a"]}}"#,
            &[],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"Null": {"s3:prefix": "true"}, "StringLike": {"s3:prefix": "a"}}"#,
            &[r#"impossible-conditions at "a""#],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"Null": {"s3:prefix": "true"},
                             "StringLikeIfExists": {"s3:prefix": "a"}}"#,
            &[],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"NumericLessThan": {"s3:max-keys": "10"},
                             "NumericGreaterThan": {"s3:max-keys": "10"}}"#,
            &[r#"impossible-conditions at "10""#],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"NumericLessThanEquals": {"s3:max-keys": "10"},
                             "NumericGreaterThanEquals": {"s3:max-keys": "10"}}"#,
            &[],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
                             "DateGreaterThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}"#,
            &[r#"impossible-conditions at "2027-01-01T00:00:00Z""#],
        ),
        // MFA.
        (
            r#""Deny", "Action": "s3:*", "Resource": "*",
               "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}"#,
            &[r#"mfa-not-required at "false""#],
        ),
        (
            r#""Deny", "Action": "s3:*", "Resource": "*",
               "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}"#,
            &[],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}"#,
            &[r#"mfa-not-required at "true""#],
        ),
        (
            r#""Allow", "Action": "s3:ListBucket", "Resource": "*",
               "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}"#,
            &[],
        ),
        (
            r#""Deny", "Action": "s3:*", "Resource": "*",
               "Condition": {"NumericGreaterThan": {"aws:MultiFactorAuthAge": "3600"}}"#,
            &[r#"mfa-not-required at "3600""#],
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(
            found(&statement(text), DocumentKind::Managed),
            *expected,
            "{text}"
        );
    }
}

#[test]
fn a_second_statement_may_deny_requests_without_mfa() {
    let old = r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*",
        "Condition": {"NumericGreaterThan": {"aws:MultiFactorAuthAge": "3600"}}}"#;
    for (effect, action, condition, covered) in [
        (
            "Deny",
            "s3:*",
            r#"{"Null": {"aws:MultiFactorAuthAge": true}}"#,
            true,
        ),
        (
            "Deny",
            "s3:*",
            r#"{"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}"#,
            true,
        ),
        (
            "Deny",
            "s3:*",
            r#"{"Null": {"aws:MultiFactorAuthAge": "false"}}"#,
            false,
        ),
        (
            "Deny",
            "s3:*",
            r#"{"Null": {"aws:MultiFactorAuthAge": "true", "s3:prefix": "true"}}"#,
            false,
        ),
        (
            "Deny",
            "s3:Get*",
            r#"{"Null": {"aws:MultiFactorAuthAge": "true"}}"#,
            false,
        ),
        (
            "Allow",
            "s3:*",
            r#"{"Null": {"aws:MultiFactorAuthAge": "true"}}"#,
            false,
        ),
    ] {
        let text = format!(
            r#"{{"Version": "2012-10-17", "Statement": [{old}, {{"Effect": "{effect}",
                "Action": "{action}", "Resource": "*", "Condition": {condition}}}]}}"#
        );
        let found = found(&text, DocumentKind::Managed);
        let flagged = found.iter().any(|f| f.starts_with("mfa-not-required"));
        assert_eq!(flagged, !covered, "{text}: {found:?}");
    }
}

#[test]
fn operators_of_another_type_than_the_key() {
    for (operator, key, value, hint) in [
        (
            "StringEquals",
            "aws:SourceIp",
            "10.0.0.0/8",
            "use IpAddress",
        ),
        ("StringNotLike", "aws:sourceip", "10.*", "use NotIpAddress"),
        ("NumericEquals", "aws:SourceIp", "10", "use IpAddress"),
        (
            "StringEqualsIfExists",
            "aws:SecureTransport",
            "true",
            "use Bool",
        ),
        (
            "StringEquals",
            "aws:MultiFactorAuthAge",
            "10",
            "use NumericEquals",
        ),
        (
            "NumericLessThan",
            "aws:CurrentTime",
            "1",
            "use DateLessThan",
        ),
        ("StringLike", "aws:EpochTime", "1*", "use DateLessThan"),
        ("Bool", "s3:max-keys", "true", "use NumericEquals"),
        (
            "DateEquals",
            "aws:PrincipalArn",
            "2026-01-01",
            "use ArnLike",
        ),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", ""),
        ("Null", "aws:SourceIp", "true", ""),
        ("NumericLessThan", "aws:EpochTime", "1", ""),
        ("DateLessThan", "aws:EpochTime", "1", ""),
        (
            "ArnLike",
            "aws:PrincipalArn",
            "arn:aws:iam::123456789012:user/*",
            "",
        ),
        (
            "StringLike",
            "aws:PrincipalArn",
            "arn:aws:iam::123456789012:user/*",
            "",
        ),
        ("StringEquals", "aws:PrincipalOrgID", "o-1", ""),
        ("NumericEquals", "aws:PrincipalTag/level", "1", ""),
        ("StringEquals", "unknown:Key", "x", ""),
    ] {
        let text = statement(&format!(
            r#""Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b",
               "Condition": {{"{operator}": {{"{key}": "{value}"}}}}"#
        ));
        let findings = lint(&text, DocumentKind::Managed).into_iter();
        let found: Vec<_> = findings.filter(|f| f.code == "type-mismatch").collect();
        match (found.as_slice(), hint) {
            ([], "") => {}
            ([only], hint) if !hint.is_empty() => assert!(only.hint.starts_with(hint), "{only:?}"),
            _ => panic!("{operator} {key}: {found:?}"),
        }
    }
}

#[test]
fn a_misspelt_action_hides_no_other_finding() {
    let text = statement(
        r#""Allow", "Action": ["s3:GetObjct", "s3:PutObject", "s3:ListBucket"],
           "Resource": ["arn:aws:s3:::b", "arn:aws:iam::123456789012:user/ann"]"#,
    );
    let expected = [
        r#"no-such-action at "s3:GetObjct""#,
        r#"no-matching-resource at "s3:PutObject""#,
    ];
    // The user may be meant for the misspelt action.
    assert_eq!(found(&text, DocumentKind::Managed), expected);
}

#[test]
fn an_old_version_is_changed_and_a_missing_one_added() {
    // The findings with their positions: a bucket policy may be old, but has no variables then.
    let bucket = DocumentKind::Bucket { bucket: "b" };
    for (kind, version, hint) in [
        (
            DocumentKind::Managed,
            r#""Version": "2008-10-17", "#,
            "change \"Version\"",
        ),
        (DocumentKind::Managed, "", "add \"Version\""),
        (bucket, r#""Version": "2008-10-17", "#, "change \"Version\""),
        (bucket, "", "add \"Version\""),
    ] {
        let principal = match kind {
            DocumentKind::Managed => "",
            _ => r#""Principal": {"AWS": "111122223333"}, "#,
        };
        let text = format!(
            r#"{{{version}"Statement": [{{"Effect": "Allow", {principal}"Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::b/${{aws:username}}/*"}}]}}"#
        );
        let findings = lint(&text, kind);
        let [only] = findings.as_slice() else {
            panic!("{findings:?}");
        };
        assert!(only.hint.starts_with(hint), "{only:?}");
    }
}
