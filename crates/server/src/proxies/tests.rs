//! Which statements of proxies are trusted and which are not.

use http::HeaderMap;
use keywright_base::limits;

use super::{HeaderContradiction, InvalidProxy, TrustedProxies, TrustedProxy};
use crate::request::PeerInfo;

const PROXY: &str = "10.0.0.1";

fn trusted() -> TrustedProxies {
    let proxies = ["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.1"];
    TrustedProxies::new(proxies.map(|text| text.parse().unwrap()).to_vec())
}

/// The client's address and scheme, for a request from `from` over plain HTTP with these header
/// lines.
fn client(from: &str, lines: &str) -> Result<(String, bool), HeaderContradiction> {
    let mut headers = HeaderMap::new();
    for line in lines.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    let peer = PeerInfo {
        address: from.parse().unwrap(),
        secure: false,
        tls_version: None,
    };
    let client = trusted().client(peer, &headers)?;
    Ok((client.address.to_string(), client.secure))
}

#[test]
fn the_client_is_the_right_most_hop_that_is_no_trusted_proxy() {
    believed(&[
        ("X-Forwarded-For: 198.51.100.7", "198.51.100.7", false),
        // Addresses that the client forged are further left.
        (
            "X-Forwarded-For: 127.0.0.1, 198.51.100.7",
            "198.51.100.7",
            false,
        ),
        (
            "X-Forwarded-For: nonsense, 198.51.100.7",
            "198.51.100.7",
            false,
        ),
        (
            "X-Forwarded-For: 198.51.100.7, 10.9.9.9, 192.0.2.1",
            "198.51.100.7",
            false,
        ),
        (
            "X-Forwarded-For: 198.51.100.7\nX-Forwarded-For: 203.0.113.9",
            "203.0.113.9",
            false,
        ),
        (
            "X-Forwarded-For: 203.0.113.9\nX-Forwarded-For: 10.0.0.2",
            "203.0.113.9",
            false,
        ),
        ("X-Forwarded-For: 10.0.0.3, 10.0.0.2", "10.0.0.3", false),
        ("X-Forwarded-For: 198.51.100.7:4711", "198.51.100.7", false),
        ("X-Forwarded-For: 2001:db8::7", "2001:db8::7", false),
        ("X-Forwarded-For: [2001:db8::7]:4711", "2001:db8::7", false),
        (
            "X-Forwarded-For: ::ffff:198.51.100.7",
            "198.51.100.7",
            false,
        ),
        (
            "X-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: https",
            "198.51.100.7",
            true,
        ),
        (
            "X-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: HTTP",
            "198.51.100.7",
            false,
        ),
        (
            "X-Forwarded-For: 198.51.100.7, 10.0.0.2\nX-Forwarded-Proto: https, http",
            "198.51.100.7",
            true,
        ),
        (
            "X-Forwarded-For: 1.1.1.1, 198.51.100.7\nX-Forwarded-Proto: https, http",
            "198.51.100.7",
            false,
        ),
        ("X-Forwarded-Proto: https", PROXY, true),
    ]);
}

#[test]
fn the_header_of_the_standard_says_the_same() {
    believed(&[
        (
            "Forwarded: for=198.51.100.7;proto=https",
            "198.51.100.7",
            true,
        ),
        (
            "Forwarded: by=10.0.0.1;For=198.51.100.7",
            "198.51.100.7",
            false,
        ),
        (
            "Forwarded: for=\"[2001:db8::7]:4711\";proto=\"https\"",
            "2001:db8::7",
            true,
        ),
        (
            "Forwarded: for=1.1.1.1;proto=https, for=198.51.100.7;proto=http",
            "198.51.100.7",
            false,
        ),
        (
            "Forwarded: for=1.1.1.1;proto=http\nForwarded: for=198.51.100.7;proto=https, for=10.0.0.2",
            "198.51.100.7",
            true,
        ),
        (
            "Forwarded: host=\"a,b;c\";for=198.51.100.7",
            "198.51.100.7",
            false,
        ),
        (
            "Forwarded: for=198.51.100.7;proto=https\nX-Forwarded-For: 198.51.100.7",
            "198.51.100.7",
            true,
        ),
        ("Via: 1.1 a", PROXY, false),
    ]);
}

