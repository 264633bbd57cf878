//! Session tokens, arguments, and what no client gets. `e2e/test_imds.py` is for real clients.

use std::os::unix::fs::PermissionsExt;

use keywright_base::Timestamp;
use keywright_server::SystemEntropy;

use super::{container_token, is_local, role_name, session_tokens::SessionTokens};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

#[test]
fn tokens_last_as_long_as_requested() {
    let tokens = SessionTokens::generate(&SystemEntropy);
    for seconds in ["1", "21600"] {
        let token = tokens.issue(seconds, NOW).unwrap();
        let end = NOW.plus_secs(seconds.parse().unwrap());
        assert!(tokens.accepts(&token, NOW));
        assert!(tokens.accepts(&token, end.plus_secs(-1)));
        assert!(!tokens.accepts(&token, end), "{seconds}");
    }
    for refused in ["0", "21601", "-1", "", "60s", "1e3", "99999999999999999999"] {
        assert_eq!(tokens.issue(refused, NOW), None, "{refused}");
    }
}

#[test]
fn tokens_of_others_are_not_accepted() {
    let tokens = SessionTokens::generate(&SystemEntropy);
    let token = tokens.issue("60", NOW).unwrap();
    let other = SessionTokens::generate(&SystemEntropy).issue("60", NOW);
    let later = token.replacen("AAAB", "AAAC", 1);
    let cut = token.get(1..).unwrap();
    assert_ne!(later, token);
    let refused = ["", "AAAA", "not a token", cut, &later, &other.unwrap()];
    for refused in refused {
        assert!(!tokens.accepts(refused, NOW), "{refused}");
    }
}

#[test]
fn the_role_is_an_arn() {
    assert_eq!(
        role_name("arn:aws:iam::123456789012:role/app").unwrap(),
        "app"
    );
    assert_eq!(
        role_name("arn:aws:iam::123456789012:role/a/b/app").unwrap(),
        "app"
    );
    for refused in [
        "app",
        "arn:aws:iam::123456789012:user/app",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:sts::123456789012:assumed-role/app/session",
    ] {
        let error = role_name(refused).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{refused} is not the ARN of a role")));
    }
}

#[test]
fn it_listens_where_only_this_machine_reaches_it() {
    for (address, local) in [
        ("127.0.0.1", true),
        ("127.1.2.3", true),
        ("::1", true),
        ("169.254.169.254", true),
        ("169.254.1.1", false),
        ("0.0.0.0", false),
        ("::", false),
        ("192.168.1.1", false),
    ] {
        assert_eq!(is_local(address.parse().unwrap()), local, "{address}");
    }
}

#[test]
fn a_token_file_is_made_once_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let token = container_token(&path).unwrap();
    assert_eq!(token.expose().len(), 43);
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(container_token(&path).unwrap().expose(), token.expose());
    for refused in ["", "short", "with a space in it, long"] {
        let path = folder.path().join(format!("refused-{}", refused.len()));
        let mut file = std::fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut file, refused.as_bytes()).unwrap();
        let error = container_token(&path).unwrap_err().to_string();
        assert!(error.ends_with("has no token of at least 16 printable characters"));
    }
}
