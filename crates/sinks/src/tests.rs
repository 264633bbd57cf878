//! Each sink against the contract, and the particular demands of its format.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use keywright_base::{Clock, Timestamp};
use keywright_rotation::{
    model::RotationId,
    ports::{Sink, SinkContent, SinkError},
};

use super::{
    KINDS, SinkSpec, SpecError, help,
    suite::{ReadBackKind, deliver, hold_to_contract, hold_to_crashes, pair, put_back},
};
use crate::testing::holds_no_more;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }
}

#[expect(clippy::disallowed_methods, reason = "a file of the test")]
pub(super) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

pub(super) async fn open(text: &str) -> Box<dyn Sink> {
    let clock: Arc<dyn Clock> = Arc::new(Noon);
    text.parse::<SinkSpec>()
        .unwrap()
        .open(&clock)
        .await
        .unwrap()
}

fn filled(text: &str) -> String {
    let pair = pair(1);
    text.replace("<ID>", &pair.id.0)
        .replace("<SEC>", pair.secret.expose())
}

/// The destination, and the file before. The cases of the other formats are in
/// `corpus/destinations`.
const FILES: &[(&str, &str)] = &[
    (
        "csv:F",
        "\u{feff}Access key ID,Secret access key\r\n<ID>,<SEC>\r\n",
    ),
    (
        "csv:F",
        "User Name,ACCESS KEY ID,Secret Access Key\n\"bob\",<ID>,\"<SEC>\"",
    ),
    ("csv:F", "Access key ID,Secret access key\n"),
];

/// The table in the documentation and the help text come from the same list.
#[test]
fn every_kind_is_listed_wherever_kinds_are_listed() {
    let mut table = "| `--deliver` | what is written |\n| --- | --- |\n".to_owned();
    for kind in KINDS {
        let syntax = kind.syntax.replace('|', "\\|");
        let row = format!("| `{}:{syntax}` | {} |\n", kind.prefix, kind.writes);
        table.push_str(&row);
    }
    let documented = include_str!("../../../docs/rotation.md");
    assert!(
        documented.contains(&format!("\n{table}\n")),
        "docs/rotation.md must have this table:\n{table}"
    );
    let SpecError::Kind(_) = "none:x".parse::<SinkSpec>().unwrap_err() else {
        panic!("none is no kind");
    };
    let unknown = "none:x".parse::<SinkSpec>().unwrap_err().to_string();
    for kind in KINDS {
        assert!(help().contains(&format!("  {}:{}", kind.prefix, kind.syntax)));
        assert!(unknown.contains(kind.prefix), "{unknown}");
        let twice = KINDS.iter().filter(|other| other.prefix == kind.prefix);
        assert_eq!(twice.count(), 1, "{}", kind.prefix);
    }
    assert!(help().lines().all(|line| line.chars().count() <= 100));
}

#[tokio::test]
async fn row_16_files_keep_the_contract_and_everything_else_in_them() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (spec, text)) in FILES.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        write(&path, &filled(text));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let sink = open(&spec.replace('F', path.to_str().unwrap())).await;
        let look = || fs::read(&path).unwrap();
        hold_to_contract(&*sink, ReadBackKind::Pair, &look).await;

        deliver(&*sink, &pair(2)).await.unwrap();
        let (old, new) = (pair(1), pair(2));
        let after = String::from_utf8(look()).unwrap();
        let back = after
            .replace(&new.id.0, &old.id.0)
            .replace(new.secret.expose().as_str(), old.secret.expose());
        if text.contains("<SEC>") && text.contains("<ID>") {
            assert_eq!(back, filled(text), "nothing else changed in {spec}");
        }
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o640, "the mode stays");
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        FILES.len(),
        "nothing is left over"
    );
}

