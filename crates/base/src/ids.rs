//! Identifiers: account IDs, access key IDs and the unique IDs of IAM entities.
//!
//! An ID contains its account, as AWS's IDs have done since 2019. The four-letter prefix is
//! followed by base32 symbols: a 1 bit, 40 bits of account, and random bits. So the account of a
//! request is known without a search. The tests below check the layout against published pairs.

use std::{fmt, str::FromStr};

use crate::Entropy;

/// A 12-digit AWS account ID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u64);

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not exactly twelve digits.
    #[error("an account id is 12 digits")]
    Account,
    /// Not `AKIA` or `ASIA` followed by sixteen symbols of `A-Z2-7`.
    #[error("an access key id is AKIA or ASIA and 16 characters of A-Z and 2-7")]
    AccessKey,
    /// Not a four-letter prefix followed by seventeen symbols of `A-Z2-7`.
    #[error("a unique id is a known prefix and 17 characters of A-Z and 2-7")]
    Unique,
}

const ACCOUNT_MAX: u64 = 999_999_999_999;
const SYMBOLS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl AccountId {
    /// One more than the highest account ID, so no account has it. Records under it belong to the
    /// installation itself. (000000000000 is the default account of other tools.)
    pub const INSTALLATION: Self = Self(ACCOUNT_MAX + 1);

    /// Creates an account ID from a number.
    ///
    /// # Errors
    /// [`IdError::Account`] above 999999999999.
    pub const fn new(number: u64) -> Result<Self, IdError> {
        if number > ACCOUNT_MAX {
            Err(IdError::Account)
        } else {
            Ok(Self(number))
        }
    }

    /// A random account ID without a leading zero, so that no tool mistakes it for a shorter
    /// number.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        Self(100_000_000_000 + u64::from_be_bytes(bytes) % 900_000_000_000)
    }

    /// The ID as a number below 10^12.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl FromStr for AccountId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(IdError::Account);
        }
        text.parse().map(Self).map_err(|_| IdError::Account)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An access key ID: `AKIA` (long-term) or `ASIA` (temporary) and sixteen base32 symbols.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId([u8; 20]);

impl AccessKeyId {
    /// Generates a long-term key ID for `account`, with 39 random bits after the account's 40.
    pub fn generate(account: AccountId, entropy: &dyn Entropy) -> Self {
        Self(encode(*b"AKIA", account, 39, entropy))
    }

    /// Generates a temporary key ID for `account`.
    pub fn generate_temporary(account: AccountId, entropy: &dyn Entropy) -> Self {
        Self(encode(*b"ASIA", account, 39, entropy))
    }

    /// The text, always twenty ASCII characters.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether the ID is temporary (`ASIA`) and so valid only with its session token.
    pub const fn is_temporary(&self) -> bool {
        self.0[1] == b'S'
    }

    /// The account in the ID; `None` for the format used before 2019, which contains none.
    pub fn account(&self) -> Option<AccountId> {
        decode_account(self.0.get(4..)?)
    }
}

impl FromStr for AccessKeyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes: [u8; 20] = text.as_bytes().try_into().map_err(|_| IdError::AccessKey)?;
        let known = bytes.starts_with(b"AKIA") || bytes.starts_with(b"ASIA");
        if known && bytes.iter().skip(4).all(|b| digit(*b).is_some()) {
            Ok(Self(bytes))
        } else {
            Err(IdError::AccessKey)
        }
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kind of entity that a [`UniqueId`] identifies, given by its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// `AIDA`
    User,
    /// `AGPA`
    Group,
    /// `ANPA`
    Policy,
    /// `AROA`
    Role,
    /// `AIPA`
    InstanceProfile,
    /// `APKA`
    SshPublicKey,
    /// `ASCA`
    ServerCertificate,
    /// `ACCA`
    ServiceCredential,
}

impl IdKind {
    const ALL: [Self; 8] = [
        Self::User,
        Self::Group,
        Self::Policy,
        Self::Role,
        Self::InstanceProfile,
        Self::SshPublicKey,
        Self::ServerCertificate,
        Self::ServiceCredential,
    ];

    const fn prefix(self) -> [u8; 4] {
        match self {
            Self::User => *b"AIDA",
            Self::Group => *b"AGPA",
            Self::Policy => *b"ANPA",
            Self::Role => *b"AROA",
            Self::InstanceProfile => *b"AIPA",
            Self::SshPublicKey => *b"APKA",
            Self::ServerCertificate => *b"ASCA",
            Self::ServiceCredential => *b"ACCA",
        }
    }
}

/// The immutable ID of an IAM entity: a prefix and seventeen base32 symbols. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueId([u8; 21]);

impl UniqueId {
    /// Generates an ID for `account`, with 44 random bits after the account's 40.
    pub fn generate(kind: IdKind, account: AccountId, entropy: &dyn Entropy) -> Self {
        Self(encode(kind.prefix(), account, 44, entropy))
    }

    /// The text, always twenty-one ASCII characters.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The kind of entity that the prefix names.
    pub fn kind(&self) -> Option<IdKind> {
        IdKind::ALL
            .into_iter()
            .find(|kind| self.0.starts_with(&kind.prefix()))
    }

