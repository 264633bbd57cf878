//! The document of an import: users, groups, roles, policies and instance profiles, each with the
//! parameters of the operations that create it.
//!
//! It travels compressed in a form, because forms are short and policies compress well.
//!
//! Invariant: what is not understood is rejected, and nothing is decompressed beyond
//! [`limits::IMPORT_DOCUMENT_BYTES`].

use std::io::{Read, Write};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use keywright_base::limits;
use serde::{Deserialize, Serialize};

/// Entities to create, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct ImportDocument {
    /// Customer managed policies.
    pub policies: Vec<ImportedPolicy>,
    /// Groups.
    pub groups: Vec<ImportedGroup>,
    /// Users.
    pub users: Vec<ImportedUser>,
    /// Roles, also service-linked ones.
    pub roles: Vec<ImportedRole>,
    /// Instance profiles.
    pub instance_profiles: Vec<ImportedProfile>,
}

/// A customer managed policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct ImportedPolicy {
    /// Its name.
    pub policy_name: String,
    /// Its path; `/` if empty.
    pub path: String,
    /// Its description.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<ImportedTag>,
    /// Its versions, one of them the default, in any order.
    pub versions: Vec<ImportedVersion>,
}

/// A version of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct ImportedVersion {
    /// `v1`, `v2`, ….
    pub version_id: String,
    /// Whether it is in effect.
    pub is_default: bool,
    /// Its document.
    pub policy_document: String,
}

/// A group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct ImportedGroup {
    /// Its name.
    pub group_name: String,
    /// Its path; `/` if empty.
    pub path: String,
    /// Its inline policies.
    pub inline_policies: Vec<ImportedInline>,
    /// The ARNs of its managed policies.
    pub attached_policy_arns: Vec<String>,
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct ImportedUser {
    /// Its name.
    pub user_name: String,
    /// Its path; `/` if empty.
    pub path: String,
    /// The ARN of its permissions boundary.
    pub permissions_boundary: Option<String>,
    /// Its tags.
    pub tags: Vec<ImportedTag>,
    /// Its inline policies.
    pub inline_policies: Vec<ImportedInline>,
    /// The ARNs of its managed policies.
    pub attached_policy_arns: Vec<String>,
    /// The names of its groups.
    pub group_names: Vec<String>,
}

/// A role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct ImportedRole {
    /// Its name.
    pub role_name: String,
    /// Its path; `/` if empty.
    pub path: String,
    /// Its description.
    pub description: Option<String>,
    /// The maximum duration of its sessions, in seconds.
    pub max_session_duration: Option<i32>,
    /// Who may assume it.
    pub assume_role_policy_document: String,
    /// The ARN of its permissions boundary.
    pub permissions_boundary: Option<String>,
    /// Its tags.
    pub tags: Vec<ImportedTag>,
    /// Its inline policies.
    pub inline_policies: Vec<ImportedInline>,
    /// The ARNs of its managed policies.
    pub attached_policy_arns: Vec<String>,
}

/// An instance profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct ImportedProfile {
    /// Its name.
    pub instance_profile_name: String,
    /// Its path; `/` if empty.
    pub path: String,
    /// Its tags.
    pub tags: Vec<ImportedTag>,
    /// The name of the role in it.
    pub role_name: Option<String>,
}

/// An inline policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct ImportedInline {
    /// Its name.
    pub policy_name: String,
    /// Its document.
    pub policy_document: String,
}

/// A tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ImportedTag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Why a document cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not base64url.
    #[error("Document is not base64url without padding.")]
    Encoding,
    /// Not gzip, or damaged.
    #[error("Document is not compressed with gzip.")]
    Compression,
    /// Too large.
    #[error("Document has more than {} bytes.", limits::IMPORT_DOCUMENT_BYTES)]
    TooLarge,
    /// Not such a document.
    #[error("Document cannot be read: {0}.")]
    Json(#[from] serde_json::Error),
}

impl ImportDocument {
    /// The number of entities.
    pub const fn entity_count(&self) -> usize {
        self.policies.len()
            + self.groups.len()
            + self.users.len()
            + self.roles.len()
            + self.instance_profiles.len()
    }

    /// The form in which it is sent: JSON, compressed with gzip, as base64url.
    ///
    /// # Errors
    /// [`DocumentError`] if it is too large.
    pub fn encode(&self) -> Result<String, DocumentError> {
        let json = serde_json::to_vec(self)?;
        if json.len() > limits::IMPORT_DOCUMENT_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let mut compressor = GzEncoder::new(Vec::new(), Compression::best());
        let written = compressor
            .write_all(&json)
            .and_then(|()| compressor.finish());
        let compressed = written.map_err(|_| DocumentError::Compression)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(compressed))
    }

    /// Reads the form in which it is sent.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn decode(text: &str) -> Result<Self, DocumentError> {
        let compressed = BASE64_URL_SAFE_NO_PAD.decode(text);
        let compressed = compressed.map_err(|_| DocumentError::Encoding)?;
        let most = limits::IMPORT_DOCUMENT_BYTES;
        let mut json = Vec::new();
        let mut decompressor = GzDecoder::new(&*compressed).take(most as u64 + 1);
        decompressor
            .read_to_end(&mut json)
            .map_err(|_| DocumentError::Compression)?;
        if json.len() > most {
            return Err(DocumentError::TooLarge);
        }
        Ok(serde_json::from_slice(&json)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(bytes: &[u8]) -> String {
        let mut compressor = GzEncoder::new(Vec::new(), Compression::best());
        compressor.write_all(bytes).unwrap();
        BASE64_URL_SAFE_NO_PAD.encode(compressor.finish().unwrap())
    }

    #[test]
    fn documents_survive_the_journey() {
        let user = ImportedUser {
            user_name: "ann".to_owned(),
            group_names: vec!["devs".to_owned()],
            ..ImportedUser::default()
        };
        let document = ImportDocument {
            users: vec![user],
            ..ImportDocument::default()
        };
        let encoded = document.encode().unwrap();
        assert_eq!(ImportDocument::decode(&encoded).unwrap(), document);
    }

    #[test]
    fn bad_documents_are_rejected() {
        let bomb = packed(&vec![b' '; limits::IMPORT_DOCUMENT_BYTES + 1]);
        assert!(bomb.len() < 32 * 1024);
        let mut largest = vec![b' '; limits::IMPORT_DOCUMENT_BYTES - 2];
        largest.extend(b"{}");
        ImportDocument::decode(&packed(&largest)).unwrap();
        let deep = format!("{{\"Users\":{}", "[".repeat(100_000));
        let damaged = packed(b"{}");
        let cases = [
            ("*".to_owned(), "base64url"),
            ("AAAA".to_owned(), "gzip"),
            (damaged.get(..damaged.len() - 6).unwrap().to_owned(), "gzip"),
            (bomb, "more than 16777216 bytes"),
            (
                packed(b"{\"Users\":[{\"Keys\":[]}]}"),
                "unknown field `Keys`",
            ),
            (packed(b"{\"Users\":"), "EOF while parsing"),
            (packed(deep.as_bytes()), "invalid type"),
        ];
        for (text, why) in cases {
            let error = ImportDocument::decode(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