#[tokio::test]
async fn a_file_that_was_not_there_is_private_and_goes_again() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["aws-profile:default@F", "dotenv:F", "json:F", "csv:F"] {
        let path = folder.path().join("new");
        let sink = open(&kind.replace('F', path.to_str().unwrap())).await;
        let look = || fs::read(&path).unwrap_or_default();
        hold_to_contract(&*sink, ReadBackKind::Pair, &look).await;
        assert!(!path.exists(), "{kind}");
        deliver(&*sink, &pair(2)).await.unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{kind}");
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn row_16_a_symbolic_link_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    write(
        &real,
        &filled("AWS_ACCESS_KEY_ID=<ID>\nAWS_SECRET_ACCESS_KEY=<SEC>\n"),
    );
    symlink(&real, &link).unwrap();
    let sink = open(&format!("dotenv:{}", link.display())).await;
    deliver(&*sink, &pair(2)).await.unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains(&pair(2).id.0));
}

#[tokio::test]
async fn row_05_a_reader_never_sees_half_a_pair() {
    let folder = tempfile::tempdir().unwrap();
    let text = "AWS_ACCESS_KEY_ID=<ID>\nAWS_SECRET_ACCESS_KEY=<SEC>\n";
    let path = folder.path().join("file");
    write(&path, &filled(text));
    let sink = open(&format!("dotenv:{}", path.display())).await;
    let rotation = RotationId("r".into());
    let backup = sink.stage(&rotation).await.unwrap();
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (over, path) = (Arc::clone(&over), path.clone());
        move || {
            let mut seen = std::collections::BTreeSet::new();
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                seen.insert(fs::read_to_string(&path).unwrap());
            }
            seen
        }
    });
    for _ in 0..50 {
        deliver(&*sink, &pair(2)).await.unwrap();
        put_back(&*sink, &backup, None).await.unwrap();
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    let new = filled(text).replace(&pair(1).id.0, &pair(2).id.0);
    let new = new.replace(pair(1).secret.expose().as_str(), pair(2).secret.expose());
    let seen = reader.join().unwrap();
    let whole = [filled(text), new];
    assert!(seen.iter().all(|text| whole.contains(text)), "{seen:?}");
    assert!(!seen.is_empty());
}

#[tokio::test]
async fn what_others_wrote_in_between_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    let text = "[default]\naws_access_key_id = <ID>\naws_secret_access_key = <SEC>\n";
    write(&path, &filled(text));
    let sink = open(&format!("aws-profile:default@{}", path.display())).await;
    let rotation = RotationId("r".into());
    let backup = sink.stage(&rotation).await.unwrap();
    deliver(&*sink, &pair(2)).await.unwrap();
    let more = format!(
        "{}[other]\nregion = x\n",
        fs::read_to_string(&path).unwrap()
    );
    write(&path, &more);
    put_back(&*sink, &backup, None).await.unwrap();
    let back = fs::read_to_string(&path).unwrap();
    assert_eq!(back, format!("{}[other]\nregion = x\n", filled(text)));

    let fresh = folder.path().join("fresh");
    let sink = open(&format!("aws-profile:default@{}", fresh.display())).await;
    let backup = sink.stage(&rotation).await.unwrap();
    deliver(&*sink, &pair(2)).await.unwrap();
    let more = format!(
        "{}[other]\nregion = x\n",
        fs::read_to_string(&fresh).unwrap()
    );
    write(&fresh, &more);
    let refused = put_back(&*sink, &backup, None).await.unwrap_err();
    assert!(
        refused.to_string().contains("remove the key pair by hand"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(&fresh).unwrap(), more);
}

/// The destination, the file, and the error message.
const NOT_UNDERSTOOD: &[(&str, &str, &str)] = &[
    ("csv:F", "a,b\n1,2\n", ":1: it has no column Access key ID"),
    (
        "csv:F",
        "Access key ID,Secret access key\n1,2\n3,4\n",
        ":3: it has more than one row",
    ),
    (
        "csv:F",
        "Access key ID,Secret access key\nAKIAIOSFODNN7EXAMPLE,\n",
        "an incomplete key pair is not overwritten",
    ),
    (
        "csv:F",
        "User name,Access key ID,Secret access key\nABC,ABC,x\n",
        "do not appear exactly once",
    ),
];

