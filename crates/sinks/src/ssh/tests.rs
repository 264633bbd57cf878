//! The SSH sink with a program in place of `ssh` that runs the command line on this machine.
//! `e2e/test_ssh.py` tests the real one against a real server.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::PathBuf,
};

use keywright_rotation::{
    model::{KeyPair, RotationId},
    ports::{Sink, SinkContent, SinkError},
};
use tempfile::TempDir;

use super::{OPTIONS, RemoteFile, SshFile};
use crate::{
    SinkSpec,
    after::followed,
    document::DocumentSink,
    suite::{
        ReadBackKind, deliver, hold_to_contract, hold_to_crashes, hold_to_others, pair, put_back,
    },
    tests::write,
};

/// Records its arguments, and runs the last one. The file `cut` says which write is interrupted,
/// and how.
const SSH: &str = r#"#!/bin/sh
here=$(dirname "$0")
printf '%s\n' "$@" > "$here/arguments"
PATH=$here/bin:$PATH
for line; do :; done
case $line in *" put "*)
  if [ -e "$here/cut" ]; then
    read -r at how < "$here/cut"
    if [ "$at" -gt 0 ]; then
      echo "$((at - 1)) $how" > "$here/cut"
    else
      rm "$here/cut"
      case $how in
        half) head -c 100 | sh -c "$line"; exit 255 ;;
        after) sh -c "$line" ;;
      esac
      echo "broken pipe" >&2
      exit 255
    fi
  fi ;;
esac
exec sh -c "$line"
"#;

/// The other machine's folder, and the programs.
struct Far {
    folder: TempDir,
    ssh: TempDir,
}

impl Far {
    fn new() -> Self {
        let (folder, ssh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let program = ssh.path().join("ssh");
        write(&program, SSH);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, ssh }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self) -> String {
        fs::read_to_string(self.ssh.path().join("arguments")).unwrap()
    }

    /// What interrupts the nth write from now on; `usize::MAX` for nothing.
    fn cut(&self, nth: usize, how: &str) {
        let file = self.ssh.path().join("cut");
        if nth == usize::MAX {
            let _ = fs::remove_file(file);
        } else {
            write(&file, &format!("{nth} {how}\n"));
        }
    }

    /// The sink of a file on that machine.
    fn sink(&self, file: &str) -> Box<dyn Sink> {
        let name = format!("ssh:app@web-1:2222/{file}");
        let Ok(mut place) = SshFile::new(name.strip_prefix("ssh:").unwrap()) else {
            panic!("{name}");
        };
        place.machine.ssh = self.ssh.path().join("ssh");
        let store = RemoteFile::new(&place);
        let sink = DocumentSink::new(name, place.file.format.clone(), store);
        followed(Box::new(sink), &place.file, Some(&place.machine))
    }
}

fn env(pair: &KeyPair) -> String {
    format!(
        "# mine\nA_ID={}\nA_SECRET={}\n",
        pair.id,
        pair.secret.expose()
    )
}

fn rotation() -> RotationId {
    RotationId("r-1".to_owned())
}

#[tokio::test]
async fn a_file_of_another_machine_keeps_the_contract() {
    let far = Far::new();
    let one = pair(1);
    let (id, secret) = (&one.id.0, one.secret.expose());
    for (number, (kind, text)) in [
        ("dotenv:F#A_ID,A_SECRET", Some(env(&one))),
        ("dotenv:F#A_ID,A_SECRET", None),
        (
            "aws-profile:default@F",
            Some(format!(
                "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
            )),
        ),
        (
            "json:F",
            Some(format!(
                "{{\"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\"}}"
            )),
        ),
        (
            "csv:F",
            Some(format!("Access key ID,Secret access key\n{id},{secret}\n")),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        // With characters that are special to a shell.
        let file = far.at(&format!("it's {number} $(date) *"));
        if let Some(text) = &text {
            write(&file, text);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        }
        let sink = far.sink(&kind.replace('F', file.to_str().unwrap()));
        let look = || fs::read(&file).unwrap_or_default();
        hold_to_contract(&*sink, ReadBackKind::Pair, &look).await;
        if number == 0 {
            let cut = |nth, after: bool| far.cut(nth, if after { "after" } else { "before" });
            hold_to_crashes(&*sink, &look, &cut, false).await;
            let half = |nth, _| far.cut(nth, "half");
            hold_to_crashes(&*sink, &look, &half, false).await;
        }
        if text.is_some() {
            assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o640);
        } else {
            assert!(!file.exists());
            deliver(&*sink, &pair(2)).await.unwrap();
            assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o600);
        }
    }
    assert_eq!(
        fs::read_dir(far.folder.path()).unwrap().count(),
        5,
        "nothing is left over"
    );
}

