//! Archives as MinIO writes them, and others.

use std::io::Write;

use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

const ACCOUNT: &str = "123456789012";

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An export with these files.
fn source(files: &[(&str, &str)]) -> ImportSource {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (format!("iam-assets/{name}"), *text))
        .collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (&**name, *text)).collect();
    read(&archive(&files), ACCOUNT).unwrap()
}

fn arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{name}")
}

const READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"]}]}"#;

#[test]
fn users_groups_policies_and_mappings_are_imported() {
    let source = source(&[
        (
            "policies.json",
            &format!(r#"{{"reader":{READ},"writer":{READ}}}"#),
        ),
        (
            "users.json",
            r#"{"ann":{"secretKey":"s3cret","status":"enabled"},"bob":{"secretKey":"x","status":"disabled"}}"#,
        ),
        (
            "groups.json",
            r#"{"devs":{"version":1,"status":"enabled","members":["ann","bob"]},"off":{"status":"disabled","members":["ann"]},"empty":{"status":"enabled","members":null}}"#,
        ),
        (
            "user_mappings.json",
            r#"{"ann":{"version":1,"policy":"reader, writer","updatedAt":"2024-01-01T00:00:00Z"}}"#,
        ),
        (
            "group_mappings.json",
            r#"{"devs":{"policy":"reader"},"off":{"policy":"writer"}}"#,
        ),
        ("stsuser_mappings.json", "null"),
        ("svcaccts.json", "{}"),
    ]);
    let document = &source.document;
    let policies: Vec<_> = document
        .policies
        .iter()
        .map(|it| &*it.policy_name)
        .collect();
    assert_eq!(policies, ["reader", "writer"]);
    assert_eq!(
        document.policies[0].versions[0].policy_document.len(),
        READ.len()
    );
    let groups: Vec<_> = document.groups.iter().map(|it| &*it.group_name).collect();
    assert_eq!(groups, ["devs", "empty"]);
    assert_eq!(document.groups[0].attached_policy_arns, [arn("reader")]);
    let ann = &document.users[0];
    assert_eq!(ann.attached_policy_arns, [arn("reader"), arn("writer")]);
    assert_eq!(ann.group_names, ["devs"]);
    assert_eq!(document.users[1].group_names, ["devs"]);
    assert_eq!(
        source.notes,
        [
            "group off: the whole group, because it is disabled",
            "user ann: the access key ann, which a new one replaces",
            "user bob: its access key, because it is disabled",
        ]
    );
    let key = KeyRequest {
        user: "ann".to_owned(),
        replaces: "ann".to_owned(),
    };
    assert_eq!(source.keys, [key]);
    assert!(!format!("{source:?}").contains("s3cret"));
}

/// MinIO's own policies, as it exports them.
#[test]
fn administration_of_minio_is_left_out() {
    let policies = r#"{
        "consoleAdmin":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:*"]},{"Effect":"Allow","Action":["kms:*"]},{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]},
        "diagnostics":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:Profiling","admin:ServerInfo"]}]},
        "denies":{"ID":"x","Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["sts:*"]}]},
        "mixed":{"ID":"","Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:*","s3:GetObject"]}]}}"#;
    let users = r#"{"ann":{"status":"enabled"}}"#;
    let mappings = r#"{"ann":{"policy":"consoleAdmin,diagnostics,gone"}}"#;
    let source = source(&[
        ("policies.json", policies),
        ("users.json", users),
        ("user_mappings.json", mappings),
    ]);
    let documents = source.document.policies.iter();
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let documents: Vec<_> = documents
        .map(|it| {
            let document = read(&it.versions[0].policy_document);
            (&*it.policy_name, document)
        })
        .collect();
    let expected = [
        (
            "consoleAdmin",
            r#"{"Statement":[{"Action":["s3:*"],"Effect":"Allow","Resource":["arn:aws:s3:::*"]}],"Version":"2012-10-17"}"#,
        ),
        (
            "denies",
            r#"{"Id":"x","Statement":[{"Action":["sts:*"],"Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"}"#,
        ),
        (
            "mixed",
            r#"{"Statement":[{"Action":["admin:*","s3:GetObject"],"Effect":"Allow"}],"Version":"2012-10-17"}"#,
        ),
    ];
    assert_eq!(documents, expected.map(|(name, text)| (name, read(text))));
    let ann = &source.document.users[0];
    assert_eq!(ann.attached_policy_arns, [arn("consoleAdmin")]);
    let why = "because they allow actions of MinIO's administration only";
    assert_eq!(
        source.notes[..3],
        [
            format!("policy consoleAdmin: some statements, {why}"),
            format!("policy diagnostics: the policy, {why}"),
            "user ann: its policy gone, which the archive does not have".to_owned(),
        ]
    );
}

