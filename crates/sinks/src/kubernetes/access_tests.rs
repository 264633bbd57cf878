//! Kubeconfig files that `kubectl` accepts, against a fake API server behind TLS: what reaches the
//! server, and what is rejected before anything does.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use ::http::Uri;
use base64::{Engine, engine::general_purpose::STANDARD};
use hyper_util::client::proxy::matcher::Matcher;
use keywright_rotation::ports::{Sink, SinkContent};
use kube::config::Cluster;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::{
    ClusterSecret, KubernetesSink,
    kubeconfig::{ClusterAccess, ProxyEnvironment, proxy},
};
use crate::{
    remote_tests::FixedClock,
    testing::{RecordedRequest, talk},
    tests::write,
};
use keywright_aws::http::install_provider;

/// The name in the server's certificate, which does not resolve.
const NAME: &str = "cluster.example.test";

/// A server, and the headers of its last request that identify the client.
struct FakeCluster {
    address: SocketAddr,
    /// The certificate authority of the server and its clients, in PEM.
    authority: String,
    /// A client's certificate and key, in PEM.
    client: (String, String),
    requests: Arc<Mutex<Vec<String>>>,
}

impl FakeCluster {
    async fn start() -> Self {
        install_provider();
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(parameters, key).unwrap();
        let issued = |names: &[&str]| {
            let key = KeyPair::generate().unwrap();
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let parameters = CertificateParams::new(names).unwrap();
            (parameters.signed_by(&key, &authority).unwrap(), key)
        };
        let (own, key) = issued(&[NAME, "127.0.0.1"]);
        let (client, client_key) = issued(&["client"]);
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let clients = WebPkiClientVerifier::builder(Arc::new(roots));
        let clients = clients.allow_unauthenticated().build().unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![own.der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder()
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(accept(listener, Arc::new(config), Arc::clone(&requests)));
        Self {
            address,
            authority: authority.pem(),
            client: (client.pem(), client_key.serialize_pem()),
            requests,
        }
    }
}

async fn accept(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    let acceptor = TlsAcceptor::from(config);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(stream) = acceptor.accept(stream).await else {
            continue;
        };
        let certified = stream.get_ref().1.peer_certificates().is_some();
        let requests = Arc::clone(&requests);
        let answers = move |request: &RecordedRequest| {
            let mut noted = requests.lock().unwrap();
            noted.clear();
            for name in ["authorization", "impersonate-user", "impersonate-group"] {
                let all = request.headers.get_all(name).iter();
                noted.extend(all.map(|value| format!("{name}: {}", value.to_str().unwrap())));
            }
            if certified {
                noted.push("certificate".to_owned());
            }
            let object = json!({"metadata": {"resourceVersion": "1"}, "data": {}});
            (200, object.to_string())
        };
        tokio::spawn(talk(stream, Arc::new(Mutex::new(answers))));
    }
}

fn sink(paths: Vec<PathBuf>, context: Option<&str>) -> KubernetesSink {
    let context = context.map(str::to_owned);
    let access = ClusterAccess::Files { paths, context };
    let place = ClusterSecret::new("prod/job", None).unwrap();
    KubernetesSink::at("k".to_owned(), &place, access, Arc::new(FixedClock))
}

