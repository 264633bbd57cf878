//! Both encodings of a key that OpenSSL made, as OpenSSL and `ssh-keygen` write them.

use super::{PublicKeyEncoding, RsaPublicKey};
use crate::{fault::UploadFault, testing::certificates::ssh_rsa};

const SSH: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCWiYHrhoscVW1AvijGRXQKSvHeBYnyCi4gSoXcquhY\
    cazK6Yjlw3qVV+HxiAqIknqlAHdFpPUb4VaYEtGp7z727TXtjn6Izron3mJrAEjylH7sU+AB2++mcBTnRfJUSeNrU/EPdxDE\
    5sqYFTwhu22ZW8OMWEo1nKOcQvG7LLXrGd+nXeUYvEDXcb/oL+9VtpMONcVMTG9eObS43Jk1xb7Om+5JgqWYWuPpR6+sIUKA\
    QAZ4U3tJ2c/xT/AEYldSLlZWxlCmySu9UrdmxBTXwQ4vq/q5EbS7sqs8Dkwze6ffSzvHG1m9ogNBLbYR3qKIeYsrwhXRK7L/\
    oD+2Zr5vyGgD";

const PEM: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlomB64aLHFVtQL4oxkV0
Ckrx3gWJ8gouIEqF3KroWHGsyumI5cN6lVfh8YgKiJJ6pQB3RaT1G+FWmBLRqe8+
9u017Y5+iM66J95iawBI8pR+7FPgAdvvpnAU50XyVEnja1PxD3cQxObKmBU8Ibtt
mVvDjFhKNZyjnELxuyy16xnfp13lGLxA13G/6C/vVbaTDjXFTExvXjm0uNyZNcW+
zpvuSYKlmFrj6UevrCFCgEAGeFN7SdnP8U/wBGJXUi5WVsZQpskrvVK3ZsQU18EO
L6v6uRG0u7KrPA5MM3un30s7xxtZvaIDQS22Ed6iiHmLK8IV0Suy/6A/tma+b8ho
AwIDAQAB
-----END PUBLIC KEY-----";

const PKCS1: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAlomB64aLHFVtQL4oxkV0Ckrx3gWJ8gouIEqF3KroWHGsyumI5cN6
lVfh8YgKiJJ6pQB3RaT1G+FWmBLRqe8+9u017Y5+iM66J95iawBI8pR+7FPgAdvv
pnAU50XyVEnja1PxD3cQxObKmBU8IbttmVvDjFhKNZyjnELxuyy16xnfp13lGLxA
13G/6C/vVbaTDjXFTExvXjm0uNyZNcW+zpvuSYKlmFrj6UevrCFCgEAGeFN7SdnP
8U/wBGJXUi5WVsZQpskrvVK3ZsQU18EOL6v6uRG0u7KrPA5MM3un30s7xxtZvaID
QS22Ed6iiHmLK8IV0Suy/6A/tma+b8hoAwIDAQAB
-----END RSA PUBLIC KEY-----";

#[test]
fn encodings_convert_in_both_directions() {
    let commented = format!("{SSH} bob@there.example\n");
    let windows = PEM.replace('\n', "\r\n");
    for (text, encoding) in [
        (SSH, PublicKeyEncoding::Ssh),
        (&commented, PublicKeyEncoding::Ssh),
        (PEM, PublicKeyEncoding::Pem),
        (&windows, PublicKeyEncoding::Pem),
        (PKCS1, PublicKeyEncoding::Pem),
    ] {
        let (key, read) = RsaPublicKey::parse(text).unwrap();
        assert_eq!(read, encoding, "{text}");
        assert_eq!(key.text(PublicKeyEncoding::Ssh).as_deref(), Some(SSH));
        assert_eq!(key.text(PublicKeyEncoding::Pem).as_deref(), Some(PEM));
        let fingerprint = "91:bd:2f:e9:6a:11:59:69:47:ec:27:2a:87:9a:47:bf";
        assert_eq!(key.fingerprint(), fingerprint);
        assert_eq!(RsaPublicKey::from_ssh(&key.to_ssh()), Some(key));
    }
}

#[test]
fn what_is_not_a_key() {
    let ed25519 =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9q";
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    let unended = PEM.replace("-----END PUBLIC KEY-----", "");
    let twice = format!("{PEM}\n{PEM}");
    let two_lines = format!("{SSH}\n{SSH}");
    let truncated = SSH.replace("yGgD", "");
    let shorter = PEM.replacen("MIIB", "MIIA", 1);
    for (text, fault) in [
        ("", UploadFault::UnrecognizedPublicKeyEncoding),
        ("ssh-rsa", UploadFault::UnrecognizedPublicKeyEncoding),
        ("ssh-rsa b@d", UploadFault::UnrecognizedPublicKeyEncoding),
        (certificate, UploadFault::UnrecognizedPublicKeyEncoding),
        (&unended, UploadFault::UnrecognizedPublicKeyEncoding),
        (&twice, UploadFault::UnrecognizedPublicKeyEncoding),
        (&two_lines, UploadFault::InvalidPublicKey),
        (&truncated, UploadFault::InvalidPublicKey),
        (&shorter, UploadFault::InvalidPublicKey),
        (ed25519, UploadFault::InvalidPublicKey),
        ("ssh-rsa AAAAB3NzaC1yc2E=", UploadFault::InvalidPublicKey),
        (&ssh_rsa(2040, 7), UploadFault::InvalidPublicKey),
        (&ssh_rsa(16_392, 7), UploadFault::InvalidPublicKey),
    ] {
        assert_eq!(RsaPublicKey::parse(text), Err(fault), "{text}");
    }
    for bits in [2048, 16_384] {
        RsaPublicKey::parse(&ssh_rsa(bits, 7)).unwrap();
    }
}
