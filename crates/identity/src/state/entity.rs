//! Entities: what an account's state consists of, and the changes that lead from one snapshot to
//! the next.
//!
//! A noun is declared once, in its own file: its fields, its stored form, and how a snapshot
//! indexes it. A row in [`ENTITIES`] makes stored records of its kind readable.
//!
//! Invariant: domain types are not serializable. Each entity has a stored form with types of its
//! own, so that the two can change independently.

use std::{borrow::Cow, collections::HashSet, fmt, marker::PhantomData, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use keywright_base::{AccessKeyId, AccountId, FoldedName, Timestamp, UniqueId};
use keywright_store::contract::{RecordWrite, StateRecord};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Account, AccountCreation, AccountSettings, CredentialReport, CustomerPolicy, DeletionTask,
    Group, InstanceProfile, KeyMaterial, MemberAccount, MfaDevice, OpenIdProvider, Organization,
    OrganizationLink, OrganizationPolicy, OrganizationalUnit, Role, RootUser, RotationPolicy,
    SamlProvider, ServerCertificate, ServiceCredential, SigningCertificate, SshPublicKey, Tag,
    User,
};
use crate::vault::SealedValue;

/// The kinds of stored records, one for each type of entity.
pub(crate) const ENTITIES: &[EntityKind] = &[
    EntityKind::of::<User>(),
    EntityKind::of::<Role>(),
    EntityKind::of::<InstanceProfile>(),
    EntityKind::of::<DeletionTask>(),
    EntityKind::of::<Group>(),
    EntityKind::of::<CustomerPolicy>(),
    EntityKind::of::<MfaDevice>(),
    EntityKind::of::<RotationPolicy>(),
    EntityKind::of::<RootUser>(),
    EntityKind::of::<AccountSettings>(),
    EntityKind::of::<CredentialReport>(),
    EntityKind::of::<SshPublicKey>(),
    EntityKind::of::<SigningCertificate>(),
    EntityKind::of::<ServiceCredential>(),
    EntityKind::of::<ServerCertificate>(),
    EntityKind::of::<SamlProvider>(),
    EntityKind::of::<OpenIdProvider>(),
    EntityKind::of::<Organization>(),
    EntityKind::of::<OrganizationalUnit>(),
    EntityKind::of::<MemberAccount>(),
    EntityKind::of::<OrganizationPolicy>(),
    EntityKind::of::<AccountCreation>(),
    EntityKind::of::<OrganizationLink>(),
];

/// A type of which an account's state consists.
pub(crate) trait Entity: fmt::Debug + Send + Sync + Sized + 'static {
    /// The kind of its stored records.
    const KIND: &'static str;
    /// What identifies it in its account: `()` for what exists once.
    type Id: RecordId;
    /// Its stored form. Secrets in it are sealed, passwords hashed.
    type Record: Serialize + DeserializeOwned + for<'a> From<&'a Self>;

    /// Its identifier.
    fn entity_id(&self) -> Self::Id;

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`RecordError`] if a value in it does not parse.
    fn restore(
        record: Self::Record,
        reader: &mut RecordReader<'_, '_>,
    ) -> Result<Self, RecordError>;

    /// Adds it to a snapshot and its indexes, replacing the one with the same identifier.
    fn insert(account: &mut Account, entity: &Arc<Self>);
}

/// The identifier of what exists once.
const ONLY: &str = "-";

/// What identifies an entity in its account.
pub(crate) trait RecordId: fmt::Debug + Send + Sync {
    /// The identifier as the store writes it.
    fn as_stored(&self) -> Cow<'_, str>;
}

impl RecordId for () {
    fn as_stored(&self) -> Cow<'_, str> {
        Cow::Borrowed(ONLY)
    }
}

impl RecordId for String {
    fn as_stored(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl RecordId for UniqueId {
    fn as_stored(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.as_str())
    }
}

impl RecordId for FoldedName {
    fn as_stored(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.as_str())
    }
}

impl RecordId for AccountId {
    fn as_stored(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }
}

/// An entity that can be deleted.
pub(crate) trait RemovableEntity: Entity {
    /// Removes it from a snapshot and its indexes, if it is there.
    fn remove(account: &mut Account, id: &Self::Id);
}

/// One step from a snapshot to the next.
#[derive(Debug, Clone)]
pub struct StateChange(Arc<dyn ChangeStep>);

impl StateChange {
    /// Adds an entity, or replaces the one with the same identifier.
    pub(crate) fn put<E: Entity>(entity: E) -> Self {
        Self::put_shared(Arc::new(entity))
    }

    /// The same for an entity that is also used elsewhere.
    pub(crate) fn put_shared<E: Entity>(entity: Arc<E>) -> Self {
        Self(Arc::new(Put(entity)))
    }

    /// Adds or replaces a user, for load generators that fill an installation.
    pub fn put_user(user: User) -> Self {
        Self::put(user)
    }

    /// Removes an entity.
    pub(crate) fn delete<E: RemovableEntity>(id: E::Id) -> Self {
        Self(Arc::new(Delete::<E> {
            id,
            entity: PhantomData,
        }))
    }

    pub(super) fn apply(&self, account: &mut Account) {
        self.0.apply(account);
    }

    /// The write that makes the change durable.
    ///
    /// # Errors
    /// [`RecordError`] if the entity cannot be encoded.
    pub(crate) fn encode(&self) -> Result<RecordWrite, RecordError> {
        self.0.encode()
    }