    /// The account in the ID.
    pub fn account(&self) -> Option<AccountId> {
        decode_account(self.0.get(4..)?)
    }
}

impl FromStr for UniqueId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes: [u8; 21] = text.as_bytes().try_into().map_err(|_| IdError::Unique)?;
        let id = Self(bytes);
        if id.kind().is_some() && bytes.iter().skip(4).all(|b| digit(*b).is_some()) {
            Ok(id)
        } else {
            Err(IdError::Unique)
        }
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Encodes `prefix`, then as many base32 symbols as fit in `N`: a 1 bit, the account,
/// `random_bits`.
fn encode<const N: usize>(
    prefix: [u8; 4],
    account: AccountId,
    random_bits: u32,
    entropy: &dyn Entropy,
) -> [u8; N] {
    let mut random = [0; 8];
    entropy.fill(&mut random);
    let random = u128::from(u64::from_be_bytes(random) & ((1 << random_bits) - 1));
    let value = 1 << (40 + random_bits) | u128::from(account.0) << random_bits | random;
    let mut text = [0; N];
    for (slot, letter) in text.iter_mut().zip(prefix) {
        *slot = letter;
    }
    for (slot, shift) in text.iter_mut().skip(4).rev().zip((0u32..).step_by(5)) {
        let symbol = usize::try_from(value >> shift & 31).unwrap_or_default();
        *slot = SYMBOLS.get(symbol).copied().unwrap_or_default();
    }
    text
}

/// The value of a base32 symbol. Computed instead of searched in [`SYMBOLS`], because every request
/// parses IDs.
const fn digit(symbol: u8) -> Option<u8> {
    match symbol {
        b'A'..=b'Z' => Some(symbol - b'A'),
        b'2'..=b'7' => Some(symbol - b'2' + 26),
        _ => None,
    }
}

/// Reads the account from the symbols after the prefix, if their first bit is 1.
fn decode_account(symbols: &[u8]) -> Option<AccountId> {
    let mut value: u64 = 0;
    for symbol in symbols.iter().take(9) {
        value = value << 5 | u64::from(digit(*symbol)?);
    }
    // Nine symbols hold 45 bits: the flag, 40 bits of account, 4 random bits.
    if value >> 44 == 0 {
        return None;
    }
    AccountId::new(value >> 4 & ((1 << 40) - 1)).ok()
}

#[cfg(test)]
mod tests {
    use super::{AccessKeyId, AccountId, IdKind, SYMBOLS, UniqueId, digit};
    use crate::Entropy;

    struct Ones;

    impl Entropy for Ones {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0xff);
        }
    }

    /// Published pairs of access key ID and account.
    #[test]
    fn accounts_inside_published_key_ids() {
        for (key, account) in [
            ("ASIAY34FZKBOKMUTVV7A", "609629065308"),
            ("ASIAQNZGKIQY56JQ7WML", "029608264753"),
            ("AKIA6RVFFB77RE7OLMKI", "999999999999"),
            ("AKIARZPUZDIKGB2VALC4", "123456789012"),
            ("AKIAXYAFLIG2DFBKVWHJ", "532587168180"),
        ] {
            let id: AccessKeyId = key.parse().unwrap();
            assert_eq!(id.account().unwrap().to_string(), account, "{key}");
        }
        let user: UniqueId = "AIDAXYAFLIG2LURZLZAH6".parse().unwrap();
        assert_eq!(user.account().unwrap().to_string(), "532587168180");
    }

    #[test]
    fn a_symbol_is_its_place() {
        let place = |byte: u8| SYMBOLS.iter().position(|symbol| *symbol == byte);
        for byte in u8::MIN..=u8::MAX {
            assert_eq!(digit(byte).map(usize::from), place(byte), "{byte}");
        }
    }

    #[test]
    fn old_ids_carry_no_account() {
        let id: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        assert_eq!(id.account(), None);
    }

    #[test]
    fn generated_ids_parse_and_carry_their_account() {
        for number in [0, 1, 123_456_789_012, 999_999_999_999] {
            let account = AccountId::new(number).unwrap();
            let key = AccessKeyId::generate(account, &Ones);
            assert_eq!(key.as_str().parse(), Ok(key));
            assert_eq!(key.account(), Some(account));
            assert!(!key.is_temporary());
            assert!(AccessKeyId::generate_temporary(account, &Ones).is_temporary());
            let user = UniqueId::generate(IdKind::User, account, &Ones);
            assert_eq!(user.as_str().parse(), Ok(user));
            assert_eq!(user.account(), Some(account));
            assert_eq!(user.as_str().len(), 21);
        }
    }

    #[test]
    fn what_is_not_an_id() {
        for text in [
            "",
            "AKIA",
            "akiaiosfodnn7example",
            "AKIAIOSFODNN7EXAMPL1",
            "BKIAIOSFODNN7EXAMPLE",
        ] {
            assert!(text.parse::<AccessKeyId>().is_err(), "{text}");
        }
        for text in [
            "",
            "12345678901",
            "1234567890123",
            "12345678901x",
            "+12345678901",
        ] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }
}
