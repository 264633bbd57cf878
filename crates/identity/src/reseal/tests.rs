//! After the master key was changed, every kind of secret is sealed by the newest data key.

use keywright_base::{AccountId, Secret};

use crate::{
    state::{SamlPrivateKey, ServerCertificate},
    testing::{
        ACCOUNT, TestInstallation,
        certificates::{TestCertificate, in_form},
        saml::metadata,
    },
    vault::{KEY_BYTES, MasterKey},
};

#[test]
fn private_keys_are_sealed_again() {
    let bench = TestInstallation::new();
    let pair = TestCertificate::new("www.example");
    let key = in_form(&pair.private_key);
    let certificate = in_form(&pair.certificate);
    let document = in_form(&metadata("https://idp.example"));
    for form in [
        format!(
            "UploadServerCertificate&ServerCertificateName=www&CertificateBody={certificate}\
             &PrivateKey={key}"
        ),
        format!("CreateSAMLProvider&Name=idp&SAMLMetadataDocument={document}&AddPrivateKey={key}"),
    ] {
        bench.root(&format!("Action={form}")).ok();
    }
    let identity = bench.identity();
    let master = MasterKey::new(Secret::new(vec![8; KEY_BYTES])).unwrap();
    let changed = identity.keyring().change_master(&master, bench.now());
    bench.block_on(changed).unwrap();
    assert!(identity.is_stale());
    let count = bench.block_on(identity.reseal()).unwrap();
    assert_eq!(count, 3, "root's access key, a certificate and a provider");
    assert!(!identity.is_stale());
    let account: AccountId = ACCOUNT.parse().unwrap();
    let cell = identity.ledger().account(account).unwrap();
    let snapshot = cell.snapshot();
    let certificate = snapshot.server_certificate("www").unwrap();
    let provider = snapshot.saml_providers().get("idp").unwrap();
    let [saml_key] = provider.private_keys.as_slice() else {
        panic!("{provider:?}");
    };
    for (place, sealed) in [
        (
            ServerCertificate::place(&certificate.id),
            &certificate.private_key,
        ),
        (SamlPrivateKey::place(&saml_key.id), &saml_key.sealed),
    ] {
        assert!(identity.vault().is_current(sealed));
        let opened = identity.vault().open(place, sealed.as_bytes()).unwrap();
        assert_eq!(opened.expose(), pair.private_key.as_bytes());
    }
}
