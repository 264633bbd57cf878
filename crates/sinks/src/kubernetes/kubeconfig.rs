//! How to reach a cluster, and as whom: from a kubeconfig, as `kubectl` understands it, or from the
//! pod's service account.
//!
//! Invariants: no request goes over an unverified connection, except to this machine; and no error
//! quotes a kubeconfig. `kube` reads the files and opens the connections. This module handles what
//! `kubectl` and `kube` treat differently: missing files and empty values count as absent, a token
//! file takes precedence over a token, `NO_PROXY` applies to the cluster and not to its proxy, and
//! credential plugins run within limits ([`super::exec`]).

use std::{fs, path::PathBuf, time::Duration};

use ::http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use keywright_base::limits;
use kube::{
    Client, Config,
    config::{AuthInfo, Cluster, ExecAuthCluster, Kubeconfig, KubeconfigError},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    super::aws_profile::{home, variable},
    exec,
};
use keywright_aws::http;

/// The time limit for opening a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The time limit for silence on a connection.
const SILENCE: Duration = Duration::from_secs(30);

/// Where the access to a cluster is configured.
pub(super) enum ClusterAccess {
    /// In kubeconfig files. The first file that has an entry of a name wins.
    Files {
        paths: Vec<PathBuf>,
        context: Option<String>,
    },
    /// In the pod that this process runs in.
    Pod,
}

impl ClusterAccess {
    /// Finds it like `kubectl`: the files in `KUBECONFIG`, or `~/.kube/config`, or the pod's
    /// account.
    pub(super) fn find(context: Option<&str>) -> Result<Self, String> {
        let listed = variable("KUBECONFIG");
        let paths: Vec<PathBuf> = match &listed {
            Some(list) => std::env::split_paths(list).collect(),
            None => home()
                .map(|home| home.join(".kube/config"))
                .into_iter()
                .collect(),
        };
        let there = paths.into_iter().filter(|path| path.exists());
        let paths = there
            .map(std::path::absolute)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())?;
        if !paths.is_empty() {
            let context = context.map(str::to_owned);
            return Ok(Self::Files { paths, context });
        }
        match (variable("KUBERNETES_SERVICE_HOST"), context) {
            (Some(_), None) => Ok(Self::Pod),
            _ => Err("there is no kubeconfig: set KUBECONFIG".to_owned()),
        }
    }

    /// Reads the configuration. Sends no request and runs no program.
    pub(super) fn read(&self) -> Result<Config, String> {
        let mut config = match self {
            Self::Files { paths, context } => of_files(paths, context.as_deref())?,
            Self::Pod => Config::incluster().map_err(|error| error.to_string())?,
        };
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(SILENCE);
        config.write_timeout = Some(SILENCE);
        config.reset_reader_on_write = true;
        // The rotation engine retries by its own clock.
        config.default_retry = false;
        Ok(config)
    }

    /// A client with the current credentials.
    pub(super) async fn log_in(&self) -> Result<Client, String> {
        let mut config = self.read()?;
        // kube would read the file too, but sends what follows the token, such as a line feed.
        if let Some(path) = config.auth_info.token_file.take() {
            let token = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
            config.auth_info.token = Some(token.trim().to_owned().into());
        }
        if let Some(program) = config.auth_info.exec.take() {
            let credential = exec::run(&program).await?;
            credential.put_into(&mut config.auth_info);
        }
        http::install_provider();
        Client::try_from(config).map_err(|error| error.to_string())
    }
}

fn of_files(paths: &[PathBuf], context: Option<&str>) -> Result<Config, String> {
    let mut all = Kubeconfig::default();
    for path in paths {
        let at = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let size = fs::metadata(path).map_err(|error| at(&error))?.len();
        if size > limits::CREDENTIALS_FILE_BYTES {
            return Err(at(&"the file is too large"));
        }
        let read = Kubeconfig::read_from(path).and_then(|next| all.merge(next));
        all = read.map_err(|error| match error {
            KubeconfigError::ReadConfig(error, _) => at(&error),
            // Other errors may quote the file.
            _ => at(&"it is not a kubeconfig"),
        })?;
    }
    let name = context.or(all.current_context.as_deref());
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or("the kubeconfig has no current-context")?;
    let none = |what: &str, name: &str| format!("the kubeconfig has no {what} {name}");
    let context = all.contexts.iter().find(|named| named.name == name);
    let context = context.and_then(|named| named.context.as_ref());
    let context = context.ok_or_else(|| none("context", name))?;
    let cluster = all.clusters.iter().find(|one| one.name == context.cluster);
    let cluster = cluster.and_then(|named| named.cluster.as_ref());
    let cluster = cluster.ok_or_else(|| none("cluster", &context.cluster))?;
    let user = match context.user.as_deref() {
        None | Some("") => &AuthInfo::default(),
        Some(name) => {
            let user = all.auth_infos.iter().find(|named| named.name == name);
            let user = user.and_then(|named| named.auth_info.as_ref());
            user.ok_or_else(|| none("user", name))?
        }
    };
    config_of(&without_empty(cluster)?, without_empty(user)?)
}

