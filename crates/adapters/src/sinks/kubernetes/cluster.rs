//! How a cluster is reached, and as whom: a kubeconfig, or the service account of the pod.
//!
//! It protects two rules: what a kubeconfig says and this does not know is refused, never left out;
//! and nobody is asked without a verified connection, but for an address on this machine.
//! Credentials are a token, a file with one, a client certificate, or a program (`exec`) that prints
//! a token.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use keywright_base::{Secret, limits};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroize;

use super::super::aws_profile::{home, variable};

/// Where a pod finds its service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Seconds that a program gets to print a token.
const EXEC_SECS: u64 = 60;

/// A cluster, and who asks.
pub(super) struct Cluster {
    /// Its address, without a slash at the end.
    pub(super) server: String,
    /// The authorities to trust, in PEM.
    pub(super) authorities: Option<Vec<u8>>,
    /// A certificate with its key, in PEM.
    pub(super) certificate: Option<Secret<Vec<u8>>>,
    /// Where the token is.
    pub(super) token: Token,
}

/// Where a token is found.
pub(super) enum Token {
    /// There is none.
    None,
    /// Here.
    Fixed(Secret<String>),
    /// In a file that somebody renews.
    File(PathBuf),
    /// A program prints it.
    Exec(Exec),
}

/// A program that prints a token.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Exec {
    api_version: String,
    command: String,
    args: Option<Vec<String>>,
    env: Option<Vec<Variable>>,
    #[serde(default)]
    provide_cluster_info: bool,
}

#[derive(Clone, Deserialize)]
struct Variable {
    name: String,
    value: String,
}

impl Token {
    /// The token as of now.
    pub(super) async fn fetch(&self) -> Result<Option<Secret<String>>, String> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(token) => Ok(Some(token.clone())),
            Self::File(path) => read_token(path).map(Some),
            Self::Exec(exec) => exec.run().await.map(Some),
        }
    }
}

fn read_token(path: &Path) -> Result<Secret<String>, String> {
    let read = fs::read_to_string(path);
    let text = read.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Secret::new(text.trim().to_owned()))
}