#[tokio::test]
async fn the_file_with_roots_credentials_is_no_destination() {
    let folder = tempfile::tempdir().unwrap();
    let (data, link) = (folder.path().join("data"), folder.path().join("link"));
    fs::create_dir(&data).unwrap();
    let roots = data.join("root.credentials");
    symlink(&roots, &link).unwrap();
    write(
        &roots,
        &filled("[default]\naws_access_key_id = <ID>\naws_secret_access_key = <SEC>\n"),
    );
    let inspect = async |file: &Path| {
        let sink = open(&format!("aws-profile:default@{}", file.display())).await;
        sink.inspect(&pair(1).id).await
    };
    // A file of that name in another folder is anyone's.
    assert!(inspect(&roots).await.is_ok());
    write(&data.join("keywright.db"), "");
    for file in [&roots, &link] {
        let Err(SinkError::Never(why)) = inspect(file).await else {
            panic!("{} was accepted", file.display());
        };
        assert!(
            why.contains("aws-profile:default@~/.aws/credentials"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn what_is_not_understood_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (kind, text, expected) in NOT_UNDERSTOOD {
        write(&path, text);
        let sink = open(&kind.replace('F', path.to_str().unwrap())).await;
        let rotation = RotationId("r".into());
        let staged = sink.stage(&rotation).await.map(drop);
        let committed = deliver(&*sink, &pair(2)).await;
        assert!(
            matches!(&committed, Err(SinkError::Never(why)) if why.contains(expected)),
            "{kind} {text}: {committed:?}"
        );
        assert!(staged.is_err(), "{kind} {text}");
        assert!(sink.inspect(&pair(1).id).await.is_err(), "{kind} {text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), *text);
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, "A=1\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    let sink = open(&format!("dotenv:{}", path.display())).await;
    let error = sink.stage(&RotationId("r".into())).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Never(why) if why.contains("read-only")),
        "{error}"
    );
    let missing = open(&format!("dotenv:{}/no/folder", folder.path().display())).await;
    let error = missing.stage(&RotationId("r".into())).await.unwrap_err();
    assert!(error.to_string().contains("/no/folder"), "{error}");
    let dangling = folder.path().join("link");
    symlink(folder.path().join("nowhere"), &dangling).unwrap();
    let sink = open(&format!("dotenv:{}", dangling.display())).await;
    assert!(sink.stage(&RotationId("r".into())).await.is_err());
}

#[tokio::test]
async fn a_locked_file_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let text = filled("AWS_ACCESS_KEY_ID=<ID>\nAWS_SECRET_ACCESS_KEY=<SEC>\n");
    write(&path, &text);
    let sink = open(&format!("dotenv:{}", path.display())).await;
    let rotation = RotationId("r".into());
    // A lock belongs to the open file, whoever holds it.
    let locked = fs::File::open(&path).unwrap();
    locked.lock().unwrap();
    for refused in [
        sink.inspect(&pair(1).id).await.map(drop),
        sink.stage(&rotation).await.map(drop),
        deliver(&*sink, &pair(2)).await,
    ] {
        assert!(
            matches!(&refused, Err(SinkError::Later(why)) if why.ends_with("has locked it")),
            "{refused:?}"
        );
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // A reader does not get in the way.
    locked.unlock().unwrap();
    locked.lock_shared().unwrap();
    deliver(&*sink, &pair(2)).await.unwrap();
}

#[tokio::test]
async fn a_file_and_a_folder_that_cannot_be_written_are_distinguished() {
    let rotation = RotationId("r".into());
    // A folder in which not even root can create a file.
    let sink = open("dotenv:/proc/keywright.env").await;
    let error = sink.inspect(&pair(1).id).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Never(why) if why.contains("cannot create a file next to it")),
        "{error}"
    );
    assert_eq!(sink.stage(&rotation).await.map(drop), Err(error));
    // A file that the kernel lets nobody write: a running program's.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    fs::copy("/bin/sleep", &path).unwrap();
    let mut running = std::process::Command::new(&path)
        .arg("600")
        .spawn()
        .unwrap();
    let check = || async {
        super::replace::in_turn(&path, |turn| turn.check())
            .await
            .flatten()
    };
    let refused = check().await.unwrap_err();
    running.kill().unwrap();
    running.wait().unwrap();
    let reply = refused.to_string();
    assert!(
        reply.starts_with("it cannot be opened for writing: "),
        "{reply}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    check().await.unwrap();
}

#[tokio::test]
async fn a_program_has_no_secret_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("environment");
    let script = format!("cat > /dev/null; env > '{}'", file.display());
    let sink = open(&format!("command:sh -c {}", shell_words::quote(&script))).await;
    assert_eq!(sink.read_back().await, Ok(SinkContent::Unreadable));
    holds_no_more(&fs::read_to_string(&file).unwrap());
}

/// A program that stores a pair in a folder, with the old one for a restore. Each write is one
/// rename; the file `cut` says which of them is its last act, and whether it takes effect.
const PROGRAM: &str = r#"#!/bin/sh
cd "$1" || exit 1
told=$(cat)
put() {
  at=
  [ -e cut ] && read -r at when < cut
  if [ "$at" = 0 ]; then
    rm cut
    [ "$when" = after ] && mv "$1" "$2"
    kill -9 $$
  fi
  mv "$1" "$2"
  if [ -n "$at" ]; then echo "$((at - 1)) $when" > cut; fi
}
case $told in
  *'"stage"'*) if [ -e down ]; then echo "busy" >&2; exit 75; fi ;;
  *'"commit"'*)
     if [ ! -e old ]; then cp now copy; put copy old; fi
     printf %s "$told" | sed 's/.*"AccessKeyId":"\([^"]*\)".*/{"AccessKeyId":"\1"}/' > next
     put next now
     if [ -e loud ]; then printf %s "$told" >&2; exit 3; fi ;;
  *'"restore"'*) if [ -e old ]; then put old now; fi ;;
  *'"read"'*) cat now ;;