#[tokio::test]
async fn what_others_wrote_stays_and_no_secret_is_an_argument() {
    let far = Far::new();
    let file = far.at("app.env");
    write(&file, &env(&pair(1)));
    let sink = far.sink(&format!("dotenv:{}#A_ID,A_SECRET", file.display()));
    let look = || fs::read(&file).unwrap();
    hold_to_others(&*sink, &look, &|pair| write(&file, &env(pair))).await;
    write(&file, &env(&pair(1)));
    // The next write removes what an interrupted connection left.
    let left = far.at(".keywright-aB3dE6");
    fs::create_dir(&left).unwrap();
    deliver(&*sink, &pair(2)).await.unwrap();
    assert!(!left.exists());
    let arguments = far.arguments();
    let mut lines = arguments.lines();
    for option in OPTIONS {
        assert_eq!((lines.next(), lines.next()), (Some("-o"), Some(option)));
    }
    let rest: Vec<_> = lines.by_ref().take(7).collect();
    assert_eq!(rest, ["-l", "app", "-p", "2222", "-T", "--", "web-1"]);
    for pair in [pair(1), pair(2)] {
        assert!(!arguments.contains(pair.secret.expose().as_str()));
    }
}

#[tokio::test]
async fn a_file_that_changes_between_look_and_write_is_not_overwritten() {
    use crate::document::{DocumentStore, bytes};
    let far = Far::new();
    let file = far.at("app.env");
    write(&file, "A=1\n");
    let mut place = SshFile::new(&format!("h/dotenv:{}", file.display())).unwrap();
    place.machine.ssh = far.ssh.path().join("ssh");
    let store = RemoteFile::new(&place);
    let found = store.get().await.unwrap();
    assert_eq!(bytes(&found.content), Some(b"A=1\n".as_slice()));
    write(&file, "A=2\n");
    let new = || Some(keywright_base::Secret::new(b"A=3\n".to_vec()));
    for content in [new(), None] {
        let error = store.put(content, &found.tag).await.unwrap_err();
        let expected = "another program has changed it";
        assert!(
            matches!(&error, SinkError::Later(why) if why.contains(expected)),
            "{error}"
        );
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "A=2\n");
    let found = store.get().await.unwrap();
    // The lock that rotations on that machine take.
    let folder = fs::File::open(far.folder.path()).unwrap();
    folder.lock_shared().unwrap();
    folder.unlock().unwrap();
    store.put(new(), &found.tag).await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "A=3\n");
}

