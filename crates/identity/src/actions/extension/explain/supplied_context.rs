//! The context of a hypothetical request: what the caller supplies, and what the server knows by
//! itself.
//!
//! Invariant: values that a real request would take from the account (tags, boundaries, owners) are
//! filled in the same way; every other key stays open until it is supplied.

use std::sync::Arc;

use keywright_base::Timestamp;
use keywright_policy::{
    ActionCatalogue, ConditionTrace, ContextLookup, ContextValues, FoundValue, is_list_key,
};
use keywright_wire::keywright;

use super::ExplainView;
use crate::{
    authorize::{AuthTarget, ORGANIZATION_KEYS, organization_key},
    state::{Grantee, Tag},
};

/// The context of a hypothetical request.
pub(super) struct SuppliedContext<'a> {
    entries: &'a [keywright::ContextEntry],
    tags: &'a [Tag],
    /// The target, if it is in the account and exists.
    target: Option<AuthTarget>,
    /// The tags of the object, if it exists and they are keys of the action.
    object_tags: Option<&'a [(String, String)]>,
    /// Whether object tags are condition keys of the action.
    asks_object: bool,
    boundary: Option<Arc<str>>,
    now: Timestamp,
    account: String,
    /// The keys that name the account's organization; those of the resource only if it is owned.
    organization: Vec<(&'static str, ContextValues<'static>)>,
    /// Whether the resource is known to be the account's own.
    owned: bool,
    /// Whether it belongs to S3, where resources have no tags of this kind.
    of_s3: bool,
    /// Whether the request names a boundary itself, as opposed to targeting an entity that has one.
    brings_boundary: bool,
    /// Whether the target's boundary is a condition key of the action.
    asks_boundary: bool,
}

impl<'a> SuppliedContext<'a> {
    /// The context of an action of a user, or of root, on a resource.
    pub(super) fn new(
        view: &ExplainView<'a>,
        user: Option<&'a Grantee>,
        (action, resource): (&str, &str),
        entries: &'a [keywright::ContextEntry],
    ) -> Self {
        let (service, name) = action.split_once(':').unwrap_or_default();
        let of_s3 = service.eq_ignore_ascii_case("s3");
        let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        let keys = ActionCatalogue::built_in().action(action);
        let mut keys = keys.iter().flat_map(|action| &action.condition_keys);
        let asks_object = keys.any(|key| key.starts_with("s3:ExistingObjectTag/"));
        let attached = view.resource.filter(|_| asks_object);
        let user_boundary = view.account.user_by_arn(resource);
        let user_boundary = user_boundary.and_then(|user| user.boundary.clone());
        let role_boundary = view.account.role_by_arn(resource);
        let role_boundary = role_boundary.and_then(|role| role.boundary.clone());
        let of_iam = service.eq_ignore_ascii_case("iam");
        let owned = resource != "*" || !of_s3;
        let organization = ORGANIZATION_KEYS.into_iter().filter_map(|key| {
            let owner = owned.then(|| view.id());
            let values = organization_key(view.ledger, Some(view.account), owner, key)?;
            Some((key, values))
        });
        Self {
            organization: organization.collect(),
            entries,
            tags: user.map(Grantee::tags).unwrap_or_default(),
            object_tags: attached.and_then(|attached| attached.tags.as_deref()),
            asks_object,
            target: AuthTarget::existing(view, resource),
            boundary: user_boundary.or(role_boundary),
            now: view.now(),
            account: view.id().to_string(),
            owned,
            of_s3,
            brings_boundary: of_iam && is(&BOUNDING),
            asks_boundary: of_iam && is(&REGRANT),
        }
    }

    /// Whether a request could supply a value: the key is absent, and nothing is known about it.
    pub(super) fn is_open(&self, tested: &ConditionTrace) -> bool {
        tested.found == FoundValue::Absent && self.leaves_open(&tested.key)
    }

    /// Whether nothing is known about a key without a value.
    pub(super) fn leaves_open(&self, key: &str) -> bool {
        let key = key.to_ascii_lowercase();
        let name = key.split_once('/').map_or(&*key, |(name, _)| name);
        match name {
            "aws:principaltag" | "aws:principalorgid" | "aws:principalorgpaths" => false,
            "aws:resourceorgid" | "aws:resourceorgpaths" => !self.owned,
            "aws:resourcetag" | "iam:resourcetag" => self.target.is_none() && !self.of_s3,
            "s3:existingobjecttag" => self.asks_object && self.object_tags.is_none(),
            "iam:permissionsboundary" => self.brings_boundary || self.target.is_none(),
            _ => true,
        }
    }

    fn known(&self, key: &str) -> ContextValues<'_> {
        let (name, tag) = match key.split_once('/') {
            Some((name, tag)) => (name, Some(tag)),
            None => (key, None),
        };
        let target = self.target.as_ref();
        match (name, tag) {
            ("aws:currenttime", None) => ContextValues::one(self.now.iso8601()),
            ("aws:epochtime", None) => ContextValues::one(self.now.secs().to_string()),
            ("aws:principalisawsservice" | "aws:viaawsservice", None) => {
                ContextValues::one("false")
            }
            ("aws:principaltag", Some(tag)) => value(self.tags, tag),
            ("aws:resourcetag" | "iam:resourcetag", Some(tag)) => target
                .map_or(ContextValues::Absent, |target| {
                    value(&target.resource_tags, tag)
                }),
            ("s3:existingobjecttag", Some(tag)) => {
                let tags = self.object_tags.iter().copied().flatten();
                ContextValues::of_tag(tags.map(|(key, value)| (&**key, &**value)), tag)
            }
            ("aws:resourceaccount" | "s3:resourceaccount", None) if self.owned => {
                ContextValues::one(&*self.account)
            }
            ("iam:permissionsboundary", None) if self.asks_boundary => {
                ContextValues::optional(self.boundary.as_deref())
            }
            _ => {
                let mut known = self.organization.iter();
                let known = known.find(|(known, _)| *known == key);
                known.map_or(ContextValues::Absent, |(_, values)| values.clone())
            }
        }
    }
}

/// Actions that name a boundary.
const BOUNDING: [&str; 4] = [
    "CreateUser",
    "PutUserPermissionsBoundary",
    "CreateRole",
    "PutRolePermissionsBoundary",
];

/// Actions for which the target's existing boundary is a condition key.
const REGRANT: [&str; 10] = [
    "AttachUserPolicy",
    "DetachUserPolicy",
    "PutUserPolicy",
    "DeleteUserPolicy",
    "DeleteUserPermissionsBoundary",
    "AttachRolePolicy",
    "DetachRolePolicy",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "DeleteRolePermissionsBoundary",
];

impl ContextLookup for SuppliedContext<'_> {
    fn get(&self, key: &str) -> ContextValues<'_> {
        let payload = self.entries.iter();
        let payload = payload.filter(|entry| entry.context_key_name.eq_ignore_ascii_case(key));
        let values: Vec<&str> = payload.map(|entry| &*entry.context_key_value).collect();
        match values.as_slice() {
            [] => self.known(key),
            [only] if !is_list_key(key) => ContextValues::one(*only),
            _ => ContextValues::many(values),
        }
    }
}

fn value<'t>(tags: &'t [Tag], key: &str) -> ContextValues<'t> {
    ContextValues::of_tag(tags.iter().map(|tag| (&*tag.key, &*tag.value)), key)
}
