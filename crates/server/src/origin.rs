//! The two origins: the API's, which serves whatever users upload, and the console's.
//!
//! Invariant: a browser never runs an uploaded object on the origin where the console's cookie is
//! valid. Only the console's own listener serves the console. On that origin, IAM, STS and S3
//! require an `Authorization` header: a browser sends it for a script of that origin, but never
//! because of a link, a form or a frame. Every response that may carry an object forbids the
//! browser to run anything.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{
        AUTHORIZATION, CONTENT_SECURITY_POLICY, HOST, STRICT_TRANSPORT_SECURITY,
        X_CONTENT_TYPE_OPTIONS,
    },
    uri::{Authority, Uri},
};
use keywright_base::limits;

use crate::{
    Pipeline,
    edge::{Server, ServerConfig, ServerError},
};

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerOrigin {
    /// IAM, STS and S3, for every client.
    Api,
    /// The console, and IAM, STS and S3 for its pages.
    Console(ConsoleListener),
}

/// What the console must know about its listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleListener {
    /// The port of the API's listener.
    pub api_port: u16,
    /// Whether only this machine reaches it.
    pub is_local: bool,
}

/// Binds the console's listener: to the requested address, or to the first free port after the
/// API's.
///
/// # Errors
/// [`ServerError`].
pub async fn bind_console(
    api: (&ServerConfig, SocketAddr),
    wanted: Option<SocketAddr>,
    pipeline: &Arc<Pipeline>,
) -> Result<Server, ServerError> {
    let (config, api) = api;
    let bind = async |listen: SocketAddr| {
        let origin = ListenerOrigin::Console(ConsoleListener {
            api_port: api.port(),
            is_local: listen.ip().is_loopback(),
        });
        let config = ServerConfig {
            listen,
            ..config.clone()
        };
        Server::bind(&config, origin, Arc::clone(pipeline)).await
    };
    let free = SocketAddr::new(config.listen.ip(), 0);
    if wanted.is_some() || config.listen.port() == 0 {
        return bind(wanted.unwrap_or(free)).await;
    }
    let mut port = api.port();
    loop {
        port = port.saturating_add(1);
        match bind(SocketAddr::new(free.ip(), port)).await {
            Err(ServerError::Listen { error, .. })
                if error.kind() == io::ErrorKind::AddrInUse
                    && port - api.port() < limits::CONSOLE_PORTS
                    && port < u16::MAX => {}
            bound => return bound,
        }
    }
}

/// Whether a request carries a signature in a header. Browsers do not create such a header on their
/// own, not even from a user name and password in a URL.
pub(crate) fn is_signed_in_header<B>(request: &Request<B>) -> bool {
    let header = request.headers().get(AUTHORIZATION);
    header.is_some_and(|value| value.as_bytes().starts_with(b"AWS4-HMAC-SHA256 "))
}

/// Headers of every response of IAM, STS and S3. In a browser, an object has an opaque origin, runs
/// no scripts, and is treated only as its declared type.
const HARMLESS: [(HeaderName, &str); 2] = [
    (CONTENT_SECURITY_POLICY, "sandbox"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Adds the headers above to a response of IAM, STS or S3.
pub(crate) fn defuse(headers: &mut HeaderMap) {
    for (name, value) in HARMLESS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Two years, which is what browsers require to preload a host.
const HSTS: &str = "max-age=63072000";

/// Adds HSTS to a response over TLS, so that the browser uses only TLS for this host from then on.
pub(crate) fn demand_tls(headers: &mut HeaderMap) {
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
}

/// The URL of an origin as clients reach it: scheme, host and port, in the form that browsers use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    fn new(secure: bool, host: &str, port: Option<u16>) -> Self {
        let (scheme, usual) = if secure { ("https", 443) } else { ("http", 80) };
        let host = host.to_ascii_lowercase();
        let port = port.filter(|port| *port != usual);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        Self(format!("{scheme}://{host}{port}"))
    }

    /// The origin that a request was sent to, according to its only `Host` header.
    pub(crate) fn of_request(headers: &HeaderMap, secure: bool) -> Option<Self> {
        let authority = authority(headers)?;
        Some(Self::new(secure, authority.host(), authority.port_u16()))
    }

    /// The same host with another port.
    pub(crate) fn beside(headers: &HeaderMap, secure: bool, port: u16) -> Option<Self> {
        Some(Self::new(secure, authority(headers)?.host(), Some(port)))
    }

    /// Whether the host is a name that always means this machine, or an address. No DNS server has
    /// a say in these, so that none can direct a page of its own here.
    pub(crate) fn is_unnamed(&self) -> bool {
        let host = self.host();
        let host = host.strip_suffix('.').unwrap_or(host);
        let ipv6 = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<Ipv4Addr>().is_ok()
            || ipv6.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
    }

    fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or("", |(_, rest)| rest);
        match authority.rsplit_once(':') {
            Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// The URL, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the scheme is HTTPS.
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https:")
    }
}

/// The authority in the only `Host` header.
fn authority(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, second) = (hosts.next()?, hosts.next());
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    (second.is_none() && is_plain(&authority)).then_some(authority)
}

