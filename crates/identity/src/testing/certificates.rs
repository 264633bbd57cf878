//! For tests: certificates and keys, made when they are needed.

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// A certificate with its private key, both PEM.
pub(crate) struct TestCertificate {
    pub(crate) certificate: String,
    pub(crate) private_key: String,
    params: CertificateParams,
}

fn params(name: &str, years: [i32; 2]) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl TestCertificate {
    /// Signed by itself, valid when the tests' clock starts.
    pub(crate) fn new(name: &str) -> Self {
        Self::of_years(name, [2026, 2030])
    }

    /// Signed by itself, valid from the beginning of one year to that of another.
    pub(crate) fn of_years(name: &str, years: [i32; 2]) -> Self {
        let (key, params) = (KeyPair::generate().unwrap(), params(name, years));
        Self {
            certificate: params.self_signed(&key).unwrap().pem(),
            private_key: key.serialize_pem(),
            params,
        }
    }

    /// One that this one issues.
    pub(crate) fn issue(&self, name: &str) -> Self {
        let (key, params) = (KeyPair::generate().unwrap(), params(name, [2026, 2029]));
        let issuing = KeyPair::from_pem(&self.private_key).unwrap();
        let issuer = Issuer::from_params(&self.params, issuing);
        Self {
            certificate: params.signed_by(&key, &issuer).unwrap().pem(),
            private_key: key.serialize_pem(),
            params,
        }
    }
}

/// An `ssh-rsa` line whose modulus has this many bits and depends on `seed`.
pub(crate) fn ssh_rsa(bits: usize, seed: u8) -> String {
    let mut modulus = vec![seed; bits / 8];
    *modulus.first_mut().unwrap() = 0xc3;
    *modulus.last_mut().unwrap() = 0x01;
    modulus.insert(0, 0);
    let mut bytes = Vec::new();
    for field in [b"ssh-rsa".as_slice(), &[1, 0, 1], &modulus] {
        bytes.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
        bytes.extend(field);
    }
    format!("ssh-rsa {}", BASE64_STANDARD.encode(bytes))
}

/// As a value of a form.
pub(crate) fn in_form(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
