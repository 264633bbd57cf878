//! PEM texts, chains and keys.

use keywright_base::{Secret, Timestamp};

use super::{BrokenChain, CertificateBytes, UploadedKey, check_chain};
use crate::testing::certificates::TestCertificate;

/// 2026-11-24.
const NOW: Timestamp = Timestamp::from_secs(1_795_507_200);

fn read(certificate: &TestCertificate) -> CertificateBytes {
    CertificateBytes::from_pem(&certificate.certificate).unwrap()
}

#[test]
fn a_text_consists_of_certificates_and_nothing_else() {
    let [a, b] = ["a.example", "b.example"].map(|name| TestCertificate::new(name).certificate);
    for (text, count) in [
        (a.clone(), Some(1)),
        (format!("\r\n{}  \n", a.replace('\n', "\r\n")), Some(1)),
        (format!("{a}{b}{a}"), Some(3)),
        (format!("{a}\n\n{b}"), Some(2)),
        (String::new(), None),
        (format!("Subject: a\n{a}"), None),
        (format!("{a}text\n{b}"), None),
        (
            format!("{a}{}", TestCertificate::new("k").private_key),
            None,
        ),
        (a.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), None),
        (a.replace("-----END CERTIFICATE-----", ""), None),
        (a.replacen("MII", "MIJ", 1), None),
    ] {
        let read = CertificateBytes::all_from_pem(&text);
        assert_eq!(read.map(|all| all.len()), count, "{text}");
        let one = CertificateBytes::from_pem(&text).is_some();
        assert_eq!(one, count == Some(1), "{text}");
    }
}

#[test]
fn each_certificate_is_issued_by_the_next() {
    let root = TestCertificate::new("root.example");
    let between = root.issue("between.example");
    let leaf = between.issue("leaf.example");
    let namesake = TestCertificate::new("between.example");
    let expired = TestCertificate::of_years("old.example", [2020, 2021]);
    let below_expired = expired.issue("new.example");
    for (certificate, chain, outcome) in [
        (&root, vec![], Ok(())),
        (&leaf, vec![], Ok(())),
        (&leaf, vec![&between], Ok(())),
        (&leaf, vec![&between, &root], Ok(())),
        (&leaf, vec![&root], Err(-1)),
        (&leaf, vec![&root, &between], Err(-1)),
        (&leaf, vec![&namesake], Err(-1)),
        (&leaf, vec![&between, &namesake], Err(0)),
        (&leaf, vec![&between, &root, &between], Err(1)),
        (&expired, vec![], Err(-1)),
        (&below_expired, vec![&expired], Err(0)),
    ] {
        let chain: Vec<_> = chain.into_iter().map(read).collect();
        let checked = check_chain(&read(certificate), &chain, NOW);
        assert_eq!(checked, outcome.map_err(|index| BrokenChain { index }));
    }
}

#[test]
fn a_key_belongs_to_its_certificate_only() {
    let [one, other] = ["same.example", "same.example"].map(TestCertificate::new);
    let key = |text: &str| UploadedKey::from_pem(&Secret::new(text.to_owned()));
    let certificate = read(&one);
    let certificate = certificate.certificate().unwrap();
    assert!(certificate.has_key(&key(&one.private_key).unwrap()));
    assert!(!certificate.has_key(&key(&other.private_key).unwrap()));
    let encrypted = one
        .private_key
        .replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for text in ["", "none", &encrypted, &one.certificate] {
        assert!(key(text).is_none(), "{text}");
    }
}
