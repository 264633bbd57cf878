//! Reverse proxies that are believed about the client behind them.
//!
//! The rule: only what an address from the operator's list wrote is believed, and of that only as
//! much as it can know. Each proxy appends the address that it was connected from, so the client is
//! the right-most address that is no trusted proxy; what stands further left, the client may have
//! made up. Where that cannot be read, the address is the proxy's own and the connection counts as
//! plain.

use std::{net::IpAddr, str::FromStr};

use http::HeaderMap;
use ipnet::IpNet;
use keywright_base::limits;

use crate::pipeline::Peer;

/// A network of trusted proxies, or the address of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

/// Why a text is not a [`TrustedProxy`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProxy {
    /// It is neither an address nor a network.
    #[error("{0} is neither an address nor a network, for example 10.0.0.0/8")]
    Unreadable(String),
    /// It is every address.
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

/// The proxies that are trusted; by default none.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// A proxy passed on two headers that contradict each other: it writes one of them, and the client
/// the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contradiction;

impl Contradiction {
    /// For the client, and for the operator in the log.
    pub(crate) const MESSAGE: &str = "The Forwarded and X-Forwarded-* headers contradict each \
                                      other. The proxy must remove those that it does not write.\n";
}

/// What a header says of the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Claim {
    address: Option<IpAddr>,
    secure: Option<bool>,
}

/// A header that cannot be read as far as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed;

impl TrustedProxies {
    /// These.
    pub fn new(proxies: Vec<TrustedProxy>) -> Self {
        Self(proxies.into_iter().map(|proxy| proxy.0).collect())
    }

    /// Whether an address is a trusted proxy's.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }

    /// The client that a request came from.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub(crate) fn client(&self, peer: Peer, headers: &HeaderMap) -> Result<Peer, Contradiction> {
        if !self.contains(peer.address) {
            return Ok(peer);
        }
        let claim = match (self.forwarded(headers), self.x_forwarded(headers)) {
            (None, None) => return Ok(peer),
            (Some(claim), None) | (None, Some(claim)) => claim.unwrap_or_default(),
            (Some(Ok(one)), Some(Ok(other))) => one.and(other)?,
            (Some(Err(_)), Some(Err(_))) => Claim::default(),
            (Some(_), Some(_)) => return Err(Contradiction),
        };
        Ok(Peer {
            address: claim.address.unwrap_or(peer.address),
            // Of the client's connection nothing is known but what the proxy says.
            secure: claim.secure.unwrap_or(false),
            tls_version: None,
        })
    }

    /// What `Forwarded` (RFC 7239) says; `None` without it.
    fn forwarded(&self, headers: &HeaderMap) -> Option<Result<Claim, Malformed>> {
        let elements = match elements(headers, "forwarded") {
            Ok(elements) if elements.is_empty() => return None,
            Ok(elements) => elements,
            Err(malformed) => return Some(Err(malformed)),
        };
        let hop = |element: &&str| Pairs::read(element)?.hop.ok_or(Malformed);
        let client = self.client_of(elements.iter().map(hop));
        Some(client.and_then(|(at, address)| {
            let element = elements.get(at).ok_or(Malformed)?;
            Ok(Claim {
                address: Some(address),
                secure: Pairs::read(element)?.secure,
            })
        }))
    }

    /// What `X-Forwarded-For` and `X-Forwarded-Proto` say; `None` without either.
    fn x_forwarded(&self, headers: &HeaderMap) -> Option<Result<Claim, Malformed>> {
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
            // A proxy either replaces the scheme or appends one for each address.
            let scheme = match (schemes.as_slice(), client) {
                ([], _) => None,
                ([only], _) => Some(*only),
                (all, Some((at, _))) if all.len() == hops.len() => all.get(at).copied(),
                _ => return Err(Malformed),
            };
            Ok(Some(Claim {
                address: client.map(|(_, address)| address),
                secure: scheme.map(is_https).transpose()?,
            }))
        };
        read().transpose()
    }

    /// The right-most hop that is no trusted proxy, or else the first of all, and its place.
    fn client_of(
        &self,
        hops: impl DoubleEndedIterator<Item = Result<IpAddr, Malformed>> + ExactSizeIterator,
    ) -> Result<(usize, IpAddr), Malformed> {
        for (at, hop) in hops.enumerate().rev().take(limits::PROXY_HOPS) {
            let address = hop?;
            if at == 0 || !self.contains(address) {
                return Ok((at, address));
            }
        }
        Err(Malformed)
    }
}

impl Claim {
    /// What both say, each as far as it says something.
    fn and(self, other: Self) -> Result<Self, Contradiction> {
        fn both<T: PartialEq + Copy>(
            one: Option<T>,
            other: Option<T>,
        ) -> Result<Option<T>, Contradiction> {
            match (one, other) {
                (Some(one), Some(other)) if one != other => Err(Contradiction),
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
fn elements<'a>(headers: &'a HeaderMap, name: &str) -> Result<Vec<&'a str>, Malformed> {
    let mut all = Vec::new();
    for line in headers.get_all(name) {
        let line = line.to_str().map_err(|_| Malformed)?;
        all.extend(split(line, ',')?);
    }
    Ok(all)
}

/// Splits where the separator is not quoted.
fn split(text: &str, separator: char) -> Result<Vec<&str>, Malformed> {
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
    if quoted { Err(Malformed) } else { Ok(parts) }
}

/// What is needed of one element of `Forwarded`.
#[derive(Debug, Default)]
struct Pairs {
    hop: Option<IpAddr>,
    secure: Option<bool>,
}

impl Pairs {
    fn read(element: &str) -> Result<Self, Malformed> {
        let mut pairs = Self::default();
        for pair in split(element, ';')? {
            let (name, value) = pair.split_once('=').ok_or(Malformed)?;
            let value = unquoted(value)?;
            let again = if name.eq_ignore_ascii_case("for") {
                pairs.hop.replace(address(&value)?).is_some()
            } else if name.eq_ignore_ascii_case("proto") {
                pairs.secure.replace(is_https(&value)?).is_some()
            } else {
                false
            };
            if again {
                return Err(Malformed);
            }
        }
        Ok(pairs)
    }
}

fn unquoted(value: &str) -> Result<String, Malformed> {
    let Some(rest) = value.strip_prefix('"') else {
        return Ok(value.to_owned());
    };
    let inner = rest.strip_suffix('"').ok_or(Malformed)?;
    // Neither an address nor a scheme has a letter that needs a backslash.
    if inner.contains(['"', '\\']) {
        return Err(Malformed);
    }
    Ok(inner.to_owned())
}

/// An address, perhaps with a port, which some proxies write along.
fn address(text: &str) -> Result<IpAddr, Malformed> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(Malformed)?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or(Malformed)?),
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
        return Err(Malformed);
    }
    let address = host.parse::<IpAddr>().map_err(|_| Malformed)?;
    Ok(address.to_canonical())
}

fn is_https(scheme: &str) -> Result<bool, Malformed> {
    if scheme.eq_ignore_ascii_case("https") {
        Ok(true)
    } else if scheme.eq_ignore_ascii_case("http") {
        Ok(false)
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests;