    /// Reads a stored record as the change that puts its entity.
    ///
    /// # Errors
    /// [`RecordError`] for an unknown kind or a body that does not parse.
    pub(crate) fn decode(
        record: &StateRecord,
        context: &mut LoadContext<'_>,
    ) -> Result<Self, RecordError> {
        let mut reader = RecordReader { record, context };
        let kind = ENTITIES.iter().find(|kind| kind.name == record.kind);
        let kind = kind.ok_or_else(|| reader.error("unknown kind"))?;
        (kind.decode)(&mut reader)
    }
}

/// A row of [`ENTITIES`].
pub(crate) struct EntityKind {
    name: &'static str,
    decode: fn(&mut RecordReader<'_, '_>) -> Result<StateChange, RecordError>,
}

impl EntityKind {
    const fn of<E: Entity>() -> Self {
        Self {
            name: E::KIND,
            decode: |reader| {
                let record = reader.parse::<E::Record>()?;
                Ok(StateChange::put(E::restore(record, reader)?))
            },
        }
    }
}

trait ChangeStep: fmt::Debug + Send + Sync {
    fn apply(&self, account: &mut Account);
    fn encode(&self) -> Result<RecordWrite, RecordError>;
}

#[derive(Debug)]
struct Put<E>(Arc<E>);

impl<E: Entity> ChangeStep for Put<E> {
    fn apply(&self, account: &mut Account) {
        E::insert(account, &self.0);
    }

    fn encode(&self) -> Result<RecordWrite, RecordError> {
        let id = self.0.entity_id().as_stored().into_owned();
        match serde_json::to_vec(&E::Record::from(&*self.0)) {
            Ok(body) => Ok(RecordWrite::Put(StateRecord {
                kind: E::KIND.to_owned(),
                id,
                body,
            })),
            Err(error) => Err(RecordError {
                kind: E::KIND.to_owned(),
                id,
                why: error.to_string(),
            }),
        }
    }
}

#[derive(Debug)]
struct Delete<E: Entity> {
    id: E::Id,
    entity: PhantomData<fn() -> E>,
}

impl<E: RemovableEntity> ChangeStep for Delete<E> {
    fn apply(&self, account: &mut Account) {
        E::remove(account, &self.id);
    }

    fn encode(&self) -> Result<RecordWrite, RecordError> {
        Ok(RecordWrite::Delete {
            kind: E::KIND.to_owned(),
            id: self.id.as_stored().into_owned(),
        })
    }
}

/// A stored record that this program cannot read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot read the stored record {kind}/{id}: {why}")]
pub struct RecordError {
    /// The record's kind.
    pub kind: String,
    /// The record's id.
    pub id: String,
    /// What was wrong, without any of its content.
    pub why: String,
}

/// What the records of an account share while they are read.
#[derive(Debug, Default)]
pub(crate) struct LoadContext<'a> {
    /// The ARNs read so far, each of which is stored once: many users have the same policies.
    arns: HashSet<Arc<str>>,
    /// The snapshot that is replaced, if any.
    before: Option<&'a Account>,
}

impl<'a> LoadContext<'a> {
    /// For an account that replaces this snapshot.
    pub(crate) fn replacing(before: Option<&'a Account>) -> Self {
        Self {
            arns: HashSet::new(),
            before,
        }
    }
}

/// Reads values of a stored record.
#[derive(Debug)]
pub(crate) struct RecordReader<'r, 'a> {
    record: &'r StateRecord,
    context: &'r mut LoadContext<'a>,
}

impl RecordReader<'_, '_> {
    fn parse<T: DeserializeOwned>(&self) -> Result<T, RecordError> {
        serde_json::from_slice(&self.record.body).map_err(|error| {
            // The category and position only: the message could quote the content.
            let (category, column) = (error.classify(), error.column());
            self.error(&format!("{category:?} at column {column}"))
        })
    }

    pub(super) fn error(&self, why: &str) -> RecordError {
        RecordError {
            kind: self.record.kind.clone(),
            id: self.record.id.clone(),
            why: why.to_owned(),
        }
    }

    pub(super) fn id<T: std::str::FromStr>(&self, text: &str) -> Result<T, RecordError> {
        text.parse().map_err(|_| self.error("an id does not parse"))
    }

    pub(super) fn sealed(&self, text: &str) -> Result<SealedValue, RecordError> {
        let bytes = BASE64_STANDARD.decode(text);
        let bytes = bytes.map_err(|_| self.error("a sealed secret is not base64"))?;
        Ok(SealedValue::from_bytes(&bytes))
    }

    /// What is in memory of a key goes on when its account is read again: when its use was
    /// recorded, and the signing keys derived from its secret.
    pub(super) fn key_material(&self, id: AccessKeyId, sealed: SealedValue) -> Arc<KeyMaterial> {
        let before = self.context.before.and_then(|account| account.key(id));
        match before.map(|(_, key)| &key.material) {
            Some(known) if *known.sealed() == sealed => Arc::clone(known),
            Some(known) => Arc::new(known.resealed(sealed)),
            None => Arc::new(KeyMaterial::new(sealed)),
        }
    }

    pub(super) fn arn(&mut self, arn: &str) -> Arc<str> {
        let arns = &mut self.context.arns;
        if let Some(known) = arns.get(arn) {
            return Arc::clone(known);
        }
        let new: Arc<str> = arn.into();
        arns.insert(Arc::clone(&new));
        new
    }
}

pub(super) const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A stored tag.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TagRecord(String, String);

pub(super) fn tag_records(tags: &[Tag]) -> Vec<TagRecord> {
    tags.iter()
        .map(|tag| TagRecord(tag.key.clone(), tag.value.clone()))
        .collect()
}

pub(super) fn restore_tags(tags: Vec<TagRecord>) -> Vec<Tag> {
    tags.into_iter()
        .map(|TagRecord(key, value)| Tag { key, value })
        .collect()
}
