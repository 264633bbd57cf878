//! IAM, STS and Organizations: users, groups, keys and policies as a pure function over an
//! account's immutable snapshot, with authentication before it and durable commits after it.
//!
//! Floor 3. Invariants of the request path: a [`caller::Caller`] exists only after a signature was
//! verified, a [`authorize::Permit`] only after a decision, and a response is sent only after the
//! state it reports is durable.
//!
//! It knows nothing of sockets: requests come in as a decoded [`keywright_wire::Form`], responses
//! go out as XML.

mod accounts;
pub mod action;
pub mod actions;
pub mod authenticate;
pub mod authorize;
pub mod browsers;
pub mod caller;
pub mod catalogue;
mod certificates;
mod conditions;
pub mod console;
pub mod denials;
pub mod event;
pub mod fault;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod import_document;
mod installation;
pub mod keyring;
pub mod ledger;
mod mfa;
mod names;
pub mod on_behalf;
pub mod pagination;
mod password_attempts;
mod password_rules;
mod passwords;
pub mod principal;
pub mod reseal;
pub mod rotations;
pub mod saml;
mod saml_metadata;
mod secrets;
pub mod service;
pub mod session_token;
pub mod sign_in;
mod ssh_keys;
pub mod state;
pub mod stored_principals;
pub mod unserved;
pub mod usage;
pub mod view;
pub mod web_identity;
pub mod work;
mod xml_characters;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use fault::IamFault;
pub use keywright_vault as vault;
pub use service::Identity;