#[tokio::test]
async fn what_cannot_be_replaced_is_known_before() {
    let far = Far::new();
    let real = far.at("real");
    write(&real, &env(&pair(1)));
    symlink(&real, far.at("link")).unwrap();
    write(&far.at("one"), &env(&pair(1)));
    fs::hard_link(far.at("one"), far.at("other")).unwrap();
    write(&far.at("read-only"), &env(&pair(1)));
    fs::set_permissions(far.at("read-only"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::create_dir(far.at("folder")).unwrap();
    write(&far.at("long"), &"#".repeat(1024 * 1024 + 1));
    for (name, expected) in [
        ("link", "it is a symbolic link"),
        ("one", "2 hard links"),
        ("read-only", "it is read-only"),
        ("folder", "it is not a file"),
        ("long", "longer than 1048576 bytes"),
        ("no/such", "there is no folder"),
    ] {
        let sink = far.sink(&format!("dotenv:{}#A_ID,A_SECRET", far.at(name).display()));
        for error in [
            sink.inspect(&pair(1).id).await.map(drop).unwrap_err(),
            sink.stage(&rotation()).await.map(drop).unwrap_err(),
        ] {
            assert!(
                matches!(&error, SinkError::Never(why) if why.contains(expected)),
                "{name}: {error}"
            );
        }
    }
    write(&far.at("full"), &"#".repeat(1024 * 1024));
    let full = far.sink(&format!("json:{}", far.at("full").display()));
    let error = full.inspect(&pair(1).id).await.unwrap_err();
    assert!(!error.to_string().contains("longer than"), "{error}");
    let absent = far.sink(&format!("dotenv:{}", far.at("none").display()));
    let absent = absent.inspect(&pair(1).id).await.unwrap();
    assert!(absent.absent.is_some() && absent.held == SinkContent::Nothing);
    write(&far.at("app.env"), "X=1\n");
    let near = far.sink(&format!("dotenv:{}", far.at("ap.env").display()));
    let near = near.inspect(&pair(1).id).await.unwrap().absent.unwrap();
    assert_eq!(near.similar, ["app.env"]);
}

#[tokio::test]
async fn an_owner_that_would_change_is_known_before() {
    let far = Far::new();
    let file = far.at("app.env");
    write(&file, &env(&pair(1)));
    if file.metadata().unwrap().uid() == 0 {
        // Root has every permission, so the file must belong to another user.
        chown(&file, Some(4242), Some(4243)).unwrap();
    }
    let (user, group) = (
        file.metadata().unwrap().uid(),
        file.metadata().unwrap().gid(),
    );
    fs::create_dir(far.ssh.path().join("bin")).unwrap();
    let id = far.ssh.path().join("bin/id");
    let sink = far.sink(&format!("dotenv:{}#A_ID,A_SECRET", file.display()));
    for (user, groups, expected) in [
        (
            user + 1,
            format!("7 {group}"),
            "it is owned by another user",
        ),
        (user, format!("7 1{group} {group}1"), "its group ("),
        (user, format!("7 {group} 8"), ""),
    ] {
        let text = format!("#!/bin/sh\n[ $1 = -u ] && echo {user} || echo {groups}\n");
        write(&id, &text);
        fs::set_permissions(&id, fs::Permissions::from_mode(0o755)).unwrap();
        let error = sink.stage(&rotation()).await.map(drop).err();
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(text.is_empty(), expected.is_empty(), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn connections_that_fail_are_tried_again_and_greetings_are_refused() {
    let far = Far::new();
    let file = far.at("app.env");
    let sink = far.sink(&format!("dotenv:{}", file.display()));
    let ssh = |text: &str| write(&far.ssh.path().join("ssh"), text);
    ssh("#!/bin/sh\necho 'Host key verification failed.' >&2; exit 255\n");
    let error = sink.read_back().await.unwrap_err();
    let expected = "ssh app@web-1:2222: Host key verification failed.";
    assert!(
        matches!(&error, SinkError::Later(why) if why == expected),
        "{error}"
    );
    ssh("#!/bin/sh\necho Welcome; for line; do :; done; exec sh -c \"$line\"\n");
    let error = sink.read_back().await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Never(why) if why.contains("a greeting")),
        "{error}"
    );
}

#[tokio::test]
async fn a_program_runs_there_after_the_file_was_replaced() {
    let far = Far::new();
    let file = far.at("app.env");
    write(&file, &env(&pair(1)));
    let log = far.at("log");
    let name = |program: &str| {
        format!(
            "dotenv:{}?after={program} '{}'#A_ID,A_SECRET",
            file.display(),
            log.display()
        )
    };
    let sink = far.sink(&name("touch"));
    let backup = sink.stage(&rotation()).await.unwrap();
    assert!(!log.exists());
    sink.commit(&rotation(), &backup, &pair(2)).await.unwrap();
    assert!(log.exists());
    let arguments = far.arguments();
    assert!(
        arguments.ends_with(&format!("touch {}\n", log.display())),
        "{arguments}"
    );
    fs::remove_file(&log).unwrap();
    put_back(&*sink, &backup, None).await.unwrap();
    assert!(log.exists());
    let sink = far.sink(&name("no-such-program-there"));
    let error = sink.stage(&rotation()).await.unwrap_err();
    assert!(error.to_string().contains("there is no program"), "{error}");
    let sink = far.sink(&name("ls /no/such"));
    let error = deliver(&*sink, &pair(2)).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Never(why) if why.contains("/no/such")),
        "{error}"
    );
}

#[test]
fn names_of_machines() {
    for name in [
        "ssh:web-1/dotenv:/srv/app.env",
        "ssh:app@10.0.0.1:2222/json:/srv/a.json?after=systemctl reload app#/a,/b",
        "ssh:_app@[fe80::1]:22/aws-profile:default@/home/app/.aws/credentials",
        "ssh:h/csv:/srv/keys.csv",
    ] {
        let spec: SinkSpec = name.parse().unwrap();
        assert_eq!(spec.to_string(), name);
    }
    for (name, expected) in [
        (
            "-oProxyCommand=touch x/dotenv:/x",
            "is not of the form [USER@]HOST",
        ),
        ("-h/dotenv:/x", "is not of the form [USER@]HOST"),
        ("-l@h/dotenv:/x", "is not of the form [USER@]HOST"),
        ("a@b@c/dotenv:/x", "is not of the form [USER@]HOST"),
        ("a b/dotenv:/x", "is not of the form [USER@]HOST"),
        ("h;date/dotenv:/x", "is not of the form [USER@]HOST"),
        ("h:0/dotenv:/x", "is not of the form [USER@]HOST"),
        ("h:65536/dotenv:/x", "is not of the form [USER@]HOST"),
        ("h:/dotenv:/x", "is not of the form [USER@]HOST"),
        ("[::g]/dotenv:/x", "is not of the form [USER@]HOST"),
        ("[::1]x/dotenv:/x", "is not of the form [USER@]HOST"),
        ("/dotenv:/x", "is not of the form [USER@]HOST"),
        ("h", "expected KIND:FILE"),
        ("h/vault:/x", "expected KIND:FILE"),
        ("h/dotenv:x", "is not the absolute path"),
        ("h/dotenv:~/x", "is not the absolute path"),
        ("h/dotenv:/x/", "is not the absolute path"),
        ("h/aws-profile:default", "on the other machine: NAME@FILE"),
    ] {
        let error = SshFile::new(name).unwrap_err();
        assert!(error.contains(expected), "{name}: {error}");
    }
    let long = format!("{}/dotenv:/x", "h".repeat(254));
    assert!(SshFile::new(&long).is_err() && SshFile::new(long.get(1..).unwrap()).is_ok());
}
