//! A pair whose secret is in a hidden variable, next to an ID that can be read.
//!
//! Invariant: the sink never claims what nobody can read back. GitLab shows neither the value of a
//! hidden variable nor when it was written. So the ID says which pair it is, and a marker variable
//! exists while the two are being written. Without the marker, nobody could tell after a crash
//! whether an old ID still has its secret.

use keywright_rotation::{
    model::{KeyId, KeyPair},
    ports::{RotationPairs, SinkError},
};

use super::{TwoVariables, VariablePair, VariableValues, api::GitlabVariable};

impl TwoVariables {
    /// The name of the marker variable, which says which key is being written.
    pub(super) fn mark_name(&self) -> String {
        format!("KEYWRIGHT_{}", self.secret)
    }

    /// The marker variable, and the key that is being written.
    async fn mark(&self) -> Result<(Option<GitlabVariable>, Option<KeyId>), SinkError> {
        let mark = self.api.get(&self.mark_name()).await?;
        let value = mark.as_ref().and_then(|mark| mark.value.as_ref());
        let key = value.map(|value| KeyId(value.expose().clone()));
        Ok((mark, key))
    }

    /// Writes a pair: the marker, then the secret, then the ID.
    async fn write_hidden(
        &self,
        now: &VariablePair,
        mark: Option<GitlabVariable>,
        pair: &KeyPair,
    ) -> Result<(), SinkError> {
        let (name, id) = (self.mark_name(), Some(pair.id.0.as_str()));
        self.api.set(&name, mark.as_ref(), id).await?;
        let secret = Some(pair.secret.expose().as_str());
        self.api
            .set(&self.secret, now.secret.as_ref(), secret)
            .await?;
        self.api.set(&self.id, now.id.as_ref(), id).await?;
        self.unmark().await
    }

    async fn unmark(&self) -> Result<(), SinkError> {
        let (mark, _) = self.mark().await?;
        self.api.set(&self.mark_name(), mark.as_ref(), None).await
    }

    pub(super) async fn commit_hidden(
        &self,
        now: &VariablePair,
        before: &VariableValues,
        new: &KeyPair,
    ) -> Result<(), SinkError> {
        let (mark, key) = self.mark().await?;
        if key.is_some_and(|key| key != new.id && Some(&key.0) != before.id.as_ref()) {
            return Err(self.foreign(&now.values(), before, new));
        }
        if mark.is_none() && now.values().id.as_ref() == Some(&new.id.0) {
            return Ok(());
        }
        self.write_hidden(now, mark, new).await
    }

    pub(super) async fn restore_hidden(
        &self,
        now: &VariablePair,
        before: &VariableValues,
        pairs: RotationPairs<'_>,
    ) -> Result<(), SinkError> {
        let (mark, key) = self.mark().await?;
        if key.is_some_and(|key| key != pairs.new.id && Some(&key.0) != before.id.as_ref()) {
            return Err(self.foreign(&now.values(), before, pairs.new));
        }
        if mark.is_none() && now.values().id == before.id {
            return Ok(());
        }
        match pairs
            .old
            .filter(|old| Some(&old.id.0) == before.id.as_ref())
        {
            Some(old) => self.write_hidden(now, mark, old).await,
            None => Err(self.by_hand(mark.is_some())),
        }
    }

    /// The old secret cannot be read back, so a person must set it.
    fn by_hand(&self, marked: bool) -> SinkError {
        let (id, secret) = (&self.id, &self.secret);
        let unmark = match marked {
            true => format!("delete the variable {}, ", self.mark_name()),
            false => String::new(),
        };
        self.api.rest.never(&format!(
            "the old secret is unknown: set {secret} and {id} to the old key by hand, {unmark}and \
             release the rotation"
        ))
    }
}
