//! Reverse proxies that are trusted to name the client behind them.
//!
//! Invariant: only headers from an address in the operator's list are trusted, and only as far as
//! that proxy can know. Each proxy appends the address of its peer, so the client is the right-most
//! address that is not a trusted proxy; addresses further left may be forged by the client. If the
//! headers cannot be read, the client's address is that of the proxy and the connection counts as
//! plain HTTP.

use std::{net::IpAddr, str::FromStr};

use http::HeaderMap;
use ipnet::IpNet;
use keywright_base::limits;

use crate::request::PeerInfo;

/// A network of trusted proxies, or the address of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

/// Why a text is not a [`TrustedProxy`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProxy {
    /// It is neither an address nor a network.
    #[error("{0} is neither an address nor a network, for example 10.0.0.0/8")]
    Unreadable(String),
    /// It contains every address.
    #[error(
        "{0} is every address: anyone could choose the address that policies see\n\
         hint: name the proxy's own address or network"
    )]
    Everyone(String),
}

impl FromStr for TrustedProxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let net = text.parse::<IpNet>();
        let net = net.or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let net = net.map_err(|_| InvalidProxy::Unreadable(text.to_owned()))?;
        if net.prefix_len() == 0 {
            return Err(InvalidProxy::Everyone(text.to_owned()));
        }
        Ok(Self(net))
    }
}

impl TryFrom<String> for TrustedProxy {
    type Error = InvalidProxy;

    fn try_from(text: String) -> Result<Self, InvalidProxy> {
        text.parse()
    }
}

/// The trusted proxies; none by default.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// A proxy passed on two headers that contradict each other: it writes one of them, and the client
/// wrote the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeaderContradiction;

impl HeaderContradiction {
    /// For the event of the request.
    pub(crate) const CODE: &str = "ContradictoryHeaders";
    /// For the client, and for the operator in the log.
    pub(crate) const MESSAGE: &str = "The Forwarded and X-Forwarded-* headers contradict each \
                                      other. The proxy must remove those that it does not write.\n";
}

/// What a header says about the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ForwardedClient {
    address: Option<IpAddr>,
    secure: Option<bool>,
}

/// A header that cannot be read as far as necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MalformedHeader;

impl TrustedProxies {
    /// Creates the list.
    pub fn new(proxies: Vec<TrustedProxy>) -> Self {
        Self(proxies.into_iter().map(|proxy| proxy.0).collect())
    }

    /// Whether an address belongs to a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }

    /// The client that a request came from.
    ///
    /// # Errors
    /// [`HeaderContradiction`].
    pub(crate) fn client(
        &self,
        peer: PeerInfo,
        headers: &HeaderMap,
    ) -> Result<PeerInfo, HeaderContradiction> {
        if !self.contains(peer.address) {
            return Ok(peer);
        }
        let claim = match (self.forwarded(headers), self.x_forwarded(headers)) {
            (None, None) => return Ok(peer),
            (Some(claim), None) | (None, Some(claim)) => claim.unwrap_or_default(),
            (Some(Ok(one)), Some(Ok(other))) => one.and(other)?,
            (Some(Err(_)), Some(Err(_))) => ForwardedClient::default(),
            (Some(_), Some(_)) => return Err(HeaderContradiction),
        };
        Ok(PeerInfo {
            address: claim.address.unwrap_or(peer.address),
            // The proxy's own connection says nothing about the client's.
            secure: claim.secure.unwrap_or(false),
            tls_version: None,
        })
    }

    /// What `Forwarded` (RFC 7239) says; `None` if it is missing.
    fn forwarded(&self, headers: &HeaderMap) -> Option<Result<ForwardedClient, MalformedHeader>> {
        let elements = match elements(headers, "forwarded") {
            Ok(elements) if elements.is_empty() => return None,
            Ok(elements) => elements,
            Err(malformed) => return Some(Err(malformed)),
        };
        let hop = |element: &&str| ForwardedElement::read(element)?.hop.ok_or(MalformedHeader);
        let client = self.client_of(elements.iter().map(hop));
        Some(client.and_then(|(at, address)| {
            let element = elements.get(at).ok_or(MalformedHeader)?;
            Ok(ForwardedClient {
                address: Some(address),
                secure: ForwardedElement::read(element)?.secure,
            })
        }))
    }