esac
exit 0
"#;

/// The program as a sink, and the file in which it stores the pair.
async fn command(folder: &Path) -> (Box<dyn Sink>, PathBuf) {
    let program = folder.join("keep it");
    write(&program, PROGRAM);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let now = folder.join("now");
    write(&now, &format!("{{\"AccessKeyId\":\"{}\"}}", pair(1).id));
    let line = format!("command:'{}' {}", program.display(), folder.display());
    (open(&line).await, now)
}

#[tokio::test]
async fn a_command_that_is_killed_at_any_write() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, now) = command(folder.path()).await;
    let cut = folder.path().join("cut");
    let look = || fs::read(&now).unwrap();
    let cut_at = |nth: usize, after: bool| match nth {
        usize::MAX => drop(fs::remove_file(&cut)),
        nth => write(
            &cut,
            &format!("{nth} {}\n", if after { "after" } else { "before" }),
        ),
    };
    hold_to_crashes(&*sink, &look, &cut_at, false).await;
}

#[tokio::test]
async fn a_command_keeps_the_contract_and_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, now) = command(folder.path()).await;
    hold_to_contract(&*sink, ReadBackKind::Key, &|| fs::read(&now).unwrap()).await;

    write(&folder.path().join("down"), "");
    let busy = sink.stage(&RotationId("r".into())).await.unwrap_err();
    assert!(
        matches!(&busy, SinkError::Later(why) if why.contains("busy")),
        "{busy}"
    );
    fs::remove_file(folder.path().join("down")).unwrap();
    write(&folder.path().join("loud"), "");
    let error = deliver(&*sink, &pair(2)).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Never(why) if why.contains("[secret]")),
        "{error}"
    );
    assert!(
        !error.to_string().contains(pair(2).secret.expose().as_str()),
        "{error}"
    );
    let silent = open("command:true").await;
    assert_eq!(silent.read_back().await, Ok(SinkContent::Unreadable));
    assert!(
        open("command:/no/such/program")
            .await
            .read_back()
            .await
            .is_err()
    );
}