fn program(path: &Path, text: &str) {
    write(path, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A kubeconfig with the cluster's authority and one more entry, and a user.
fn config(server: &str, cluster: &str, user: &str) -> String {
    format!(
        "current-context: x\nclusters:\n- name: c\n  cluster: {{server: 'https://{server}', \
         certificate-authority: ca.pem{cluster}}}\ncontexts: [{{name: x, context: {{cluster: c, \
         user: u}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
    )
}

/// Prints a credential, and records its arguments and what it knows about the cluster.
const LOGIN: &str = r#"#!/bin/sh
here=$(dirname "$0")
printf '%s\n' "$@" > "$here/arguments"
printf %s "$KUBERNETES_EXEC_INFO" > "$here/info"
echo "logging in" >&2
printf '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1",'
printf '"status": {"token": "%s", "expirationTimestamp": "2036-01-01T00:00:00Z"}}' "of-$WHO$AWS_PROFILE"
"#;

#[tokio::test]
async fn whatever_logs_in_with_kubectl_reaches_the_cluster() {
    let server = FakeCluster::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("ca.pem"), &server.authority);
    write(&at("cert.pem"), &server.client.0);
    write(&at("key.pem"), &server.client.1);
    write(&at("token"), "of-file\n");
    program(&at("login"), LOGIN);
    let quoted = |pem: &str| serde_json::to_string(pem).unwrap();
    let certificate = format!(
        "#!/bin/sh\ncat <<'END'\n{{\"status\": {{\"clientCertificateData\": {}, \
         \"clientKeyData\": {}}}}}\nEND\n",
        quoted(&server.client.0),
        quoted(&server.client.1)
    );
    program(&at("certify"), &certificate);
    let data = format!(
        "client-certificate-data: {}, client-key-data: {}",
        STANDARD.encode(&server.client.0),
        STANDARD.encode(&server.client.1)
    );
    let exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, args: [now]";
    let exec = format!("{exec}, env: [{{name: WHO, value: me}}]}}");
    let rows: &[(&str, &[&str])] = &[
        ("", &[]),
        ("token: one", &["authorization: Bearer one"]),
        ("tokenFile: token", &["authorization: Bearer of-file"]),
        (
            "token: stale, tokenFile: token",
            &["authorization: Bearer of-file"],
        ),
        (
            "username: me, password: word",
            &["authorization: Basic bWU6d29yZA=="],
        ),
        (&data, &["certificate"]),
        (
            "client-certificate: cert.pem, client-key: key.pem, token: ''",
            &["certificate"],
        ),
        (&exec, &["authorization: Bearer of-me"]),
        ("exec: {command: ./certify, token: ''}", &["certificate"]),
        (
            "token: '', exec: {command: ./certify, env: null}",
            &["certificate"],
        ),
        (
            "auth-provider: {name: oidc, config: {id-token: mine, refresh-token: x}}",
            &["authorization: Bearer mine"],
        ),
        (
            "token: one, as: boss, as-groups: [a, b]",
            &[
                "authorization: Bearer one",
                "impersonate-user: boss",
                "impersonate-group: a",
                "impersonate-group: b",
            ],
        ),
    ];
    for (user, sees) in rows {
        write(
            &at("config"),
            &config(&server.address.to_string(), "", user),
        );
        let sink = sink(vec![at("config")], None);
        assert_eq!(sink.read_back().await, Ok(SinkContent::Nothing), "{user}");
        assert_eq!(*server.requests.lock().unwrap(), *sees, "{user}");
    }
    assert_eq!(fs::read_to_string(at("arguments")).unwrap(), "now\n");
}

#[tokio::test]
async fn kubeconfig_files_of_gke_eks_and_aks() {
    let server = FakeCluster::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    program(&at("plugin"), LOGIN);
    for (sample, command, arguments, token, cluster_info) in [
        (
            include_str!("samples/gke.yaml"),
            "gke-gcloud-auth-plugin",
            "\n",
            "of-",
            true,
        ),
        (
            include_str!("samples/eks.yaml"),
            "aws",
            "--region\neu-west-1\neks\nget-token\n--cluster-name\nprod\n--output\njson\n",
            "of-prod",
            false,
        ),
        (
            include_str!("samples/aks.yaml"),
            "kubelogin",
            "get-token\n--login\nazurecli\n--server-id\n6dae42f8-4368-4678-94ff-3960e28e3630\n",
            "of-",
            false,
        ),
    ] {
        let authority = STANDARD.encode(&server.authority);
        let text = sample
            .replace("AUTHORITY", &authority)
            .replace("SERVER", &server.address.to_string())
            .replace(
                &format!("command: {command}\n"),
                &format!("command: {}\n", at("plugin").display()),
            );
        write(&at("config"), &text);
        let sink = sink(vec![at("config")], None);
        assert_eq!(
            sink.read_back().await,
            Ok(SinkContent::Nothing),
            "{command}"
        );
        let bearer = format!("authorization: Bearer {token}");
        assert_eq!(*server.requests.lock().unwrap(), [bearer], "{command}");
        assert_eq!(fs::read_to_string(at("arguments")).unwrap(), arguments);
        let info = fs::read(at("info")).unwrap();
        let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
        assert_eq!(info["kind"], "ExecCredential");
        assert_eq!(info["spec"]["interactive"], false);
        let about = &info["spec"]["cluster"];
        assert_eq!(about.is_object(), cluster_info, "{command}: {info}");
        if cluster_info {
            assert_eq!(about["server"], format!("https://{}", server.address));
            assert_eq!(about["certificate-authority-data"], authority);
        }
    }
}

/// A proxy that connects everything to one address, by HTTP CONNECT or SOCKS 5. Also returns the
/// names it was given.
async fn start_proxy(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let length = client.read(&mut head).await.unwrap();
            let reply: &[u8] = if head[0] == 5 {
                client.write_all(&[5, 0]).await.unwrap();
                let length = client.read(&mut head).await.unwrap();
                // Version, command, reserved, address type (name), its length, the name, the port.
                let name = String::from_utf8_lossy(&head[5..length - 2]).into_owned();
                noted.lock().unwrap().push(format!("socks {name}"));
                &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]
            } else {
                let text = String::from_utf8_lossy(&head[..length]).into_owned();
                noted.lock().unwrap().push(text);
                b"HTTP/1.1 200 OK\r\n\r\n"
            };
            client.write_all(reply).await.unwrap();
            let mut server = TcpStream::connect(to).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    (address, requests)
}

