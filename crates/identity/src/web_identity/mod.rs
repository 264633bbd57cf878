//! Web identities: tokens of OpenID Connect providers, which assume roles without a signature.
//!
//! Invariants:
//!
//! - A [`VerifiedToken`] exists only after a key of the provider verified its signature. Nothing
//!   that a token says is used before, but to find the provider and to reject the token.
//! - Only documents of registered providers are fetched, never what a token names.
//!
//! What verifies the TLS certificate of a provider and keeps requests away from internal addresses
//! is the implementation of [`ProviderDocuments`], above this crate.

mod claims;
mod key_set;
mod provider_keys;
mod rejection;
mod session_tags;
mod token;

pub(crate) use self::{
    claims::{FederatedClaims, check_times},
    key_set::VerifiedToken,
    provider_keys::{KeyLookup, ProviderKeys},
    session_tags::{RequestedSession, is_session_tag, is_source_identity},
    token::ParsedToken,
};
pub use self::{
    provider_keys::{DocumentFault, ProviderDocuments, ProviderRequest},
    rejection::TokenRejection,
};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