#[test]
fn service_accounts_become_keys_of_their_users_if_they_are_not_limited() {
    let account = |more: &str| format!(r#"{{"parent":"ann","secretKey":"x","status":"on"{more}}}"#);
    let accounts = format!(
        r#"{{"a":{},"b":{},"c":{},"d":{},"e":{},"f":{{"parent":"root"}}}}"#,
        account(r#","sessionPolicy":null,"expiration":"1970-01-01T00:00:00Z""#),
        account(&format!(r#","sessionPolicy":{READ}"#)),
        account(r#","status2":"","expiration":"2027-01-01T00:00:00Z""#),
        account(r#","sessionPolicy":{"Version":"","Statement":[]}"#),
        r#"{"parent":"ann","status":"off"}"#,
    );
    let source = source(&[
        ("users.json", r#"{"ann":{"status":"enabled"}}"#),
        ("svcaccts.json", &accounts),
        ("stsuser_mappings.json", r#"{"cn=eve":{"policy":"p"}}"#),
        ("user_mappings.json", r#"{"eve":{"policy":"p"}}"#),
        ("group_mappings.json", r#"{"admins":{"policy":"p"}}"#),
    ]);
    let keys: Vec<_> = source.keys.iter().map(|key| &*key.replaces).collect();
    assert_eq!(keys, ["ann", "a"]);
    assert_eq!(
        source.notes[1..],
        [
            "user ann: the access key a, which a new one replaces",
            "service account b of user ann, because it has a policy of its own; create a user for it",
            "service account c of user ann, because it expires; use temporary credentials",
            "user ann: the access key d, because a user can have 2",
            "service account e of user ann, because it is disabled",
            "service account f of root, who is not a user in the archive",
            "user eve: its policies; the archive has no such user",
            "group admins: its policies; the archive has no such group",
            "cn=eve: its policies; it is an identity outside MinIO",
        ]
    );
}

#[test]
fn bad_archives_are_rejected() {
    let whole = archive(&[("iam-assets/users.json", "{}")]);
    let bomb = " ".repeat(usize::try_from(BYTES_MAX).unwrap() + 1);
    let bomb = archive(&[("iam-assets/users.json", &bomb)]);
    assert!(bomb.len() < 128 * 1024, "{}", bomb.len());
    let names: Vec<_> = (0..=FILES_MAX)
        .map(|at| format!("iam-assets/{at}"))
        .collect();
    let many: Vec<_> = names.iter().map(|name| (&**name, "")).collect();
    let cases = [
        (
            whole[..whole.len() - 10].to_vec(),
            "not a readable zip archive",
        ),
        (archive(&[]), "has no iam-assets"),
        (
            archive(&[("../users.json", "{}")]),
            "../users.json is not a file of an export",
        ),
        (
            archive(&[("iam-assets/keys.json", "{}")]),
            "unknown file, keys.json",
        ),
        (
            archive(&[("iam-assets/users.json", "{\n\"ann\": 1}")]),
            "cannot read users.json in the archive: invalid type: integer `1`, expected struct MinioUser at line 2 column 8",
        ),
        (archive(&many), "more than 64 files"),
        (bomb, "more than 67108864 bytes"),
    ];
    for (bytes, why) in cases {
        let error = format!("{:#}", read(&bytes, ACCOUNT).unwrap_err());
        assert!(error.contains(why), "{error}");
    }
}