#[test]
fn names_of_places() {
    let here = std::env::current_dir().unwrap();
    let here = |rest: &str| format!("{}/{rest}", here.display());
    for (text, canonical) in [
        (
            "aws-profile:default@/x/y",
            "aws-profile:default@/x/y".to_owned(),
        ),
        (
            "aws-profile:a b@c",
            format!("aws-profile:a b@{}", here("c")),
        ),
        (
            "aws-profile:\"me@corp\"@/x@y#z",
            "aws-profile:\"me@corp\"@/x@y#z".to_owned(),
        ),
        (
            "aws-profile:d@\"/a\\nb\"",
            "aws-profile:d@\"/a\\nb\"".to_owned(),
        ),
        (
            "dotenv:\"/srv/a#b\"#A,B",
            "dotenv:\"/srv/a#b\"#A,B".to_owned(),
        ),
        ("json:\"/plain\"#/a,/b", "json:/plain#/a,/b".to_owned()),
        ("csv:\"/a\\u007f\"", "csv:\"/a\\u007f\"".to_owned()),
        ("dotenv:.env", format!("dotenv:{}", here(".env"))),
        ("dotenv:/e#A,B", "dotenv:/e#A,B".to_owned()),
        (
            "dotenv:/e#AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY",
            "dotenv:/e".to_owned(),
        ),
        ("json:/e#/a/b,/c", "json:/e#/a/b,/c".to_owned()),
        ("csv:/e", "csv:/e".to_owned()),
        ("command:a 'b c'", "command:a 'b c'".to_owned()),
    ] {
        let spec: SinkSpec = text.parse().unwrap();
        assert_eq!(spec.to_string(), canonical);
        assert_eq!(canonical.parse::<SinkSpec>(), Ok(spec), "{text}");
    }
    for (text, expected) in [
        ("x", "is not of the form KIND:PLACE"),
        ("what:x", "KIND is one of aws-profile, dotenv"),
        ("dotenv:", "is empty or contains control characters"),
        ("dotenv:/x#A", "two names"),
        ("dotenv:/x#A,A", "the same"),
        ("dotenv:/x#A,1", "not a valid variable name"),
        ("json:/x#a,b", "not a JSON pointer"),
        ("aws-profile:[x]@/y", "not a valid profile name"),
        ("command:'", "quote"),
        ("dotenv:a\nb", "is empty or contains control characters"),
        ("dotenv:\"/a", "not a JSON string"),
        ("csv:\"/a\"x", "unexpected x after a quoted part"),
        ("dotenv:\"/a\"x", "unexpected x after a quoted part"),
        ("aws-profile:DEFAULT@/y", "not a valid profile name"),
    ] {
        let error = text.parse::<SinkSpec>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!(PathBuf::from(here("")).is_absolute());
}

#[test]
fn names_of_files_with_a_program() {
    for (text, canonical) in [
        (
            "dotenv:/e?after=systemctl reload app@1#A,B",
            "dotenv:/e?after=systemctl reload app@1#A,B",
        ),
        (
            "json:/e?after=\"sh -c 'echo #1'\"",
            "json:/e?after=\"sh -c 'echo #1'\"",
        ),
        (
            "dotenv:\"/a?after=b\"?after=\"true\"",
            "dotenv:\"/a?after=b\"?after=true",
        ),
        ("csv:/e?after=true # x", "csv:/e?after=true # x"),
        (
            "aws-profile:d@/x?after=run a@b",
            "aws-profile:d@/x?after=run a@b",
        ),
        (
            "aws-profile:\"a?after=b\"@/x",
            "aws-profile:\"a?after=b\"@/x",
        ),
        ("dotenv:/what?", "dotenv:/what?"),
    ] {
        let spec: SinkSpec = text.parse().unwrap();
        assert_eq!(spec.to_string(), canonical);
        assert_eq!(canonical.parse::<SinkSpec>(), Ok(spec), "{text}");
    }
    for (text, expected) in [
        ("dotenv:/x?after=", "does not name a program"),
        ("dotenv:/x?after=./run", "use an absolute path"),
        ("csv:/x?after='", "quote"),
    ] {
        let error = text.parse::<SinkSpec>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
