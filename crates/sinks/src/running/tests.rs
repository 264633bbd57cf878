//! Programs that do not end, print too much, or leave something running.

use std::time::Duration;

use keywright_base::Secret;
use tokio::time::timeout;

use super::{ERROR_BYTES, ProgramError, ProgramExit, ProgramLimits, WORDS_MAX, run};
use crate::environment::program;

const LIMITS: ProgramLimits = ProgramLimits {
    time: Duration::from_secs(60),
    output: 1000,
};

/// For things that should take no time, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

async fn shell(
    script: &str,
    input: &str,
    limits: ProgramLimits,
) -> Result<ProgramExit, ProgramError> {
    let mut command = program("sh");
    command.args(["-c", script]);
    let input = Secret::new(input.as_bytes().to_vec());
    run(command, &input, limits).await
}

#[tokio::test]
async fn input_output_and_complaints() {
    let script = "cat; echo \"  not\n good $0\" >&2; exit 7";
    let ended = shell(script, "text", LIMITS).await.ok().unwrap();
    assert_eq!(ended.output.expose(), b"text");
    assert_eq!(ended.status.code(), Some(7));
    assert_eq!(ended.complaint(None), "not good sh");
    let secret = Secret::new("good".to_owned());
    assert_eq!(ended.complaint(Some(&secret)), "not [secret] sh");
    // A program that ignores a large input, and one that does not exist.
    let much = "x".repeat(1_000_000);
    assert!(shell("exit 0", &much, LIMITS).await.is_ok());
    let none = run(program("/no/such"), &Secret::new(Vec::new()), LIMITS).await;
    assert!(matches!(none, Err(ProgramError::Start(_))));
}

#[tokio::test]
async fn a_secret_is_not_cut_so_that_it_is_not_found() {
    let secret = Secret::new("s3cret".repeat(7));
    for before in [WORDS_MAX - 10, ERROR_BYTES - 10] {
        let blank = if before > WORDS_MAX { " " } else { "x" };
        let text = format!("{}{}", blank.repeat(before), secret.expose());
        let ended = shell("cat >&2; exit 1", &text, LIMITS).await.ok().unwrap();
        let reply = ended.complaint(Some(&secret));
        assert!(!reply.contains("s3c"), "{reply}");
        assert!(reply.chars().count() <= WORDS_MAX);
    }
}

#[tokio::test]
async fn limits_hold() {
    let exact = shell("head -c 1000 /dev/zero", "", LIMITS)
        .await
        .ok()
        .unwrap();
    assert_eq!(exact.output.expose().len(), 1000);
    let more = shell("head -c 1001 /dev/zero", "", LIMITS).await;
    assert!(matches!(more, Err(ProgramError::Output(1000))));
    let short = ProgramLimits {
        time: Duration::from_millis(200),
        ..LIMITS
    };
    // The processes that it started are killed with it.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child");
    let script = format!("sleep 600 & echo $! > {}; wait", file.display());
    let ended = timeout(PATIENCE, shell(&script, "", short)).await.unwrap();
    assert!(matches!(ended, Err(ProgramError::Time(_))));
    let child = std::fs::read_to_string(&file).unwrap();
    let status = format!("/proc/{}/stat", child.trim());
    let gone = async {
        // A killed process may remain as a zombie until its parent collects it.
        while std::fs::read_to_string(&status).is_ok_and(|status| !status.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_holds_the_pipes_open_holds_nobody_up() {
    let daemon = shell("sleep 60 & echo $!; exit 0", "", LIMITS);
    let ended = timeout(PATIENCE, daemon).await.unwrap().ok().unwrap();
    assert!(ended.status.success());
    let id = String::from_utf8(ended.output.expose().clone()).unwrap();
    let killed = program("kill").arg(id.trim()).status().await.unwrap();
    assert!(killed.success(), "it was left running");
}