impl Exec {
    /// Runs it. What it says on its standard error goes where ours goes: it may be advice.
    async fn run(&self) -> Result<Secret<String>, String> {
        let told = json!({
            "apiVersion": self.api_version,
            "kind": "ExecCredential",
            "spec": {"interactive": false},
        });
        let mut command = tokio::process::Command::new(&self.command);
        command
            .args(self.args.iter().flatten())
            .env("KUBERNETES_EXEC_INFO", told.to_string())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for variable in self.env.iter().flatten() {
            command.env(&variable.name, &variable.value);
        }
        let at = |why: &dyn std::fmt::Display| format!("{}: {why}", self.command);
        let ended = tokio::time::timeout(Duration::from_secs(EXEC_SECS), command.output()).await;
        let mut ended = ended
            .map_err(|_| at(&format!("no end after {EXEC_SECS} seconds")))?
            .map_err(|error| at(&error))?;
        let said: Value = serde_json::from_slice(&ended.stdout).unwrap_or_default();
        ended.stdout.zeroize();
        if !ended.status.success() {
            return Err(at(&ended.status));
        }
        let token = said.pointer("/status/token").and_then(Value::as_str);
        let token = token.ok_or_else(|| at(&"it printed no token"))?;
        Ok(Secret::new(token.to_owned()))
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Kubeconfig {
    current_context: Option<String>,
    clusters: Option<Vec<Named<ClusterEntry>>>,
    users: Option<Vec<Named<UserEntry>>>,
    contexts: Option<Vec<Named<ContextEntry>>>,
}

/// An entry of one of the lists; the name of its body is the list's.
#[derive(Deserialize)]
struct Named<T> {
    name: String,
    #[serde(alias = "cluster", alias = "user", alias = "context")]
    body: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ClusterEntry {
    server: String,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct UserEntry {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<String>,
    exec: Option<Exec>,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

impl Drop for UserEntry {
    fn drop(&mut self) {
        self.token.zeroize();
        self.client_key_data.zeroize();
    }
}

#[derive(Deserialize)]
struct ContextEntry {
    cluster: String,
    user: String,
}

/// A kubeconfig and where it lies: relative paths in it are relative to that.
struct Loaded {
    folder: PathBuf,
    config: Kubeconfig,
}

impl Cluster {
    /// As `kubectl` finds it: the files of `KUBECONFIG`, or `~/.kube/config`, or the pod's account.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn find(context: Option<&str>) -> Result<Self, String> {
        let told = variable("KUBECONFIG");
        let paths: Vec<PathBuf> = match &told {
            Some(list) => std::env::split_paths(list).collect(),
            None => home()
                .map(|home| home.join(".kube/config"))
                .into_iter()
                .collect(),
        };
        let paths: Vec<_> = paths.into_iter().filter(|path| path.exists()).collect();
        if !paths.is_empty() {
            return Self::of_files(&paths, context);
        }
        match (variable("KUBERNETES_SERVICE_HOST"), context) {
            (Some(host), None) => {
                let port = variable("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
                Self::of_pod(&host, &port, Path::new(ACCOUNT))
            }
            _ => Err("there is no kubeconfig: set KUBECONFIG".to_owned()),
        }
    }

    fn of_pod(host: &str, port: &str, account: &Path) -> Result<Self, String> {
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let ca = account.join("ca.crt");
        let pem = fs::read(&ca).map_err(|error| format!("{}: {error}", ca.display()))?;
        Ok(Self {
            server: format!("https://{host}:{port}"),
            authorities: Some(pem),
            certificate: None,
            token: Token::File(account.join("token")),
        })
    }

    /// Of files, where the first that has something of a name is right.
    pub(super) fn of_files(paths: &[PathBuf], context: Option<&str>) -> Result<Self, String> {
        let mut files = Vec::new();
        for path in paths {
            let at = |why: String| format!("{}: {why}", path.display());
            let size = fs::metadata(path)
                .map_err(|error| at(error.to_string()))?
                .len();
            if size > limits::CREDENTIALS_FILE_BYTES {
                return Err(at("it is too long".to_owned()));
            }
            let text = fs::read_to_string(path).map_err(|error| at(error.to_string()))?;
            let text = Secret::new(text);
            let parsed = serde_saphyr::from_str(text.expose());
            // The error would quote the file.
            let config = parsed.map_err(|_| at("it is not a kubeconfig".to_owned()))?;
            let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
            files.push(Loaded { folder, config });
        }
        let current = || {
            files
                .iter()
                .find_map(|file| file.config.current_context.as_deref())
        };
        let name = context.or_else(current).filter(|name| !name.is_empty());
        let name = name.ok_or("the kubeconfig has no current-context")?;
        let none = |what: &str, name: &str| format!("the kubeconfig has no {what} {name}");
        let (_, context) =
            named(&files, name, |config| &config.contexts).ok_or_else(|| none("context", name))?;
        let (at, cluster) = named(&files, &context.cluster, |config| &config.clusters)
            .ok_or_else(|| none("cluster", &context.cluster))?;
        let authorities = cluster.check(at)?;
        let (at, user) = named(&files, &context.user, |config| &config.users)
            .ok_or_else(|| none("user", &context.user))?;
        let certificate = user.certificate(at)?;
        Ok(Self {
            server: cluster.server.trim_end_matches('/').to_owned(),
            authorities,
            token: user.token(at)?,
            certificate,
        })
    }
}

/// An entry by name, with the folder of its file.
fn named<'a, T>(
    files: &'a [Loaded],
    name: &str,
    list: impl Fn(&'a Kubeconfig) -> &'a Option<Vec<Named<T>>>,
) -> Option<(&'a Path, &'a T)> {
    files.iter().find_map(|file| {
        let mut entries = list(&file.config).iter().flatten();
        let found = entries.find(|entry| entry.name == name)?;
        Some((file.folder.as_path(), &found.body))
    })
}

/// What stands in the file itself, in base64, or in another one.
fn content(
    folder: &Path,
    data: Option<&str>,
    file: Option<&str>,
) -> Result<Option<Vec<u8>>, String> {
    match (data, file) {
        (Some(data), _) => {
            let decoded = STANDARD.decode(data.trim());
            decoded
                .map(Some)
                .map_err(|_| "the kubeconfig has data that is not base64".to_owned())
        }
        (None, Some(file)) => {
            let path = folder.join(file);
            let read = fs::read(&path).map(Some);
            read.map_err(|error| format!("{}: {error}", path.display()))
        }
        (None, None) => Ok(None),
    }
}

impl ClusterEntry {
    /// Refuses what cannot be done; gives the authorities.
    fn check(&self, folder: &Path) -> Result<Option<Vec<u8>>, String> {
        if self.insecure_skip_tls_verify {
            return Err(
                "insecure-skip-tls-verify is refused: it would give the secret away".into(),
            );
        }
        let known = ["extensions", "disable-compression"];
        if let Some(name) = self
            .more
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            return Err(format!(
                "the kubeconfig's cluster has {name}, which is not supported"
            ));
        }
        let (data, file) = (
            &self.certificate_authority_data,
            &self.certificate_authority,
        );
        content(folder, data.as_deref(), file.as_deref())
    }
}

impl UserEntry {
    fn certificate(&self, folder: &Path) -> Result<Option<Secret<Vec<u8>>>, String> {
        if let Some(name) = self.more.keys().find(|name| *name != "extensions") {
            return Err(format!(
                "the kubeconfig's user has {name}, which is not supported"
            ));
        }
        let (data, file) = (&self.client_certificate_data, &self.client_certificate);
        let Some(mut pem) = content(folder, data.as_deref(), file.as_deref())? else {
            return Ok(None);
        };
        let (data, file) = (&self.client_key_data, &self.client_key);
        let key = content(folder, data.as_deref(), file.as_deref())?;
        let key = Secret::new(key.ok_or("the kubeconfig has a certificate without its key")?);
        pem.push(b'\n');
        pem.extend_from_slice(key.expose());
        Ok(Some(Secret::new(pem)))
    }

    fn token(&self, folder: &Path) -> Result<Token, String> {
        if let Some(exec) = &self.exec {
            if exec.provide_cluster_info {
                return Err("provideClusterInfo of exec is not supported".to_owned());
            }
            let mut exec = exec.clone();
            if Path::new(&exec.command).components().count() > 1 {
                // A path, and not a name to be looked for.
                exec.command = folder.join(&exec.command).display().to_string();
            }
            return Ok(Token::Exec(exec));
        }
        Ok(match (&self.token, &self.token_file) {
            (_, Some(file)) => Token::File(folder.join(file)),
            (Some(token), None) => Token::Fixed(Secret::new(token.clone())),
            (None, None) => Token::None,
        })
    }
}
