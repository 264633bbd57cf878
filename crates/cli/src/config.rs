//! Configuration of `serve`. Precedence: flags, `KEYWRIGHT_*` environment variables, a TOML file,
//! defaults.
//!
//! Each setting is declared once, in [`ServeArguments`]. The file uses the names of the flags with
//! underscores.

use std::{
    fs::{self, File},
    io::{self, Read},
    net::{SocketAddr, ToSocketAddrs},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use keywright_base::AccountId;
use keywright_objects::StorageQuotas;
use keywright_server::{
    LoopbackIssuer, PublicUrl, ServerConfig, TlsFiles, TrustedProxies, TrustedProxy,
    console::PublicUrls, rotations::AllowedDestinations,
};
use serde::{Deserialize, Deserializer, de::Error};

use crate::master_key::KeySource;

/// The default configuration file.
const DEFAULT_FILE: &str = "keywright.toml";
const DEFAULT_LISTEN: &str = "127.0.0.1:8787";
const DEFAULT_DATA_DIR: &str = "keywright-data";

/// The flags of `serve`.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServeArguments {
    /// TOML file with the same settings [default: keywright.toml, if it exists]
    #[arg(long, env = "KEYWRIGHT_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,

    /// Folder for the database, the objects and the keys [default: keywright-data]
    #[arg(long, env = "KEYWRIGHT_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Source of the master key: folder (the file master.key in the data folder), file:PATH,
    /// env:NAME, command:LINE, aws-kms:KEY or vault-transit:MOUNT/KEY [default: folder]
    #[arg(long, env = "KEYWRIGHT_MASTER_KEY", value_name = "SOURCE")]
    master_key: Option<String>,

    /// Address to serve IAM, STS and S3 on; port 0 picks a free port [default: 127.0.0.1:8787]
    #[arg(long, env = "KEYWRIGHT_LISTEN", value_name = "ADDR", value_parser = socket_address)]
    #[serde(default, deserialize_with = "socket_address_in_file")]
    listen: Option<SocketAddr>,

    /// Address to serve the console on, separate from everything that users upload [default: the
    /// next free port]
    #[arg(long, env = "KEYWRIGHT_CONSOLE_LISTEN", value_name = "ADDR")]
    #[arg(value_parser = socket_address)]
    #[serde(default, deserialize_with = "socket_address_in_file")]
    console_listen: Option<SocketAddr>,

    /// Public URL of IAM, STS and S3 behind a proxy: scheme, host and port
    #[arg(long, env = "KEYWRIGHT_API_URL", value_name = "URL")]
    api_url: Option<String>,

    /// Public URL of the console behind a proxy; its host or port must differ from the API's
    #[arg(long, env = "KEYWRIGHT_CONSOLE_URL", value_name = "URL")]
    console_url: Option<String>,

    /// Address or network (CIDR) of proxies to trust for the client's address and scheme
    /// (Forwarded, X-Forwarded-For, X-Forwarded-Proto); may be repeated, or separated by commas in
    /// the environment
    #[arg(long, env = "KEYWRIGHT_TRUSTED_PROXY", value_name = "CIDR")]
    #[arg(value_delimiter = ',')]
    #[serde(default)]
    trusted_proxy: Vec<String>,

    /// ID of the account that the first start creates, 12 digits [default: random]
    #[arg(long, env = "KEYWRIGHT_ACCOUNT_ID", value_name = "ID", value_parser = account_id)]
    account_id: Option<String>,

    /// PEM file with the certificate chain; enables HTTPS. The certificate and its key are reloaded
    /// when they change and on SIGHUP
    #[arg(
        long,
        env = "KEYWRIGHT_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,

    /// PEM file with the certificate's private key; must be readable only by its owner
    #[arg(
        long,
        env = "KEYWRIGHT_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,

    /// Allow plain HTTP on addresses other than loopback
    #[arg(long, env = "KEYWRIGHT_ALLOW_PLAIN_HTTP")]
    #[arg(num_args = 0..=1, default_missing_value = "true")]
    allow_plain_http: Option<bool>,

    /// Maximum size of one bucket in bytes, including unfinished uploads
    #[arg(long, env = "KEYWRIGHT_BUCKET_QUOTA", value_name = "BYTES")]
    bucket_quota: Option<u64>,

    /// Maximum size of one account's buckets in bytes, including unfinished uploads
    #[arg(long, env = "KEYWRIGHT_ACCOUNT_QUOTA", value_name = "BYTES")]
    account_quota: Option<u64>,

    /// Destination that the server's own rotations may write new keys to, as in `rotate --deliver`,
    /// after the users whose keys it accepts: [path=/jobs/], [tag=KEY=VALUE], [user=NAME] or
    /// [everyone]. `{user}` stands for the user's name. May be repeated, or one per line in the
    /// environment
    #[arg(long, env = "KEYWRIGHT_ROTATION_PLACE", value_name = "DESTINATION")]
    #[arg(value_delimiter = '\n')]
    #[serde(default)]
    rotation_place: Vec<String>,

    /// URL of an OpenID Connect issuer that may be on this machine. All others must be at another
    /// address. May be repeated, or separated by commas in the environment
    #[arg(long, env = "KEYWRIGHT_OIDC_LOOPBACK_ISSUER", value_name = "URL")]
    #[arg(value_delimiter = ',')]
    #[serde(default)]
    oidc_loopback_issuer: Vec<String>,
}

