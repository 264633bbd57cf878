//! The JSON of `aws iam get-account-authorization-details`, which imports read and exports write.
//!
//! An export adds what AWS leaves out of it, under the names that IAM has for it elsewhere: the
//! `Description` and `MaxSessionDuration` of roles, the `Tags` of policies and instance profiles,
//! and instance profiles without a role. Programs that read AWS's JSON pass over these.
//!
//! Invariant: an unknown member is an error. It might be a restriction.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

/// An account.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct AccountDetails {
    pub(crate) user_detail_list: Vec<UserDetail>,
    pub(crate) group_detail_list: Vec<GroupDetail>,
    pub(crate) role_detail_list: Vec<RoleDetail>,
    pub(crate) policies: Vec<PolicyDetail>,
    /// Instance profiles without a role.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) instance_profile_list: Vec<ProfileDetail>,
    /// Whether another page follows.
    #[serde(skip_serializing)]
    pub(crate) is_truncated: bool,
    #[serde(skip_serializing)]
    pub(crate) marker: Option<String>,
    /// The marker under the name that the AWS CLI gives it.
    #[serde(skip_serializing)]
    pub(crate) next_token: Option<String>,
    #[serde(skip_serializing, rename = "ResponseMetadata")]
    pub(crate) _response_metadata: Option<de::IgnoredAny>,
}

/// A user.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct UserDetail {
    pub(crate) path: String,
    pub(crate) user_name: String,
    pub(crate) user_id: String,
    pub(crate) arn: String,
    pub(crate) create_date: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) user_policy_list: Vec<InlineDetail>,
    pub(crate) group_list: Vec<String>,
    pub(crate) attached_managed_policies: Vec<AttachedDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) permissions_boundary: Option<BoundaryDetail>,
    pub(crate) tags: Vec<TagDetail>,
}

/// A group.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct GroupDetail {
    pub(crate) path: String,
    pub(crate) group_name: String,
    pub(crate) group_id: String,
    pub(crate) arn: String,
    pub(crate) create_date: String,
    pub(crate) group_policy_list: Vec<InlineDetail>,
    pub(crate) attached_managed_policies: Vec<AttachedDetail>,
}

/// A role, also in an instance profile.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct RoleDetail {
    pub(crate) path: String,
    pub(crate) role_name: String,
    pub(crate) role_id: String,
    pub(crate) arn: String,
    pub(crate) create_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) assume_role_policy_document: Option<PolicyJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_session_duration: Option<i32>,
    pub(crate) instance_profile_list: Vec<ProfileDetail>,
    pub(crate) role_policy_list: Vec<InlineDetail>,
    pub(crate) attached_managed_policies: Vec<AttachedDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) permissions_boundary: Option<BoundaryDetail>,
    pub(crate) tags: Vec<TagDetail>,
    pub(crate) role_last_used: LastUsedDetail,
}

/// An instance profile. The role in it is described where it is listed.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct ProfileDetail {
    pub(crate) path: String,
    pub(crate) instance_profile_name: String,
    pub(crate) instance_profile_id: String,
    pub(crate) arn: String,
    pub(crate) create_date: String,
    pub(crate) roles: Vec<RoleInProfile>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<TagDetail>,
}

/// A role in an instance profile. It is described where it is listed, so nothing of it is read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RoleInProfile {
    pub(crate) path: String,
    pub(crate) role_name: String,
    pub(crate) role_id: String,
    pub(crate) arn: String,
    pub(crate) create_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) assume_role_policy_document: Option<PolicyJson>,
}

/// The last use of a role.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct LastUsedDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_used_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
}

/// A managed policy.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct PolicyDetail {
    pub(crate) policy_name: String,
    pub(crate) policy_id: String,
    pub(crate) arn: String,
    pub(crate) path: String,
    pub(crate) default_version_id: String,
    pub(crate) attachment_count: i64,
    pub(crate) permissions_boundary_usage_count: i64,
    pub(crate) is_attachable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) create_date: String,
    pub(crate) update_date: String,
    pub(crate) policy_version_list: Vec<VersionDetail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<TagDetail>,
}

/// A version of a managed policy.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct VersionDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) document: Option<PolicyJson>,
    pub(crate) version_id: String,
    pub(crate) is_default_version: bool,
    pub(crate) create_date: String,
}

/// An inline policy.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct InlineDetail {
    pub(crate) policy_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy_document: Option<PolicyJson>,
}

/// An attached managed policy.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct AttachedDetail {
    pub(crate) policy_name: String,
    pub(crate) policy_arn: String,
}

/// A permissions boundary.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub(crate) struct BoundaryDetail {
    pub(crate) permissions_boundary_type: String,
    pub(crate) permissions_boundary_arn: String,
}

/// A tag.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TagDetail {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// A policy document without white space between its tokens, its members in their order.
///
/// The AWS CLI prints it as an object, the API has it percent-encoded in a string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PolicyJson(pub(crate) String);

impl<'de> Deserialize<'de> for PolicyJson {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        if !raw.get().starts_with('"') {
            return Ok(Self(compact(raw.get())));
        }
        let text: String = serde_json::from_str(raw.get()).map_err(de::Error::custom)?;
        if text.trim_start().starts_with('{') {
            return Ok(Self(compact(&text)));
        }
        let decoded = percent_decode_str(&text).decode_utf8();
        let decoded = decoded.map_err(|_| de::Error::custom("a policy document is not UTF-8"))?;
        Ok(Self(compact(&decoded)))
    }
}

impl Serialize for PolicyJson {
    /// As an object. What cannot be one stays a string.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match RawValue::from_string(self.0.clone()) {
            Ok(raw) if self.0.starts_with('{') => raw.serialize(to),
            Ok(_) | Err(_) => self.0.serialize(to),
        }
        .map_err(ser::Error::custom)
    }
}

/// JSON without white space outside of its strings.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for character in json.chars() {
        if quoted || !matches!(character, ' ' | '\t' | '\n' | '\r') {
            out.push(character);
        }
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{AccountDetails, PolicyJson};

    #[test]
    fn documents_are_read_in_each_form() {
        let object = "{\n \"B\" : [1,\t\"x \\\" y\\\\\"],\n \"A\": {} }";
        let expected = r#"{"B":[1,"x \" y\\"],"A":{}}"#;
        let string = serde_json::to_string(object).unwrap();
        let encoded = "\"%7B%22B%22%3A%5B1%2C%22x%20%5C%22%20y%5C%5C%22%5D%2C%22A%22%3A%7B%7D%7D\"";
        for form in [object, &string, encoded] {
            let read: PolicyJson = serde_json::from_str(form).unwrap();
            assert_eq!(read.0, expected, "{form}");
            assert_eq!(serde_json::to_string(&read).unwrap(), expected);
        }
        let broken: PolicyJson = serde_json::from_str("\"{ broken\"").unwrap();
        assert_eq!(serde_json::to_string(&broken).unwrap(), "\"{broken\"");
    }

    #[test]
    fn errors_name_the_position() {
        let text = "{\"UserDetailList\": [\n  {\"UserName\": \"ann\", \"Quota\": 1}]}";
        let error = serde_json::from_str::<AccountDetails>(text).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("unknown field `Quota`"), "{text}");
        assert!(text.ends_with("at line 2 column 29"), "{text}");
    }
}
