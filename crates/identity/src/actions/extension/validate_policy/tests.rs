//! Findings for each kind of policy, and the positions they report.

use crate::testing::TestInstallation;

fn ask(bench: &TestInstallation, kind: &str, text: &str) -> crate::testing::TestResponse {
    let form = format!("Action=ValidatePolicy&PolicyType={kind}&PolicyDocument={text}");
    bench.root(&form)
}

#[test]
fn findings() {
    let bench = TestInstallation::new();
    let fine = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#;
    let wide =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}}"#;
    let bucket = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}}"#;
    for (kind, text, first) in [
        ("managed", fine, None),
        ("inline", wide, Some("SECURITY_WARNING")),
        ("managed", "{", Some("ERROR")),
        ("inline", "", Some("ERROR")),
        ("session", fine, None),
        ("trust", trust, None),
        ("trust", fine, Some("ERROR")),
        ("bucket&BucketName=photos", bucket, Some("SECURITY_WARNING")),
        ("bucket&BucketName=other", bucket, Some("ERROR")),
    ] {
        let answer = ask(&bench, kind, text);
        let found = answer.values("FindingType");
        assert_eq!(found.first().map(String::as_str), first, "{kind}: {text}");
    }
}

#[test]
fn places_are_in_characters() {
    let bench = TestInstallation::new();
    let text = "{\"Version\":\"2012-10-17\",\n \"Id\":\"é\", \"Statement\":{\"Effect\":\"Allow\",\
                \"Action\":\"*\",\"Resource\":\"*\"}}";
    let answer = ask(&bench, "inline", text);
    let number = |name: &str| answer.value(name).parse::<usize>().unwrap();
    assert_eq!(number("StartLine"), 2);
    let (start, end) = (number("StartOffset"), number("EndOffset"));
    let characters: String = text.chars().skip(start).take(end - start).collect();
    assert!(characters.starts_with(['{', '"']), "{characters}");
    let line_begins = text.find('\n').unwrap() + 1;
    assert_eq!(number("StartColumn"), start - line_begins + 1);
}

#[test]
fn kinds_that_are_none() {
    let bench = TestInstallation::new();
    let of = |kind: &str| ask(&bench, kind, "{}");
    of("bucket").refused(
        "ValidationError",
        "BucketName is required for the PolicyType bucket",
    );
    of("managed&BucketName=photos").refused(
        "ValidationError",
        "BucketName belongs to the PolicyType bucket only",
    );
    assert_eq!(of("other").code(), Some("ValidationError"));
}

#[test]
fn what_is_longer_than_any_policy_is_not_looked_into() {
    let bench = TestInstallation::new();
    let most = keywright_base::limits::BUCKET_POLICY_BYTES;
    let text = |size: usize| {
        let begin = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/"#;
        let end = r#""}}"#;
        let key = "k".repeat(size - begin.len() - end.len());
        format!("{begin}{key}{end}")
    };
    let codes = |size: usize| ask(&bench, "managed", &text(size)).values("IssueCode");
    assert!(!codes(most).contains(&"refused".to_owned()));
    assert_eq!(codes(most + 1), ["refused"]);
}