/// Parses an address to listen on. A host name, such as localhost, is resolved.
fn socket_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let form = "expected ADDRESS:PORT, for example 127.0.0.1:8787 or localhost:8787";
    let (host, port) = text.rsplit_once(':').ok_or(form)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(form.to_owned());
    }
    let resolved = text.to_socket_addrs();
    let resolved: Vec<_> = resolved
        .map_err(|error| format!("cannot resolve {host}: {error}"))?
        .collect();
    let v4 = resolved.iter().find(|address| address.is_ipv4());
    let found = v4.or_else(|| resolved.first()).copied();
    found.ok_or_else(|| format!("{host} has no address"))
}

fn socket_address_in_file<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    socket_address(&text).map(Some).map_err(D::Error::custom)
}

/// Checks an account ID, so that a malformed one is an error of usage.
fn account_id(text: &str) -> Result<String, String> {
    let parsed = text.parse::<AccountId>();
    parsed.map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// The resolved configuration of `serve`.
#[derive(Debug)]
pub(crate) struct ServeConfig {
    pub data_dir: PathBuf,
    pub master_key: KeySource,
    pub account_id: Option<AccountId>,
    pub rotation_places: AllowedDestinations,
    pub loopback_issuers: Vec<LoopbackIssuer>,
    pub quotas: StorageQuotas,
    pub server: ServerConfig,
    pub console_listen: Option<SocketAddr>,
    pub urls: PublicUrls,
    pub proxies: TrustedProxies,
}

impl ServeArguments {
    /// Merges flags and environment, the file, and the defaults.
    ///
    /// # Errors
    /// If the file cannot be read or a value is malformed.
    pub(crate) fn resolve(self) -> anyhow::Result<ServeConfig> {
        let file = self.file()?;
        let listen = self.listen.or(file.listen);
        let account_id = self.account_id.or(file.account_id);
        let account_id = account_id
            .map(|id| id.parse().with_context(|| format!("--account-id {id}")))
            .transpose()?;
        let certificate = self.tls_cert.or(file.tls_cert);
        let tls = match (certificate, self.tls_key.or(file.tls_key)) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            _ => bail!("tls_cert and tls_key must be set together"),
        };
        let server = ServerConfig {
            listen: match listen {
                Some(listen) => listen,
                None => DEFAULT_LISTEN.parse()?,
            },
            tls,
            allow_plain_http: self
                .allow_plain_http
                .or(file.allow_plain_http)
                .unwrap_or(false),
        };
        let places = or(self.rotation_place, file.rotation_place);
        let proxies = or(self.trusted_proxy, file.trusted_proxy);
        let issuers = or(self.oidc_loopback_issuer, file.oidc_loopback_issuer);
        let urls = PublicUrls {
            api: url("--api-url", self.api_url.or(file.api_url))?,
            console: url("--console-url", self.console_url.or(file.console_url))?,
        };
        if urls.api.is_some() && urls.api == urls.console {
            bail!(
                "--api-url and --console-url must be different origins\n\
                 hint: give the console its own host name, or another port"
            );
        }
        let quotas = StorageQuotas {
            bucket: self.bucket_quota.or(file.bucket_quota),
            account: self.account_quota.or(file.account_quota),
        };
        let data_dir = self.data_dir.or(file.data_dir);
        let (data_dir, master_key) = installation(data_dir, self.master_key.or(file.master_key))?;
        Ok(ServeConfig {
            data_dir,
            master_key,
            account_id,
            rotation_places: AllowedDestinations::new(places).context("--rotation-place")?,
            loopback_issuers: loopback_issuers(&issuers)?,
            quotas,
            server,
            console_listen: self.console_listen.or(file.console_listen),
            urls,
            proxies: trusted(proxies)?,
        })
    }

    fn file(&self) -> anyhow::Result<Self> {
        let (path, text) = match &self.config {
            Some(path) => (path.as_path(), Some(fs::read_to_string(path))),
            None => (Path::new(DEFAULT_FILE), read_default(Path::new("."))?),
        };
        let Some(text) = text else {
            return Ok(Self::default());
        };
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))
    }
}

