//! Which addresses identity providers may have.
//!
//! Private networks are allowed: clusters and self-hosted forges are there. Refused is what answers
//! to this machine only, and trusts it: itself at any of its addresses, its link, and the metadata
//! of its cloud, which gives away credentials. An IPv6 address that stands for an IPv4 address
//! counts as that one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// The reason in the log.
pub(super) const REFUSED: &str = "its address may not be used";

/// Metadata of clouds that is outside the link-local networks: Alibaba, Azure, Oracle.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// The first 32 bits of such metadata: AWS and Google.
const METADATA_V6: [[u16; 2]; 2] = [[0xfd00, 0x0ec2], [0xfd20, 0x00ce]];

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy)]
pub(super) struct AddressRule {
    /// Whether this machine is allowed, because the operator named the issuer.
    loopback: bool,
    /// Whether an address is one of this machine.
    is_own: fn(IpAddr) -> bool,
}

impl AddressRule {
    pub(super) const fn new(loopback: bool) -> Self {
        let is_own = is_of_this_machine;
        Self { loopback, is_own }
    }

    /// Whether an address may be connected to.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.allows_v4(v4),
            IpAddr::V6(v6) if v6 == Ipv6Addr::LOCALHOST => self.loopback,
            IpAddr::V6(v6) => match embedded(v6) {
                Some(v4) => self.allows_v4(v4),
                None => is_common_v6(v6) && self.allows_own(address),
            },
        }
    }

    fn allows_own(self, address: IpAddr) -> bool {
        self.loopback || !(self.is_own)(address)
    }

    fn allows_v4(self, address: Ipv4Addr) -> bool {
        if address.is_loopback() {
            return self.loopback;
        }
        let [first, ..] = address.octets();
        // This network, multicast, reserved and broadcast.
        let special = first == 0 || first >= 224;
        !(special || address.is_link_local() || METADATA_V4.contains(&address))
            && self.allows_own(IpAddr::V4(address))
    }
}

/// Whether this machine has an address now. The system sends from the address itself to its own
/// addresses only; connecting a UDP socket asks for that, and sends nothing.
fn is_of_this_machine(address: IpAddr) -> bool {
    let any: SocketAddr = match address {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let source = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((address, DISCARD_PORT))?;
        socket.local_addr()
    });
    // Without a route it cannot be connected to either.
    source.is_ok_and(|source| source.ip() == address)
}

const DISCARD_PORT: u16 = 9;

/// The IPv4 address that an IPv6 address stands for: mapped or compatible, by NAT64, or by 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(v4(high, low))
        }
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// Whether an address is neither special nor of a cloud's metadata.
fn is_common_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [first, second, ..] = segments;
    let special = match first {
        // Teredo, and NAT64 of a local network: both stand for other addresses.
        0x2001 => second == 0,
        0x64 => second == 0xff9b,
        // The deprecated networks of a site, beside those of the link.
        _ => address.is_unicast_link_local() || first & 0xffc0 == 0xfec0 || address.is_multicast(),
    };
    !(special || METADATA_V6.contains(&[first, second]))
}

/// The address in a URL that names one.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    inner.unwrap_or(host).parse().ok()
}

/// Resolves names to allowed addresses only, which are then connected to.
pub(super) struct CheckedResolver(pub(super) AddressRule);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = found.filter(|address| rule.allows(address.ip()));
            let allowed: Vec<SocketAddr> = allowed.collect();
            if allowed.is_empty() {
                return Err(REFUSED.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{AddressRule, is_of_this_machine, literal};

    /// A machine with two addresses beside loopback.
    fn rule(loopback: bool) -> AddressRule {
        let is_own = |address: IpAddr| ["10.9.9.9", "2001:db8::9"].contains(&&*address.to_string());
        AddressRule { loopback, is_own }
    }

    #[test]
    fn this_machine_its_link_and_metadata_are_refused() {
        let rule = rule(false);
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "10.9.9.9",
            "::ffff:10.9.9.9",
            "2002:a09:909::1",
            "2001:db8::9",
        ] {
            assert!(!rule.allows(address.parse().unwrap()), "{address}");
        }
        for address in [
            "10.0.0.1",
            "10.9.9.8",
            "2001:db8::8",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "140.82.112.3",
            "2606:50c0:8000::153",
            "fd12:3456::1",
            "::ffff:10.0.0.1",
            "64:ff9b::808:808",
        ] {
            assert!(rule.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_named_issuer_may_be_on_this_machine_and_nothing_else() {
        let rule = rule(true);
        for (address, allowed) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.9.9.9", true),
            ("2001:db8::9", true),
            ("0.0.0.0", false),
            ("169.254.169.254", false),
            ("fe80::1", false),
        ] {
            assert_eq!(rule.allows(address.parse().unwrap()), allowed, "{address}");
        }
    }

    /// One stands for every address of an interface; the others are reserved for documentation.
    #[test]
    fn the_system_knows_the_addresses_of_this_machine() {
        for (address, own) in [
            ("127.0.0.1", true),
            ("192.0.2.1", false),
            ("198.51.100.1", false),
            ("2001:db8::1", false),
        ] {
            let found = is_of_this_machine(address.parse().unwrap());
            assert_eq!(found, own, "{address}");
        }
    }

    #[test]
    fn addresses_in_urls_are_read_in_every_spelling() {
        for (url, expected) in [
            ("https://127.0.0.1/", Some("127.0.0.1")),
            ("https://2130706433/", Some("127.0.0.1")),
            ("https://0x7f.1/", Some("127.0.0.1")),
            ("https://0177.0.0.1:8443/", Some("127.0.0.1")),
            ("https://[::1]:8443/", Some("::1")),
            ("https://[::ffff:127.0.0.1]/", Some("::ffff:127.0.0.1")),
            ("https://127.0.0.1.example.com/", None),
            ("https://localhost/", None),
        ] {
            let found = literal(&url.parse().unwrap());
            assert_eq!(found, expected.map(|it| it.parse().unwrap()), "{url}");
        }
    }
}