/// Whether the authority is a host with an optional valid port and nothing else.
fn is_plain(authority: &Authority) -> bool {
    let text = authority.as_str();
    let port = text.strip_prefix(authority.host());
    let port = port.and_then(|rest| rest.strip_prefix(':'));
    !text.contains('@') && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// The text is not the URL of an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not the address of an origin, for example https://console.example.com")]
pub struct InvalidUrl(String);

impl FromStr for PublicUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let invalid = || InvalidUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(invalid()),
        };
        let authority = uri.authority().ok_or_else(invalid)?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if !bare || text.contains('#') || !is_plain(authority) {
            return Err(invalid());
        }
        Ok(Self::new(secure, authority.host(), authority.port_u16()))
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = InvalidUrl;

    fn try_from(text: String) -> Result<Self, InvalidUrl> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Request};

    use super::{PublicUrl, is_signed_in_header};

    #[test]
    fn the_address_of_an_origin_is_written_as_browsers_do() {
        for (text, expected) in [
            (
                "https://console.example.com",
                Some("https://console.example.com"),
            ),
            (
                "https://Console.Example.com:443/",
                Some("https://console.example.com"),
            ),
            (
                "http://console.example.com:80",
                Some("http://console.example.com"),
            ),
            ("http://[::1]:8788", Some("http://[::1]:8788")),
            ("https://example.com:80", Some("https://example.com:80")),
            ("console.example.com", None),
            ("ftp://example.com", None),
            ("https://", None),
            ("https://example.com/console", None),
            ("https://example.com/?x", None),
            ("https://example.com/#x", None),
            ("https://user@example.com", None),
            ("https://example.com:99999", None),
            ("", None),
        ] {
            let got = text.parse::<PublicUrl>().ok();
            assert_eq!(got.as_ref().map(PublicUrl::as_str), expected, "{text}");
        }
    }

    #[test]
    fn hosts_that_no_dns_server_defines() {
        for (host, expected) in [
            ("127.0.0.1", true),
            ("127.0.0.1:8788", true),
            ("[::1]", true),
            ("[::1]:8788", true),
            ("192.0.2.7:80", true),
            ("localhost", true),
            ("LOCALHOST:8788", true),
            ("localhost.:8788", true),
            ("console.localhost", true),
            ("evil.example", false),
            ("evil.example:8788", false),
            ("localhost.evil.example", false),
            ("notlocalhost", false),
            ("127.0.0.1.evil.example", false),
            ("127.1", false),
            ("2130706433", false),
        ] {
            let url: PublicUrl = format!("http://{host}").parse().unwrap();
            assert_eq!(url.is_unnamed(), expected, "{host}");
        }
    }

    #[test]
    fn a_request_names_its_origin_and_the_apis() {
        for (hosts, secure, here, api) in [
            (
                &["127.0.0.1:8788"][..],
                false,
                Some("http://127.0.0.1:8788"),
                Some("http://127.0.0.1:8787"),
            ),
            (
                &["Example.com"],
                true,
                Some("https://example.com"),
                Some("https://example.com:8787"),
            ),
            (
                &["[::1]:8788"],
                false,
                Some("http://[::1]:8788"),
                Some("http://[::1]:8787"),
            ),
            (&["a", "b"], false, None, None),
            (&["user@a"], false, None, None),
            (&["a:99999"], false, None, None),
            (&["a/b"], false, None, None),
            (&[], false, None, None),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append("host", host.parse().unwrap());
            }
            let text = |url: Option<PublicUrl>| url.map(|url| url.as_str().to_owned());
            let got = text(PublicUrl::of_request(&headers, secure));
            assert_eq!(got.as_deref(), here, "{hosts:?}");
            let got = text(PublicUrl::beside(&headers, secure, 8787));
            assert_eq!(got.as_deref(), api, "{hosts:?}");
        }
    }

    #[test]
    fn what_a_browser_can_send_by_itself_is_no_signature() {
        for (header, expected) in [
            (Some("AWS4-HMAC-SHA256 Credential=x"), true),
            (Some("Basic dXNlcjpwYXNz"), false),
            (Some("AWS4-HMAC-SHA256"), false),
            (Some(""), false),
            (None, false),
        ] {
            let mut request = Request::get("/bucket/key?X-Amz-Signature=x");
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let request = request.body(()).unwrap();
            assert_eq!(is_signed_in_header(&request), expected, "{header:?}");
        }
    }
}