/// Reads the default file in a folder, if it exists. It can name programs to run, and nobody asked
/// for it by name, so it must be the user's own.
///
/// # Errors
/// If another user may have written the file.
fn read_default(folder: &Path) -> anyhow::Result<Option<io::Result<String>>> {
    let path = folder.join(DEFAULT_FILE);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Ok(Some(Err(error))),
    };
    let cannot = || format!("cannot check who can write {}", path.display());
    check_owner(DEFAULT_FILE, &file.metadata().with_context(cannot)?)?;
    // The file can be a link.
    let real = path.canonicalize().with_context(cannot)?;
    for folder in [Some(folder), real.parent()].into_iter().flatten() {
        let name = format!("the folder of {DEFAULT_FILE}");
        check_owner(&name, &folder.metadata().with_context(cannot)?)?;
    }
    let mut text = String::new();
    Ok(Some(file.read_to_string(&mut text).map(|_| text)))
}

/// Checks that only this user and root can write a file or folder.
fn check_owner(what: &str, metadata: &fs::Metadata) -> anyhow::Result<()> {
    let (owner, mode) = (metadata.uid(), metadata.mode());
    let own = owner == 0 || owner == rustix::process::geteuid().as_raw();
    ensure!(
        own && mode & 0o022 == 0,
        "{what} is not read: user {owner} or others can write it (mode {:04o})\n\
         hint: if you trust its settings, use --config {DEFAULT_FILE}",
        mode & 0o7777
    );
    Ok(())
}

/// Which installation, for commands that work on its data folder.
#[derive(Debug, Args)]
pub(crate) struct InstallationArguments {
    /// Configuration file of serve [default: keywright.toml, if it exists]
    #[arg(long, env = "KEYWRIGHT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Folder for the database, the objects and the keys [default: keywright-data]
    #[arg(long, env = "KEYWRIGHT_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Source of the master key, as for serve [default: folder]
    #[arg(long, env = "KEYWRIGHT_MASTER_KEY", value_name = "SOURCE")]
    master_key: Option<String>,
}

impl InstallationArguments {
    /// Resolves the data folder and the source of its master key as `serve` does.
    ///
    /// # Errors
    /// If the file cannot be read or a value is malformed.
    pub(crate) fn resolve(&self) -> anyhow::Result<(PathBuf, KeySource)> {
        let named = ServeArguments {
            config: self.config.clone(),
            ..ServeArguments::default()
        };
        let file = named.file()?;
        let data_dir = self.data_dir.clone().or(file.data_dir);
        installation(data_dir, self.master_key.clone().or(file.master_key))
    }
}

fn installation(
    data_dir: Option<PathBuf>,
    master_key: Option<String>,
) -> anyhow::Result<(PathBuf, KeySource)> {
    let source = master_key.map(|text| text.parse()).transpose();
    let source: Option<KeySource> = source.map_err(anyhow::Error::msg).context("--master-key")?;
    let data_dir = data_dir.unwrap_or_else(|| DEFAULT_DATA_DIR.into());
    Ok((data_dir, source.unwrap_or_default()))
}

/// The first list unless it is empty, else the second.
fn or(first: Vec<String>, second: Vec<String>) -> Vec<String> {
    if first.is_empty() { second } else { first }
}

fn url(flag: &'static str, text: Option<String>) -> anyhow::Result<Option<PublicUrl>> {
    let parsed = text.map(|text| text.parse().context(flag));
    parsed.transpose()
}

fn loopback_issuers(urls: &[String]) -> anyhow::Result<Vec<LoopbackIssuer>> {
    let parsed = urls.iter().map(|url| url.trim().parse());
    let parsed = parsed.collect::<Result<_, _>>();
    parsed.context("--oidc-loopback-issuer")
}