/// The same entry without empty values, which `kubectl` treats as absent.
fn without_empty<T: Serialize + DeserializeOwned>(entry: &T) -> Result<T, String> {
    let copy = || {
        let mut value = serde_json::to_value(entry)?;
        if let Value::Object(members) = &mut value {
            members.retain(|_, member| member.as_str() != Some(""));
        }
        serde_json::from_value(value)
    };
    copy().map_err(|_: serde_json::Error| "it is not a kubeconfig".to_owned())
}

fn config_of(cluster: &Cluster, mut user: AuthInfo) -> Result<Config, String> {
    let server = cluster.server.as_deref();
    let server = server.ok_or("the kubeconfig's cluster has no server")?;
    http::address(server)?;
    if cluster.insecure_skip_tls_verify == Some(true) {
        return Err("insecure-skip-tls-verify is not allowed: it would expose the secret".into());
    }
    let url: Uri = server
        .parse()
        .map_err(|_| "its server is not a valid URL")?;
    // Like kubectl: the token file takes precedence over the token, which may be older.
    if user.token_file.is_some() {
        user.token = None;
    }
    provider(&mut user)?;
    if let Some(program) = &mut user.exec {
        exec::check(program)?;
        if program.provide_cluster_info {
            let about = ExecAuthCluster::try_from(cluster).map_err(|error| error.to_string())?;
            program.cluster = Some(about);
        }
        if user.token.is_some() || user.token_file.is_some() || user.username.is_some() {
            user.exec = None;
        }
    }
    let mut config = Config::new(url.clone());
    config.root_cert = authorities(cluster)?;
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    config.proxy_url = proxy(cluster, &url, ProxyEnvironment::read())?;
    config.auth_info = user;
    Ok(config)
}

/// OIDC is the only `auth-provider` that `kubectl` still supports. Its token is used as it is and
/// not refreshed: a refreshed token would have to be written to the kubeconfig, or the next refresh
/// would fail.
fn provider(user: &mut AuthInfo) -> Result<(), String> {
    let Some(provider) = user.auth_provider.take() else {
        return Ok(());
    };
    if provider.name != "oidc" {
        return Err(format!(
            "auth-provider {} is not supported (kubectl has removed it, too); use its exec plugin",
            provider.name
        ));
    }
    let token = provider.config.get("id-token").cloned();
    let token = token.filter(|token| !token.is_empty());
    user.token = Some(
        token
            .ok_or("its auth-provider has no id-token; run kubectl once")?
            .into(),
    );
    Ok(())
}

/// The trusted certificate authorities; `None` for the system's.
fn authorities(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, String> {
    // The only function of kube that reads both forms of the entry.
    let about = ExecAuthCluster::try_from(cluster).map_err(|error| error.to_string())?;
    let Some(pem) = about.certificate_authority_data else {
        return Ok(None);
    };
    let bad = || "its certificate-authority contains no certificate".to_owned();
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|_| bad())?;
    if found.is_empty() {
        return Err(bad());
    }
    Ok(Some(found.iter().map(|one| one.to_vec()).collect()))
}

/// The proxy settings of the environment.
pub(super) struct ProxyEnvironment {
    /// Applies `NO_PROXY`.
    pub(super) matcher: Matcher,
    pub(super) https_proxy: Option<String>,
}

impl ProxyEnvironment {
    fn read() -> Self {
        Self {
            matcher: Matcher::from_env(),
            https_proxy: variable("HTTPS_PROXY").or_else(|| variable("https_proxy")),
        }
    }
}

/// The proxy of the cluster's entry, or the environment's.
pub(super) fn proxy(
    cluster: &Cluster,
    server: &Uri,
    environment: ProxyEnvironment,
) -> Result<Option<Uri>, String> {
    let set = match &cluster.proxy_url {
        Some(proxy) => Some(proxy.clone()),
        None if is_local(server) || environment.matcher.intercept(server).is_none() => None,
        None => environment.https_proxy,
    };
    let Some(set) = set else {
        return Ok(None);
    };
    // With socks5h the proxy resolves names, and so it does with kube's socks5. The text may
    // contain a password, so the error does not quote it.
    let set = match set.strip_prefix("socks5h://") {
        Some(rest) => format!("socks5://{rest}"),
        None => set,
    };
    let proxy: Uri = set
        .parse()
        .map_err(|_| "its proxy-url is not a valid URL")?;
    match proxy.scheme_str() {
        Some("http" | "https" | "socks5") => Ok(Some(proxy)),
        _ => Err("its proxy-url must use http, https or socks5".to_owned()),
    }
}

/// Whether the server is on this machine, where the environment's proxies do not apply.
fn is_local(server: &Uri) -> bool {
    matches!(server.host(), Some("127.0.0.1" | "[::1]" | "localhost"))
}
