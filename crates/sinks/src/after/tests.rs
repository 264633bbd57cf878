//! The program that runs after a file was replaced.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use keywright_rotation::{
    model::RotationId,
    ports::{Sink, SinkContent, SinkError},
};

use crate::testing::holds_no_more;
use crate::{
    suite::{ReadBackKind, deliver, hold_to_contract, pair, put_back},
    tests::{open, write},
};

/// Records the content of the file, as the consumer would see it, and exits as `exit` says.
const HOOK: &str = r#"#!/bin/sh
here=$(dirname "$0")
env > "$here/environment"
cat > "$here/input"
grep -o 'AKIA[A-Z0-9]*' "$here/app.env" | sed "s/^/$1 /" >> "$here/log"
[ -e "$here/exit" ] || exit 0
echo "no such unit" >&2
exit "$(cat "$here/exit")"
"#;

struct Hooked {
    folder: tempfile::TempDir,
    sink: Box<dyn Sink>,
}

impl Hooked {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hook = folder.path().join("re load");
        write(&hook, HOOK);
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        let file = folder.path().join("app.env");
        let one = pair(1);
        let text = format!("A_ID={}\nA_SECRET={}\n", one.id, one.secret.expose());
        write(&file, &text);
        let name = format!(
            "dotenv:{}?after='{}' app#A_ID,A_SECRET",
            file.display(),
            hook.display()
        );
        let sink = open(&name).await;
        assert_eq!(sink.name(), name);
        Self { folder, sink }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }
}

#[tokio::test]
async fn it_runs_after_each_delivery_and_on_the_way_back() {
    let hooked = Hooked::new().await;
    let file = hooked.at("app.env");
    let before = fs::read(&file).unwrap();
    let rotation = RotationId("r-1".to_owned());
    hooked.sink.inspect(&pair(1).id).await.unwrap();
    let backup = hooked.sink.stage(&rotation).await.unwrap();
    assert_eq!(hooked.log(), "", "nothing was written yet");
    deliver(&*hooked.sink, &pair(2)).await.unwrap();
    let delivered = format!("app {}\n", pair(2).id);
    assert_eq!(hooked.log(), delivered);
    assert_eq!(
        hooked.sink.read_back().await,
        Ok(SinkContent::Pair(pair(2)))
    );
    // As if the process had died between the write and the program.
    hooked
        .sink
        .commit(&rotation, &backup, &pair(2))
        .await
        .unwrap();
    assert_eq!(hooked.log(), delivered.repeat(2));
    put_back(&*hooked.sink, &backup, None).await.unwrap();
    assert_eq!(
        hooked.log(),
        format!("{}app {}\n", delivered.repeat(2), pair(1).id)
    );
    assert_eq!(fs::read(&file).unwrap(), before);
    hold_to_contract(&*hooked.sink, ReadBackKind::Pair, &|| {
        fs::read(&file).unwrap()
    })
    .await;
}

#[tokio::test]
async fn its_exit_code_decides_whether_the_file_counts_as_written() {
    let hooked = Hooked::new().await;
    let rotation = RotationId("r-1".to_owned());
    let backup = hooked.sink.stage(&rotation).await.unwrap();
    for (code, later) in [("1", false), ("75", true)] {
        write(&hooked.at("exit"), code);
        let failed = [
            hooked.sink.commit(&rotation, &backup, &pair(2)).await,
            put_back(&*hooked.sink, &backup, None).await,
        ];
        for error in failed.map(Result::unwrap_err) {
            assert_eq!(matches!(error, SinkError::Later(_)), later, "{error}");
            let text = error.to_string();
            assert!(
                text.contains("re load: exit status: ") && text.contains("no such unit"),
                "{text}"
            );
        }
    }
    fs::remove_file(hooked.at("exit")).unwrap();
    hooked
        .sink
        .commit(&rotation, &backup, &pair(2))
        .await
        .unwrap();
    assert!(hooked.log().ends_with(&format!("app {}\n", pair(2).id)));
}

#[tokio::test]
async fn it_gets_no_secret_and_little_of_the_environment() {
    let hooked = Hooked::new().await;
    deliver(&*hooked.sink, &pair(2)).await.unwrap();
    assert_eq!(fs::read_to_string(hooked.at("input")).unwrap(), "");
    let environment = fs::read_to_string(hooked.at("environment")).unwrap();
    holds_no_more(&environment);
    assert!(!environment.contains(pair(2).secret.expose().as_str()));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_known_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.env");
    let at = |program: &str| format!("dotenv:{}?after={program}", file.display());
    let rotation = RotationId("r-1".to_owned());
    let not_to_run = folder.path().join("text");
    write(&not_to_run, "");
    for program in [
        "no-such-program-here",
        "/no/such",
        not_to_run.to_str().unwrap(),
    ] {
        let sink = open(&at(program)).await;
        for error in [
            sink.inspect(&pair(1).id).await.map(drop).unwrap_err(),
            sink.stage(&rotation).await.map(drop).unwrap_err(),
        ] {
            let expected = format!("there is no program {program}");
            assert!(
                matches!(&error, SinkError::Never(why) if why.ends_with(&expected)),
                "{error}"
            );
        }
    }
    assert!(!Path::new(&file).exists());
    assert!(open(&at("true")).await.stage(&rotation).await.is_ok());
}
