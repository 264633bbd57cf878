//! Which chains are accepted: each row is one that a server could present.

use std::{slice, sync::Arc, time::Duration};

use keywright_identity::web_identity::ProviderRequest;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use rustls::{RootCertStore, client::danger::ServerCertVerifier, crypto::ring::default_provider};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha1::{Digest, Sha1};

use super::{CertificateOutcome, CertificateRule, PublicTrust};

/// A certificate authority, or a certificate that acts as one.
type Authority = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str, ca: bool) -> CertificateParams {
    let names = if ca { vec![] } else { vec![name.to_owned()] };
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    if ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn der(certificate: &rcgen::Certificate) -> CertificateDer<'static> {
    certificate.der().clone()
}

/// An authority, one below it, and the certificate of `idp.example.com`.
struct Hierarchy {
    root: Authority,
    middle: Authority,
    leaf: CertificateDer<'static>,
}

impl Hierarchy {
    fn new() -> Self {
        let root = Authority::self_signed(params("root", true), key()).unwrap();
        let middle = Authority::signed_by(params("middle", true), key(), &root).unwrap();
        let leaf = params("idp.example.com", false).signed_by(&key(), &middle);
        Self {
            leaf: der(&leaf.unwrap()),
            root,
            middle,
        }
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.leaf.clone(), self.middle(), self.root()]
    }

    fn middle(&self) -> CertificateDer<'static> {
        der(self.middle.as_ref())
    }

    fn root(&self) -> CertificateDer<'static> {
        der(self.root.as_ref())
    }
}

const IN_TIME: &str = "2026-06-01";
const BEFORE: &str = "2025-12-31";
const AFTER: &str = "2027-01-02";

fn secs(date: &str) -> u64 {
    match date {
        IN_TIME => 1_780_272_000,
        BEFORE => 1_767_139_200,
        _ => 1_798_848_000,
    }
}

