//! Service control policies and resource control policies, and the two of AWS that allow
//! everything.

use std::sync::{Arc, OnceLock};

use keywright_base::AccountId;
use keywright_policy::Policy;
use keywright_wire::organizations::values::policy_type;
use serde::{Deserialize, Serialize};

use crate::state::{
    Account, Tag,
    entity::{
        Entity, RecordError, RecordReader, RemovableEntity, TagRecord, restore_tags, tag_records,
    },
    policy::PolicyText,
};

/// The types of policies that are evaluated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyType {
    /// Limits the principals of an account.
    ServiceControl,
    /// Limits access to the resources of an account.
    ResourceControl,
}

impl PolicyType {
    /// The type that a request names. `None` for the other types of AWS.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            policy_type::SERVICE_CONTROL_POLICY => Some(Self::ServiceControl),
            policy_type::RESOURCE_CONTROL_POLICY => Some(Self::ResourceControl),
            _ => None,
        }
    }

    /// Its name in requests.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceControl => policy_type::SERVICE_CONTROL_POLICY,
            Self::ResourceControl => policy_type::RESOURCE_CONTROL_POLICY,
        }
    }

    /// Its name in ARNs.
    pub(crate) const fn in_arn(self) -> &'static str {
        match self {
            Self::ServiceControl => "service_control_policy",
            Self::ResourceControl => "resource_control_policy",
        }
    }

    /// The ID of AWS's policy of this type, which allows everything.
    pub(crate) const fn full_access(self) -> &'static str {
        match self {
            Self::ServiceControl => "p-FullAWSAccess",
            Self::ResourceControl => "p-RCPFullAWSAccess",
        }
    }
}

/// A policy of an organization, or one of AWS's.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationPolicy {
    /// `p-…`.
    pub(crate) id: String,
    /// Unique among the policies of its type.
    pub(crate) name: String,
    /// At most 512 characters.
    pub(crate) description: String,
    /// What it limits.
    pub(crate) kind: PolicyType,
    /// At most 50; keys are case-sensitive.
    pub(crate) tags: Vec<Tag>,
    /// Whether AWS made it.
    pub(crate) of_aws: bool,
    document: Arc<PolicyText>,
}

const ALLOW_ALL: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "*",
      "Resource": "*"
    }
  ]
}"#;

const ALLOW_ALL_TO_ALL: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": "*",
      "Action": "*",
      "Resource": "*"
    }
  ]
}"#;

impl OrganizationPolicy {
    /// A policy of the organization.
    pub(crate) fn new(id: String, kind: PolicyType, text: &str) -> Self {
        Self {
            id,
            name: String::new(),
            description: String::new(),
            kind,
            tags: Vec::new(),
            of_aws: false,
            document: Arc::new(PolicyText::new(text.into())),
        }
    }

    /// The same policy with other tags.
    pub(crate) fn with_tags(&self, tags: Vec<Tag>) -> Self {
        Self {
            tags,
            ..self.clone()
        }
    }

    /// Replaces the document.
    pub(crate) fn set_text(&mut self, text: &str) {
        self.document = Arc::new(PolicyText::new(text.into()));
    }

    /// AWS's policy with this ID.
    pub(crate) fn of_aws(id: &str) -> Option<&'static Arc<Self>> {
        Self::all_of_aws().iter().find(|policy| policy.id == id)
    }

    /// AWS's policies.
    pub(crate) fn all_of_aws() -> &'static [Arc<Self>; 2] {
        static POLICIES: OnceLock<[Arc<OrganizationPolicy>; 2]> = OnceLock::new();
        POLICIES.get_or_init(|| {
            let of_aws = |kind: PolicyType, name: &str, description: &str, text: &str| {
                Arc::new(Self {
                    name: name.to_owned(),
                    description: description.to_owned(),
                    of_aws: true,
                    ..Self::new(kind.full_access().to_owned(), kind, text)
                })
            };
            let service = (PolicyType::ServiceControl, "FullAWSAccess");
            let resource = (PolicyType::ResourceControl, "RCPFullAWSAccess");
            [
                of_aws(
                    service.0,
                    service.1,
                    "Allows access to every operation",
                    ALLOW_ALL,
                ),
                of_aws(
                    resource.0,
                    resource.1,
                    "Allows access to every resource",
                    ALLOW_ALL_TO_ALL,
                ),
            ]
        })
    }

    /// The document, as it was given.
    pub(crate) fn text(&self) -> &str {
        self.document.text()
    }

    /// The compiled document; `None` if it cannot be read.
    pub(crate) fn compiled(&self) -> Option<&Arc<Policy>> {
        self.document.compiled(Some(&self.name))
    }

    /// `arn:aws:organizations::ACCOUNT:policy/o-…/TYPE/p-…`.
    pub(crate) fn arn(&self, management: AccountId, organization: &str) -> String {
        let (kind, id) = (self.kind.in_arn(), &self.id);
        if self.of_aws {
            return format!("arn:aws:organizations::aws:policy/{kind}/{id}");
        }
        format!("arn:aws:organizations::{management}:policy/{organization}/{kind}/{id}")
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OrganizationPolicyRecord {
    id: String,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    kind: String,
    text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagRecord>,
}

impl From<&OrganizationPolicy> for OrganizationPolicyRecord {
    fn from(policy: &OrganizationPolicy) -> Self {
        Self {
            id: policy.id.clone(),
            name: policy.name.clone(),
            description: policy.description.clone(),
            kind: policy.kind.as_str().to_owned(),
            text: policy.text().to_owned(),
            tags: tag_records(&policy.tags),
        }
    }
}

impl Entity for OrganizationPolicy {
    const KIND: &'static str = "organization-policy";
    type Id = String;
    type Record = OrganizationPolicyRecord;

    fn entity_id(&self) -> Self::Id {
        self.id.clone()
    }

    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError> {
        let kind = PolicyType::parse(&record.kind);
        let kind = kind.ok_or_else(|| reader.error("an unknown policy type"))?;
        Ok(Self {
            name: record.name,
            description: record.description,
            tags: restore_tags(record.tags),
            ..Self::new(record.id, kind, &record.text)
        })
    }

    fn insert(account: &mut Account, policy: &Arc<Self>) {
        let policies = &mut account.organization_mut().policies;
        policies.insert(policy.id.clone(), Arc::clone(policy));
    }
}

impl RemovableEntity for OrganizationPolicy {
    fn remove(account: &mut Account, id: &Self::Id) {
        account.organization_mut().policies.remove(id);
    }
}
