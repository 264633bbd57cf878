//! RSA public keys as SSH and PEM write them, which are the two encodings that IAM converts.
//!
//! The SSH form is three strings with their lengths (RFC 4253, section 6.6), so it is read here;
//! ASN.1 is left to a library. Nothing here verifies signatures: no service of this server
//! accepts these keys.

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::limits;
use md5::{Digest, Md5};
use x509_parser::{
    asn1_rs::{BitString, Integer, Null, Sequence, ToDer, oid},
    pem::Pem,
    prelude::FromDer,
    public_key::{PublicKey, RSAPublicKey},
    x509::SubjectPublicKeyInfo,
};

use crate::fault::UploadFault;

const SSH_RSA: &str = "ssh-rsa";
const SPKI_LABEL: &str = "PUBLIC KEY";
const PKCS1_LABEL: &str = "RSA PUBLIC KEY";
/// Characters of a line of PEM (RFC 7468).
const PEM_LINE: usize = 64;

/// A form in which public keys are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublicKeyEncoding {
    /// `ssh-rsa AAAA…`
    Ssh,
    /// `-----BEGIN PUBLIC KEY-----`
    Pem,
}

/// An RSA public key: two big-endian numbers without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RsaPublicKey {
    exponent: Vec<u8>,
    modulus: Vec<u8>,
}

impl RsaPublicKey {
    /// Reads an uploaded key in either encoding. A comment after the key is dropped.
    ///
    /// # Errors
    /// [`UploadFault::UnrecognizedPublicKeyEncoding`] for text in neither encoding, and
    /// [`UploadFault::InvalidPublicKey`] for another algorithm or a key of a wrong size.
    pub(crate) fn parse(text: &str) -> Result<(Self, PublicKeyEncoding), UploadFault> {
        let text = text.trim();
        let (key, encoding) = if text.starts_with("-----BEGIN ") {
            (Self::from_pem(text)?, PublicKeyEncoding::Pem)
        } else {
            (Self::from_ssh_line(text)?, PublicKeyEncoding::Ssh)
        };
        let key = key.filter(Self::is_acceptable);
        Ok((key.ok_or(UploadFault::InvalidPublicKey)?, encoding))
    }

    fn from_ssh_line(line: &str) -> Result<Option<Self>, UploadFault> {
        let mut words = line.split_ascii_whitespace();
        let (algorithm, encoded) = (words.next(), words.next());
        let encoded = encoded.ok_or(UploadFault::UnrecognizedPublicKeyEncoding)?;
        let bytes = BASE64_STANDARD.decode(encoded);
        let bytes = bytes.map_err(|_| UploadFault::UnrecognizedPublicKeyEncoding)?;
        let is_one_line = !line.contains(['\n', '\r']);
        let is_rsa = algorithm == Some(SSH_RSA) && is_one_line;
        Ok(is_rsa.then(|| Self::from_ssh(&bytes)).flatten())
    }

    fn from_pem(text: &str) -> Result<Option<Self>, UploadFault> {
        let read = Pem::read(std::io::Cursor::new(text));
        let (pem, end) = read.map_err(|_| UploadFault::UnrecognizedPublicKeyEncoding)?;
        if end < text.len() {
            return Err(UploadFault::UnrecognizedPublicKeyEncoding);
        }
        Ok(match pem.label.as_str() {
            SPKI_LABEL => Self::from_spki(&pem.contents),
            PKCS1_LABEL => Self::from_pkcs1(&pem.contents),
            _ => return Err(UploadFault::UnrecognizedPublicKeyEncoding),
        })
    }