fn trusted(proxies: Vec<String>) -> anyhow::Result<TrustedProxies> {
    let parsed = proxies
        .iter()
        .map(|text| text.trim().parse::<TrustedProxy>());
    let parsed = parsed.collect::<Result<_, _>>();
    Ok(TrustedProxies::new(parsed.context("--trusted-proxy")?))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::{DEFAULT_FILE, ServeArguments, read_default};

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn read_in(folder: &Path) -> Result<Option<String>, String> {
        let read = read_default(folder).map_err(|error| error.to_string())?;
        Ok(read.map(|text| text.unwrap()))
    }

    /// It can name a program to run.
    #[test]
    fn a_default_file_that_others_can_write_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, file) = (folder.path(), folder.path().join(DEFAULT_FILE));
        assert_eq!(read_in(folder), Ok(None));
        keywright_store::durable::create_new(&file, b"text").unwrap();
        for (of_folder, of_file, expected) in [
            (0o755, 0o644, None),
            (0o700, 0o600, None),
            (0o755, 0o664, Some("keywright.toml is not read")),
            (0o755, 0o646, Some("keywright.toml is not read")),
            (0o775, 0o644, Some("the folder of keywright.toml is not")),
            (0o1777, 0o644, Some("the folder of keywright.toml is not")),
        ] {
            set_mode(folder, of_folder);
            set_mode(&file, of_file);
            let read = read_in(folder);
            match expected {
                None => assert_eq!(read, Ok(Some("text".to_owned()))),
                Some(expected) => assert!(read.clone().unwrap_err().contains(expected), "{read:?}"),
            }
        }
        // A link to a file in another folder.
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("file");
        keywright_store::durable::create_new(&target, b"text").unwrap();
        set_mode(folder, 0o755);
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(&target, &file).unwrap();
        assert_eq!(read_in(folder), Ok(Some("text".to_owned())));
        set_mode(elsewhere.path(), 0o777);
        assert!(read_in(folder).is_err());
    }

    /// Only root can make files of another user.
    #[test]
    fn a_default_file_of_another_user_is_not_read() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(DEFAULT_FILE);
        keywright_store::durable::create_new(&file, b"text").unwrap();
        for path in [folder.path(), &file] {
            std::os::unix::fs::chown(path, Some(65534), None).unwrap();
            let read = read_in(folder.path());
            assert!(read.unwrap_err().contains("user 65534"));
            std::os::unix::fs::chown(path, Some(0), None).unwrap();
        }
        assert_eq!(read_in(folder.path()), Ok(Some("text".to_owned())));
    }

    #[test]
    fn a_file_has_the_names_of_the_flags_and_no_others() {
        let text = "listen = \"127.0.0.1:0\"\ndata_dir = \"d\"\naccount_id = \"123456789012\"\n\
                    bucket_quota = 5\n";
        let arguments: ServeArguments = toml::from_str(text).unwrap();
        let config = arguments.resolve().unwrap();
        assert_eq!(config.server.listen.port(), 0);
        assert_eq!(config.account_id.unwrap().to_string(), "123456789012");
        assert_eq!(
            (config.quotas.bucket, config.quotas.account),
            (Some(5), None)
        );
        assert!(toml::from_str::<ServeArguments>("lissten = \"x\"").is_err());
    }

    #[test]
    fn proxies_and_addresses_are_checked_before_anything_is_opened() {
        for (text, expected) in [
            ("trusted_proxy = [\"10.0.0.0/8\", \"192.0.2.1\"]", None),
            ("trusted_proxy = [\"0.0.0.0/0\"]", Some("every address")),
            ("trusted_proxy = [\"proxy\"]", Some("--trusted-proxy")),
            ("console_url = \"https://console.example.com\"", None),
            (
                "console_url = \"console.example.com\"",
                Some("--console-url: console.example.com is not"),
            ),
            (
                "api_url = \"https://a/\"\nconsole_url = \"https://A:443\"",
                Some("different origins"),
            ),
            (
                "api_url = \"https://a\"\nconsole_url = \"https://a:8788\"",
                None,
            ),
            ("oidc_loopback_issuer = [\"https://127.0.0.1:8443/\"]", None),
            (
                "oidc_loopback_issuer = [\"127.0.0.1:8443\"]",
                Some("--oidc-loopback-issuer: 127.0.0.1:8443 is not"),
            ),
        ] {
            let arguments: ServeArguments = toml::from_str(text).unwrap();
            let error = arguments.resolve().err().map(|error| format!("{error:#}"));
            let as_expected = match (&error, expected) {
                (None, None) => true,
                (Some(error), Some(expected)) => error.contains(expected),
                _ => false,
            };
            assert!(as_expected, "{text}: {error:?}");
        }
    }

    #[test]
    fn addresses_may_be_names() {
        for (text, expected) in [
            ("127.0.0.1:0", Ok(0)),
            ("[::1]:8787", Ok(8787)),
            ("localhost:9977", Ok(9977)),
            ("localhost", Err("expected ADDRESS:PORT")),
            ("9977", Err("expected ADDRESS:PORT")),
            (":9977", Err("expected ADDRESS:PORT")),
            ("localhost:99777", Err("expected ADDRESS:PORT")),
        ] {
            match (super::socket_address(text), expected) {
                (Ok(address), Ok(port)) => {
                    assert!(
                        address.ip().is_loopback() && address.port() == port,
                        "{text}"
                    );
                }
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        let file: ServeArguments = toml::from_str("listen = \"localhost:9977\"").unwrap();
        assert_eq!(file.listen.unwrap().port(), 9977);
        assert!(toml::from_str::<ServeArguments>("listen = \"localhost\"").is_err());
    }

    #[test]
    fn an_account_id_is_twelve_digits() {
        let arguments: ServeArguments = toml::from_str("account_id = \"12\"").unwrap();
        let error = format!("{:#}", arguments.resolve().unwrap_err());
        assert!(error.contains("12 digits"), "{error}");
    }
}