/// Whether a chain is accepted for a name, with these certificates registered.
fn accepts_at(
    chain: &[CertificateDer<'static>],
    registered: &[&CertificateDer<'static>],
    (name, date): (&str, &str),
    trust: &PublicTrust,
) -> bool {
    let crypto = Arc::new(default_provider());
    let print = |it: &&CertificateDer<'_>| data_encoding::HEXLOWER.encode(&Sha1::digest(it));
    let provider = ProviderRequest {
        issuer: "https://idp.example.com".to_owned(),
        thumbprints: registered.iter().map(print).collect(),
    };
    let outcome = CertificateOutcome::default();
    let rule = CertificateRule::new(trust, &provider, &crypto, &outcome);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(secs(date)));
    let (leaf, others) = chain.split_first().unwrap();
    let accepted = rule.verify_server_cert(leaf, others, &name, &[], now);
    assert_eq!(accepted.is_err(), outcome.is_rejected());
    accepted.is_ok()
}

fn accepts(chain: &[CertificateDer<'static>], registered: &[&CertificateDer<'static>]) -> bool {
    let here = ("idp.example.com", IN_TIME);
    accepts_at(chain, registered, here, &PublicTrust(None))
}

#[test]
fn one_of_the_chain_must_be_registered() {
    let (own, other) = (Hierarchy::new(), Hierarchy::new());
    let chain = own.chain();
    assert!(
        !accepts(&chain, &[]),
        "a private authority without a thumbprint"
    );
    for certificate in &chain {
        assert!(accepts(&chain, &[certificate]));
    }
    for certificate in other.chain() {
        assert!(!accepts(&chain, &[&certificate]), "another hierarchy");
    }
    assert!(accepts(&chain, &[&other.root(), &own.root()]));
    // As servers present it that leave out the authority.
    assert!(accepts(&chain[..1], &[&own.leaf]));
    assert!(accepts(&chain[..2], &[&own.middle()]));
    assert!(!accepts(&chain[..2], &[&own.root()]), "it is not presented");
    assert!(
        !accepts(&chain[..1], &[&own.middle()]),
        "it is not presented"
    );
}

/// A registered certificate that is merely added to a chain vouches for nothing.
#[test]
fn the_chain_must_lead_to_the_registered_certificate() {
    let (own, evil) = (Hierarchy::new(), Hierarchy::new());
    let with = |others: &[CertificateDer<'static>]| {
        let mut chain = vec![evil.leaf.clone()];
        chain.extend_from_slice(others);
        chain
    };
    for registered in [own.root(), own.middle(), own.leaf.clone()] {
        let added = with(slice::from_ref(&registered));
        assert!(!accepts(&added, &[&registered]));
        let added = with(&[evil.middle(), evil.root(), registered.clone()]);
        assert!(!accepts(&added, &[&registered]));
    }
    // An authority with the same name and another key.
    let forged = Authority::self_signed(params("root", true), key()).unwrap();
    let leaf = params("idp.example.com", false).signed_by(&key(), &forged);
    let chain = [der(&leaf.unwrap()), own.root()];
    assert!(!accepts(&chain, &[&own.root()]));
    // A certificate that is of no authority signs another one.
    let server = Authority::signed_by(params("server", false), key(), &own.middle).unwrap();
    let leaf = params("idp.example.com", false).signed_by(&key(), &server);
    let server = der(server.as_ref());
    let chain = [
        der(&leaf.unwrap()),
        server.clone(),
        own.middle(),
        own.root(),
    ];
    for registered in [&server, &own.middle(), &own.root()] {
        assert!(!accepts(&chain, &[registered]));
    }
}

#[test]
fn name_time_and_purpose_are_checked() {
    let own = Hierarchy::new();
    let chain = own.chain();
    let at = |chain: &[CertificateDer<'static>], registered, name, date| {
        accepts_at(chain, &[registered], (name, date), &PublicTrust(None))
    };
    for registered in &chain {
        assert!(at(&chain, registered, "idp.example.com", IN_TIME));
        assert!(!at(&chain, registered, "other.example.com", IN_TIME));
        assert!(!at(&chain, registered, "127.0.0.1", IN_TIME));
        assert!(!at(&chain, registered, "idp.example.com", BEFORE));
        assert!(!at(&chain, registered, "idp.example.com", AFTER));
    }
    // The registered authority has expired, what it signed has not.
    let mut old = params("old", true);
    old.not_after = date_time_ymd(2026, 2, 1);
    let old = Authority::self_signed(old, key()).unwrap();
    let leaf = params("idp.example.com", false).signed_by(&key(), &old);
    let chain = [der(&leaf.unwrap()), der(old.as_ref())];
    assert!(!accepts(&chain, &[&chain[1]]));
    // A certificate for clients.
    let mut client = params("idp.example.com", false);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client = der(&client.signed_by(&key(), &own.root).unwrap());
    let chain = [client.clone(), own.root()];
    assert!(!accepts(&chain, &[&client]) && !accepts(&chain, &[&own.root()]));
    // Self-signed, as many servers start with.
    let alone = der(&params("idp.example.com", false)
        .self_signed(&key())
        .unwrap());
    assert!(accepts(slice::from_ref(&alone), &[&alone]));
    assert!(!accepts(slice::from_ref(&alone), &[]));
    // Something after the certificate would change its thumbprint, but never its meaning.
    let longer = CertificateDer::from([alone.as_ref(), b"x"].concat());
    assert!(!accepts(slice::from_ref(&longer), &[&longer]));
    let none = CertificateDer::from(b"no certificate".to_vec());
    assert!(!accepts(slice::from_ref(&none), &[&none]));
}

#[test]
fn a_chain_has_a_limit() {
    let own = Hierarchy::new();
    let mut chain = own.chain();
    while chain.len() < 10 {
        chain.push(own.root());
    }
    assert!(accepts(&chain, &[&own.root()]));
    chain.push(own.root());
    assert!(!accepts(&chain, &[&own.root()]));
}

/// As on AWS: a public certificate needs no thumbprint, and its name is verified all the same.
#[test]
fn public_trust_comes_first() {
    let own = Hierarchy::new();
    let mut roots = RootCertStore::empty();
    roots.add(own.root()).unwrap();
    let trust = PublicTrust::of(roots, &Arc::new(default_provider()));
    let other = Hierarchy::new();
    for (name, date, expected) in [
        ("idp.example.com", IN_TIME, true),
        ("other.example.com", IN_TIME, false),
        ("idp.example.com", AFTER, false),
    ] {
        for registered in [&[][..], &[&other.leaf]] {
            let accepted = accepts_at(&own.chain(), registered, (name, date), &trust);
            assert_eq!(accepted, expected, "{name} {date}");
        }
    }
    let here = ("idp.example.com", IN_TIME);
    assert!(!accepts_at(&other.chain(), &[], here, &trust));
    assert!(accepts_at(&other.chain(), &[&other.root()], here, &trust));
}