    fn from_spki(der: &[u8]) -> Option<Self> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).ok()?;
        match info.parsed().ok()? {
            PublicKey::RSA(key) if rest.is_empty() => Self::of_integers(&key),
            _ => None,
        }
    }

    fn from_pkcs1(der: &[u8]) -> Option<Self> {
        let (rest, key) = RSAPublicKey::from_der(der).ok()?;
        rest.is_empty().then(|| Self::of_integers(&key)).flatten()
    }

    fn of_integers(key: &RSAPublicKey<'_>) -> Option<Self> {
        Some(Self {
            exponent: magnitude(key.exponent)?,
            modulus: magnitude(key.modulus)?,
        })
    }

    /// Reads RFC 4253's form.
    pub(crate) fn from_ssh(bytes: &[u8]) -> Option<Self> {
        let (algorithm, rest) = ssh_string(bytes)?;
        let (exponent, rest) = ssh_string(rest)?;
        let (modulus, rest) = ssh_string(rest)?;
        let is_rsa = algorithm == SSH_RSA.as_bytes() && rest.is_empty();
        is_rsa.then_some(())?;
        Some(Self {
            exponent: magnitude(exponent)?,
            modulus: magnitude(modulus)?,
        })
    }

    /// RFC 4253's form.
    pub(crate) fn to_ssh(&self) -> Vec<u8> {
        let numbers = [signed(&self.exponent), signed(&self.modulus)];
        let mut bytes = Vec::new();
        for field in [SSH_RSA.as_bytes(), &numbers[0], &numbers[1]] {
            let length = u32::try_from(field.len()).unwrap_or_default();
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(field);
        }
        bytes
    }

    /// Its text in an encoding. `None` only if the library fails to write ASN.1.
    pub(crate) fn text(&self, encoding: PublicKeyEncoding) -> Option<String> {
        match encoding {
            PublicKeyEncoding::Ssh => Some(format!(
                "{SSH_RSA} {}",
                BASE64_STANDARD.encode(self.to_ssh())
            )),
            PublicKeyEncoding::Pem => Some(pem(SPKI_LABEL, &self.to_spki()?)),
        }
    }

    fn to_spki(&self) -> Option<Vec<u8>> {
        let [modulus, exponent] = [signed(&self.modulus), signed(&self.exponent)];
        let numbers = [Integer::new(&modulus), Integer::new(&exponent)];
        let key = Sequence::from_iter_to_der(numbers.iter()).ok()?;
        let key = key.to_der_vec().ok()?;
        let rsa_encryption = oid!(1.2.840.113549.1.1.1);
        let mut algorithm = rsa_encryption.to_der_vec().ok()?;
        algorithm.extend(Null::new().to_der_vec().ok()?);
        let mut info = Sequence::new(algorithm.into()).to_der_vec().ok()?;
        info.extend(BitString::new(0, &key).to_der_vec().ok()?);
        Sequence::new(info.into()).to_der_vec().ok()
    }

    /// MD5 of RFC 4253's form, as `ssh-keygen -l -E md5` prints it.
    pub(crate) fn fingerprint(&self) -> String {
        let digest = Md5::digest(self.to_ssh());
        let bytes: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        bytes.join(":")
    }

    fn bits(&self) -> usize {
        let leading = self.modulus.first().map_or(0, |byte| byte.leading_zeros());
        self.modulus.len() * 8 - usize::try_from(leading).unwrap_or_default()
    }

    fn is_acceptable(&self) -> bool {
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
        limits::SSH_RSA_BITS.contains(&self.bits())
            && is_odd(&self.modulus)
            && is_odd(&self.exponent)
            && self.exponent != [1]
            && self.exponent.len() <= self.modulus.len()
    }
}

/// A string with its length before it, and what follows.
fn ssh_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}

/// A number in two's complement without the zeros before it. `None` for a negative one.
fn magnitude(number: &[u8]) -> Option<Vec<u8>> {
    number.first().filter(|first| **first < 0x80)?;
    Some(
        number
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect(),
    )
}

/// A number in two's complement.
fn signed(magnitude: &[u8]) -> Vec<u8> {
    let needs_zero = magnitude.first().is_none_or(|first| *first >= 0x80);
    let zero = needs_zero.then_some(0);
    zero.into_iter().chain(magnitude.iter().copied()).collect()
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (position, character) in BASE64_STANDARD.encode(der).char_indices() {
        if position > 0 && position % PEM_LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----"));
    text
}

#[cfg(test)]
mod tests;
