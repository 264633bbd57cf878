//! The environment of the programs that an operator configures.
//!
//! Invariant: a program gets the variables listed here and no others, since the environment of the
//! server or of a rotation may hold the master key (`--master-key env:NAME`), tokens and
//! credentials. The listed variables name locations and the logged-in user; none of them is a
//! secret.

use std::{env, ffi::OsStr};

use tokio::process::Command;

/// For all programs, including those that restart, reload or deliver.
pub(crate) const SYSTEM: [&str; 19] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_HOST",
    "KUBECONFIG",
    "SSH_AUTH_SOCK",
    "KRB5CCNAME",
    "GNUPGHOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// For programs that log in to a cluster, which choose an account by them. Proxies are in the
/// kubeconfig.
#[cfg(feature = "kubernetes")]
const CLUSTER_LOGIN: [&str; 17] = [
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CA_BUNDLE",
    "CLOUDSDK_CONFIG",
    "CLOUDSDK_ACTIVE_CONFIG_NAME",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_CONFIG_DIR",
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_AUTHORITY_HOST",
    "AZURE_FEDERATED_TOKEN_FILE",
];

/// A program with the environment that all programs get.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "its environment is cleared here, for all who come by this way"
    )]
    let mut command = Command::new(name);
    command.env_clear();
    pass(&mut command, &SYSTEM);
    command
}

/// A program that logs in to a cluster.
#[cfg(feature = "kubernetes")]
pub(crate) fn cluster_login(name: &str) -> Command {
    let mut command = program(name);
    pass(&mut command, &CLUSTER_LOGIN);
    command
}

fn pass(command: &mut Command, names: &[&str]) {
    let there = names
        .iter()
        .filter_map(|name| Some((name, env::var_os(name)?)));
    command.envs(there.filter(|(_, value)| !value.is_empty()));
}

#[cfg(test)]
mod tests {
    //! `cargo test` itself sets variables such as `CARGO_MANIFEST_DIR`, which stand for secrets
    //! here.

    use super::{CLUSTER_LOGIN, SYSTEM, cluster_login, program};
    use crate::testing::holds_no_more;

    #[tokio::test]
    async fn a_program_has_the_variables_of_the_list_and_no_other() {
        let output = program("env").output().await.unwrap();
        holds_no_more(&String::from_utf8(output.stdout).unwrap());
        let output = cluster_login("env").env("OWN", "x").output().await.unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let others = |line: &&str| {
            let name = line.split('=').next().unwrap();
            !CLUSTER_LOGIN.contains(&name) && *line != "OWN=x"
        };
        assert!(printed.lines().any(|line| line == "OWN=x"));
        holds_no_more(
            &printed
                .lines()
                .filter(others)
                .collect::<Vec<_>>()
                .join("\n"),
        );
    }

    #[test]
    fn the_list_holds_no_secret() {
        for name in SYSTEM.iter().chain(&CLUSTER_LOGIN) {
            let secret = ["SECRET", "PASSWORD", "ACCESS_KEY", "KEYWRIGHT", "VAULT"];
            assert!(!secret.iter().any(|word| name.contains(word)), "{name}");
            let file = ["FILE", "PATH", "DIR"]
                .iter()
                .any(|word| name.contains(word));
            assert!(!name.contains("TOKEN") || file, "{name}");
        }
    }
}
