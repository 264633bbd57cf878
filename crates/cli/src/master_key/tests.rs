//! Key sources, key encodings, and the file of a change.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{Clock, Entropy, Secret};
use keywright_server::{SystemClock, SystemEntropy};
use keywright_vault::MasterKey;

use super::{KeyChange, KeyLocation, KeySource, SourceContext};
use crate::data_dir::DataDir;

const KEY: [u8; 32] = [0xa5; 32];

fn load(source: &str, folder: &std::path::Path) -> Result<Vec<u8>, String> {
    let data = DataDir::open(folder.into()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let seams = SourceContext {
        data: &data,
        clock: &clock,
        entropy: &entropy,
    };
    let source: KeySource = source.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let loaded = runtime.block_on(source.load(&seams));
    let key = loaded.map_err(|error| format!("{error:#}"))?;
    Ok(key.bytes().expose().clone())
}

#[expect(clippy::disallowed_methods, reason = "a file of the test")]
fn write(file: &std::path::Path, content: impl AsRef<[u8]>) {
    fs::write(file, content).unwrap();
}

#[test]
fn a_key_is_raw_hexadecimal_or_base64() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let source = format!("file:{}", file.display());
    let (hex, base64) = (hex::encode(KEY), BASE64_STANDARD.encode(KEY));
    for text in [&KEY[..], hex.as_bytes(), format!("{base64}\n").as_bytes()] {
        write(&file, text);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(load(&source, folder.path()).unwrap(), KEY);
        let command = format!("command:cat {}", file.display());
        assert_eq!(load(&command, folder.path()).unwrap(), KEY);
    }
    for text in ["", "short", &"0a".repeat(31), &"a".repeat(5000)] {
        write(&file, text);
        let error = load(&source, folder.path()).unwrap_err();
        assert!(error.contains("openssl rand"), "{error}");
        assert!(text.is_empty() || !error.contains(text), "{error}");
    }
    write(&file, KEY);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let error = load(&source, folder.path()).unwrap_err();
    assert!(error.contains("others can read"), "{error}");
}

/// `cargo test` sets `CARGO_MANIFEST_DIR`, which stands in for a secret here.
#[test]
fn a_command_has_no_secret_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let key = hex::encode(KEY);
    let script = format!("test -n \"$PATH\" -a -z \"$CARGO_MANIFEST_DIR\" && echo {key}");
    let source = format!("command:sh -c '{script}'");
    assert_eq!(load(&source, folder.path()).unwrap(), KEY);
}

#[test]
fn what_gives_no_key_says_why_and_nothing_secret() {
    let folder = tempfile::tempdir().unwrap();
    for (source, words) in [
        ("file:/nonexistent/key", "/nonexistent/key"),
        (
            "env:KEYWRIGHT_TEST_NO_SUCH_VARIABLE",
            "KEYWRIGHT_TEST_NO_SUCH_VARIABLE",
        ),
        ("command:false", "false: exit status: 1"),
        (
            "command:/nonexistent/program",
            "cannot run /nonexistent/program",
        ),
        ("command:", "no program given"),
        ("env:", "expected folder"),
        ("a5a5a5a5a5a5a5a5", "expected folder"),
        ("vault-transit:key", "is not of the form MOUNT/PATH"),
    ] {
        let error = load(source, folder.path()).unwrap_err();
        assert!(error.contains(words), "{source}: {error}");
        assert!(!error.contains("a5a5"), "{error}");
    }
}

#[test]
fn sources_are_written_as_they_are_read() {
    for text in [
        "folder",
        "file:/etc/keywright/key",
        "env:KEY",
        "command:op read 'op://a b/c'",
        "aws-kms:alias/keywright?region=eu-west-1",
        "vault-transit:transit/keywright",
    ] {
        let source: KeySource = text.parse().unwrap();
        assert_eq!(source.to_string(), text);
    }
    let arn = "aws-kms:arn:aws:kms:eu-west-1:111122223333:key/1234";
    let source: KeySource = arn.parse().unwrap();
    assert_eq!(source.to_string(), format!("{arn}?region=eu-west-1"));
}

#[test]
fn a_change_opens_with_either_key_and_holds_neither_in_clear() {
    let key = |byte: u8| MasterKey::new(Secret::new(vec![byte; 32])).unwrap();
    let (from, to) = (key(1), key(2));
    let change = KeyChange {
        from,
        to,
        home: KeyLocation::Folder,
    };
    let bytes = change.to_bytes(&SystemEntropy).unwrap();
    for byte in [1, 2] {
        let clear = BASE64_STANDARD.encode([byte; 32]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(!text.contains(clear.trim_end_matches('=')));
        let opened = KeyChange::open(&bytes, key(byte)).unwrap().unwrap();
        assert_eq!(
            (opened.from.id(), opened.to.id()),
            (key(1).id(), key(2).id())
        );
        assert_eq!(opened.home, KeyLocation::Folder);
    }
    let other = KeyChange::open(&bytes, key(3)).unwrap();
    assert_eq!(other.unwrap_err().id(), key(3).id());
    assert!(KeyChange::open(&bytes[..bytes.len() - 1], key(1)).is_err());
}