    /// What `X-Forwarded-For` and `X-Forwarded-Proto` say; `None` if both are missing.
    fn x_forwarded(&self, headers: &HeaderMap) -> Option<Result<ForwardedClient, MalformedHeader>> {
        let read = || {
            let hops = elements(headers, "x-forwarded-for")?;
            let schemes = elements(headers, "x-forwarded-proto")?;
            if hops.is_empty() && schemes.is_empty() {
                return Ok(None);
            }
            let client = match hops.as_slice() {
                [] => None,
                hops => Some(self.client_of(hops.iter().map(|hop| address(hop)))?),
            };
            // A proxy either replaces the scheme or appends one per address.
            let scheme = match (schemes.as_slice(), client) {
                ([], _) => None,
                ([only], _) => Some(*only),
                (all, Some((at, _))) if all.len() == hops.len() => all.get(at).copied(),
                _ => return Err(MalformedHeader),
            };
            Ok(Some(ForwardedClient {
                address: client.map(|(_, address)| address),
                secure: scheme.map(is_https).transpose()?,
            }))
        };
        read().transpose()
    }

    /// The right-most hop that is not a trusted proxy, or else the first one, with its index.
    fn client_of(
        &self,
        hops: impl DoubleEndedIterator<Item = Result<IpAddr, MalformedHeader>> + ExactSizeIterator,
    ) -> Result<(usize, IpAddr), MalformedHeader> {
        for (at, hop) in hops.enumerate().rev().take(limits::PROXY_HOPS) {
            let address = hop?;
            if at == 0 || !self.contains(address) {
                return Ok((at, address));
            }
        }
        Err(MalformedHeader)
    }
}

impl ForwardedClient {
    /// Merges two headers, each as far as it says something.
    fn and(self, other: Self) -> Result<Self, HeaderContradiction> {
        fn both<T: PartialEq + Copy>(
            one: Option<T>,
            other: Option<T>,
        ) -> Result<Option<T>, HeaderContradiction> {
            match (one, other) {
                (Some(one), Some(other)) if one != other => Err(HeaderContradiction),
                _ => Ok(one.or(other)),
            }
        }
        Ok(Self {
            address: both(self.address, other.address)?,
            secure: both(self.secure, other.secure)?,
        })
    }
}

/// The elements of a list over all lines of a header, in order.
fn elements<'a>(headers: &'a HeaderMap, name: &str) -> Result<Vec<&'a str>, MalformedHeader> {
    let mut all = Vec::new();
    for line in headers.get_all(name) {
        let line = line.to_str().map_err(|_| MalformedHeader)?;
        all.extend(split(line, ',')?);
    }
    Ok(all)
}

/// Splits at separators that are not quoted.
fn split(text: &str, separator: char) -> Result<Vec<&str>, MalformedHeader> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|letter: char| {
        let splits = !quoted && letter == separator;
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        splits
    });
    let parts = parts.map(str::trim).collect();
    if quoted {
        Err(MalformedHeader)
    } else {
        Ok(parts)
    }
}

/// What is used of one element of `Forwarded`.
#[derive(Debug, Default)]
struct ForwardedElement {
    hop: Option<IpAddr>,
    secure: Option<bool>,
}

impl ForwardedElement {
    fn read(element: &str) -> Result<Self, MalformedHeader> {
        let mut pairs = Self::default();
        for pair in split(element, ';')? {
            let (name, value) = pair.split_once('=').ok_or(MalformedHeader)?;
            let value = unquoted(value)?;
            let again = if name.eq_ignore_ascii_case("for") {
                pairs.hop.replace(address(&value)?).is_some()
            } else if name.eq_ignore_ascii_case("proto") {
                pairs.secure.replace(is_https(&value)?).is_some()
            } else {
                false
            };
            if again {
                return Err(MalformedHeader);
            }
        }
        Ok(pairs)
    }
}

fn unquoted(value: &str) -> Result<String, MalformedHeader> {
    let Some(rest) = value.strip_prefix('"') else {
        return Ok(value.to_owned());
    };
    let inner = rest.strip_suffix('"').ok_or(MalformedHeader)?;
    // Neither an address nor a scheme contains a character that needs a backslash.
    if inner.contains(['"', '\\']) {
        return Err(MalformedHeader);
    }
    Ok(inner.to_owned())
}

/// An address with an optional port, which some proxies add.
fn address(text: &str) -> Result<IpAddr, MalformedHeader> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(MalformedHeader)?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or(MalformedHeader)?),
            };
            (host, port)
        }
        None => match text.split_once(':') {
            // More than one colon: an IPv6 address without brackets.
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        },
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(MalformedHeader);
    }
    let address = host.parse::<IpAddr>().map_err(|_| MalformedHeader)?;
    Ok(address.to_canonical())
}

fn is_https(scheme: &str) -> Result<bool, MalformedHeader> {
    if scheme.eq_ignore_ascii_case("https") {
        Ok(true)
    } else if scheme.eq_ignore_ascii_case("http") {
        Ok(false)
    } else {
        Err(MalformedHeader)
    }
}

#[cfg(test)]
mod tests;