#[tokio::test]
async fn proxies_and_names_of_certificates() {
    let server = FakeCluster::start().await;
    let (proxy_address, requests) = start_proxy(server.address).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("ca.pem"), &server.authority);
    let port = server.address.port();
    let far = format!("{NAME}:{port}");
    let other = format!("127.0.0.2:{port}");
    for (address, entry, good, through) in [
        (
            &far,
            format!(", proxy-url: 'http://me:p%40ss@{proxy_address}'"),
            true,
            "CONNECT ",
        ),
        (
            &far,
            format!(", proxy-url: 'socks5://{proxy_address}'"),
            true,
            "socks ",
        ),
        (
            &far,
            format!(", proxy-url: 'socks5h://{proxy_address}'"),
            true,
            "socks ",
        ),
        // The name matches the certificate; the address does not.
        (
            &server.address.to_string(),
            format!(", tls-server-name: {NAME}"),
            true,
            "",
        ),
        (
            &server.address.to_string(),
            ", tls-server-name: another.example.test".to_owned(),
            false,
            "",
        ),
        (&other, ", proxy-url: ''".to_owned(), false, ""),
    ] {
        requests.lock().unwrap().clear();
        write(&at("config"), &config(address, &entry, "token: t"));
        let done = sink(vec![at("config")], None).read_back().await;
        assert_eq!(done.is_ok(), good, "{entry}: {done:?}");
        let noted = requests.lock().unwrap().join("");
        assert_eq!(!through.is_empty(), !noted.is_empty(), "{entry}: {noted}");
        assert!(noted.starts_with(&format!("{through}{NAME}")) || noted.is_empty());
        if through == "CONNECT " {
            let word = STANDARD.encode("me:p@ss");
            assert!(
                noted.to_lowercase().contains("proxy-authorization: basic "),
                "{noted}"
            );
            assert!(noted.contains(&word), "{noted}");
        }
    }
}