/// In each row: the header lines, and the client's address and scheme.
fn believed(rows: &[(&str, &str, bool)]) {
    for (lines, address, secure) in rows {
        let expected = ((*address).to_owned(), *secure);
        assert_eq!(client(PROXY, lines), Ok(expected), "{lines}");
    }
}

#[test]
fn what_cannot_be_read_is_not_believed() {
    let hops = vec![PROXY; limits::PROXY_HOPS].join(", ");
    let long = format!("X-Forwarded-For: 198.51.100.7, {hops}");
    for lines in [
        "X-Forwarded-For: ",
        "X-Forwarded-For: nonsense\nX-Forwarded-Proto: https",
        "X-Forwarded-For: 198.51.100.7, ",
        "X-Forwarded-For: 198.51.100.7, unknown",
        "X-Forwarded-For: 198.51.100.7, nonsense, 10.0.0.2",
        "X-Forwarded-For: 198.51.100.7:99999",
        "X-Forwarded-For: [2001:db8::7",
        "X-Forwarded-For: \"198.51.100.7",
        "X-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: gopher",
        "X-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: https, https",
        "X-Forwarded-Proto: https, https",
        "Forwarded: for=unknown;proto=https",
        "Forwarded: for=_hidden",
        "Forwarded: proto=https",
        "Forwarded: 198.51.100.7",
        "Forwarded: for=198.51.100.7;for=203.0.113.9",
        "Forwarded: for=\"198.51.100.7",
        "Forwarded: for=\"198.51\\.100.7\"",
        "Forwarded: for=198.51.100.7;proto=wss",
        long.as_str(),
    ] {
        assert_eq!(
            client(PROXY, lines),
            Ok((PROXY.to_owned(), false)),
            "{lines}"
        );
    }
    let within = format!(
        "X-Forwarded-For: 198.51.100.7, {}",
        hops.split_once(", ").unwrap().1
    );
    let expected = ("198.51.100.7".to_owned(), false);
    assert_eq!(client(PROXY, &within), Ok(expected));
}

/// One of them may be the client's own, which the proxy passed on.
#[test]
fn two_headers_that_contradict_each_other_are_refused() {
    for lines in [
        "Forwarded: for=127.0.0.1\nX-Forwarded-For: 198.51.100.7",
        "Forwarded: nonsense\nX-Forwarded-For: 198.51.100.7",
        "Forwarded: for=198.51.100.7\nX-Forwarded-For: nonsense",
        "Forwarded: for=198.51.100.7;proto=https\nX-Forwarded-Proto: http",
    ] {
        assert_eq!(client(PROXY, lines), Err(HeaderContradiction), "{lines}");
    }
}

#[test]
fn who_is_not_trusted_says_nothing() {
    let lines = "X-Forwarded-For: 1.1.1.1\nForwarded: for=2.2.2.2\nX-Forwarded-Proto: https";
    for from in ["198.51.100.7", "11.0.0.1", "2001:db8:2::1", "192.0.2.2"] {
        assert_eq!(client(from, lines), Ok((from.to_owned(), false)));
    }
    let peer = PeerInfo {
        address: "198.51.100.7".parse().unwrap(),
        secure: true,
        tls_version: Some("1.3"),
    };
    let client = TrustedProxies::default().client(peer, &HeaderMap::new());
    assert_eq!(client.unwrap().tls_version, Some("1.3"));
}

/// A proxy that encrypts its own connection says nothing about the client's connection by that.
#[test]
fn the_proxys_own_connection_is_not_the_clients() {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
    let peer = PeerInfo {
        address: PROXY.parse().unwrap(),
        secure: true,
        tls_version: Some("1.3"),
    };
    let client = trusted().client(peer, &headers).unwrap();
    assert_eq!((client.secure, client.tls_version), (false, None));
}

#[test]
fn a_proxy_is_an_address_or_a_network_and_not_everyone() {
    for (text, expected) in [
        ("10.0.0.0/8", true),
        ("10.1.2.3/8", true),
        ("192.0.2.1", true),
        ("2001:db8::1", true),
        ("0.0.0.0/0", false),
        ("::/0", false),
        ("10.0.0.0/33", false),
        ("proxy.example.com", false),
        ("", false),
    ] {
        assert_eq!(text.parse::<TrustedProxy>().is_ok(), expected, "{text}");
    }
    let error = "0.0.0.0/0".parse::<TrustedProxy>().unwrap_err();
    assert_eq!(error, InvalidProxy::Everyone("0.0.0.0/0".to_owned()));
}