#[test]
fn what_is_rejected_before_any_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let read = |cluster: &str, user: &str, context: Option<&str>| {
        write(
            &path,
            &config("10.0.0.1", cluster, user).replace("certificate-authority: ca.pem, ", ""),
        );
        let context = context.map(str::to_owned);
        let access = ClusterAccess::Files {
            paths: vec![path.clone()],
            context,
        };
        access.read().map(drop).unwrap_err()
    };
    write(&folder.path().join("ca.pem"), "nothing\n");
    let exec = "exec: {command: /bin/secret-login, interactiveMode: Always}";
    for (cluster, user, context, expected) in [
        (
            ", insecure-skip-tls-verify: true",
            "token: secret",
            None,
            "would expose the secret",
        ),
        (
            ", proxy-url: 'ftp://me:secret@x'",
            "token: secret",
            None,
            "must use http, https or socks5",
        ),
        ("", "token: secret", None, "contains no certificate"),
        ("", "token: secret", Some("nobody"), "no context nobody"),
        (
            "",
            "auth-provider: {name: gcp, config: {cmd-path: x}}",
            None,
            "gcp is not supported",
        ),
        (
            "",
            "auth-provider: {name: oidc, config: {}}",
            None,
            "no id-token",
        ),
        ("", "exec: {args: [x]}", None, "exec has no command"),
        ("", exec, None, "requires interactive input"),
    ] {
        let error = read(cluster, user, context);
        assert!(error.contains(expected), "{cluster} {user}: {error}");
        assert!(
            !error.contains("token: secret") && !error.contains("me:secret"),
            "{error}"
        );
    }
    for text in [
        "users: [{token: secret-token}\n",
        "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters:\n- name: c\n  \
         cluster: {server: 'http://10.0.0.1', token: secret-token}\n",
        "clusters: []\n",
    ] {
        write(&path, text);
        let paths = vec![path.clone()];
        let error = ClusterAccess::Files {
            paths,
            context: None,
        }
        .read()
        .unwrap_err();
        assert!(!error.contains("secret-token"), "{error}");
    }
}

#[tokio::test]
async fn a_program_that_fails_to_log_in_gives_nothing_away() {
    let server = FakeCluster::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("ca.pem"), &server.authority);
    let exec = "exec: {command: ./login, env: [{name: PASSWORD, value: secret-word}], \
                installHint: get it}";
    for (text, expected) in [
        ("", "get it"),
        (
            "#!/bin/sh\necho secret-token; echo expired >&2; exit 3\n",
            "exit status: 3: expired",
        ),
        (
            "#!/bin/sh\necho '{\"status\": {\"nothing\": \"secret-token\"}}'\n",
            "printed no credential",
        ),
        (
            "#!/bin/sh\necho 'secret-token: ['\n",
            "printed no credential",
        ),
        (
            "#!/bin/sh\nhead -c 1000000 /dev/zero\n",
            "printed more than",
        ),
    ] {
        if !text.is_empty() {
            program(&at("login"), text);
        }
        write(
            &at("config"),
            &config(&server.address.to_string(), "", exec),
        );
        let error = sink(vec![at("config")], None)
            .read_back()
            .await
            .unwrap_err();
        let error = error.to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains("secret-"), "{error}");
    }
}

#[test]
fn files_are_merged_and_those_that_are_not_there_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    write(
        &one,
        "current-context: x\nclusters: [{name: c, cluster: {server: 'https://first'}}]\n",
    );
    write(
        &other,
        "current-context: y\nclusters: [{name: c, cluster: {server: 'https://second'}}]\n\
         contexts: [{name: x, context: {cluster: c, user: ''}}]\n",
    );
    let paths = vec![one, other];
    let config = ClusterAccess::Files {
        paths,
        context: None,
    }
    .read()
    .unwrap();
    assert_eq!(config.cluster_url.to_string(), "https://first/");
    assert!(!config.default_retry && !config.accept_invalid_certs);
}

#[test]
fn proxies_of_the_environment() {
    // kube would apply NO_PROXY to the proxy, and reject a list that ends with a comma.
    let environment = || ProxyEnvironment {
        matcher: Matcher::builder()
            .https("http://proxy.example.test:3128")
            .no("10.0.0.0/8, .svc, direct.example.test,")
            .build(),
        https_proxy: Some("http://proxy.example.test:3128".to_owned()),
    };
    for (server, through) in [
        ("https://cluster.example.test", true),
        ("https://direct.example.test:6443", false),
        ("https://kubernetes.default.svc", false),
        ("https://10.1.2.3:6443", false),
        ("https://127.0.0.1:6443", false),
        ("https://localhost:6443", false),
    ] {
        let server: Uri = server.parse().unwrap();
        let mut cluster = Cluster::default();
        let found = proxy(&cluster, &server, environment()).unwrap();
        assert_eq!(found.is_some(), through, "{server}");
        // A cluster's own proxy is used for that cluster, whatever NO_PROXY says.
        cluster.proxy_url = Some("socks5h://other.example.test".to_owned());
        let found = proxy(&cluster, &server, environment()).unwrap().unwrap();
        assert_eq!(found.to_string(), "socks5://other.example.test/");
    }
}
