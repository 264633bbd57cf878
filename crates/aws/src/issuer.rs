//! IAM as a rotation's issuer of keys and as its evidence of their use.
//!
//! Invariant: each response of the service maps to exactly what it means. An access-denied error
//! names the missing action, a lost reply to a change stays unknown, and "never used" is reported
//! only if the service says so.

use std::sync::Arc;

use async_trait::async_trait;
use keywright_base::{Secret, Timestamp};
use keywright_rotation::{
    model::{KeyId, KeyPair},
    ports::{
        IamKeyStatus, InactiveKeyAttempt, Issuer, IssuerError, IssuerUser, KeyCheck, KeyListing,
        KeyOwnership, ListedKey, ObservedUse, UsageEvidence,
    },
};
use serde_json::json;

use super::{
    AccountClient,
    answer::{QueryResponse, ResponseRow},
    call::{CallError, QueryCall, QueryService},
};

/// The signed header that makes CreateAccessKey idempotent on Keywright.
const IDEMPOTENCY_HEADER: &str = "x-keywright-idempotency-token";
/// The inline policy that denies everything to a user's older sessions. The name is specific to
/// Keywright, so it replaces no one else's policy.
pub const SESSIONS_POLICY: &str = "KeywrightRevokeOlderSessions";
/// How long AWS may not find an existing user, in seconds. IAM changes reach all of its servers
/// within seconds, and waiting for minutes costs nothing.
const AWS_LAGS_SECS: i64 = 240;

/// The delay with which AWS shows a use, in seconds: it publishes up to four hours late and records
/// the first use in each quarter of an hour.
const AWS_BLIND_SECS: i64 = 4 * 3600 + 15 * 60;

/// The IAM of one account.
#[derive(Debug, Clone)]
pub struct IamIssuer(pub Arc<AccountClient>);

/// Maps a failed call to what it means for a rotation.
fn meant(action: &'static str, changes: bool) -> impl Fn(CallError) -> IssuerError {
    move |error| match error {
        error if error.is_throttling() => IssuerError::Throttled,
        CallError::Unknown { .. } if changes => IssuerError::Unknown(error.to_string()),
        CallError::Refused { status, .. } if changes && status >= 500 => {
            IssuerError::Unknown(error.to_string())
        }
        CallError::Unreachable { .. } | CallError::Unknown { .. } | CallError::Impossible(_) => {
            IssuerError::Unreachable(error.to_string())
        }
        CallError::Refused { code, message, .. } => match code.as_str() {
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
                IssuerError::Denied { action, message }
            }
            _ => IssuerError::Refused { code, message },
        },
    }
}

/// Like [`meant`], for calls about a user that may not exist.
fn about_user(error: IssuerError, user: &str) -> IssuerError {
    match error {
        IssuerError::Refused { code, .. } if code == "NoSuchEntity" => {
            IssuerError::NoSuchUser(user.to_owned())
        }
        other => other,
    }
}

/// Like [`about_user`], for calls about a user's key. Either may be missing, and the message says
/// which. A message that names neither is about the key.
fn about_key(error: IssuerError, user: &str, key: &KeyId) -> IssuerError {
    match error {
        IssuerError::Refused { code, message } if code == "NoSuchEntity" => {
            if message.contains(&key.0) || !message.contains("user") {
                IssuerError::NoSuchKey(key.clone())
            } else {
                IssuerError::NoSuchUser(user.to_owned())
            }
        }
        other => other,
    }
}

fn unreadable(what: &str) -> IssuerError {
    IssuerError::Unreachable(format!("the answer has no {what} that can be read"))
}

fn time(row: &ResponseRow, name: &str) -> Result<Timestamp, IssuerError> {
    let text = row.get(name).ok_or_else(|| unreadable(name))?;
    Timestamp::parse_iso8601(text).map_err(|_| unreadable(name))
}

fn text(row: &ResponseRow, name: &str) -> Result<String, IssuerError> {
    row.get(name).cloned().ok_or_else(|| unreadable(name))
}

fn listed(row: &ResponseRow) -> Result<ListedKey, IssuerError> {
    Ok(ListedKey {
        id: KeyId(text(row, "AccessKeyId")?),
        status: match row.get("Status").map(String::as_str) {
            Some("Active") => IamKeyStatus::Active,
            Some("Inactive") => IamKeyStatus::Inactive,
            _ => return Err(unreadable("Status")),
        },
        created: time(row, "CreateDate")?,
    })
}

/// The use in a GetAccessKeyUse response, if there is one.
fn exact_use(fields: &ResponseRow, audience: &str) -> Result<Option<ObservedUse>, IssuerError> {
    let name = |what: &str| format!("{audience}{what}");
    if !fields.contains_key(&name("LastUsedDate")) {
        return Ok(None);
    }
    Ok(Some(ObservedUse {
        at: time(fields, &name("LastUsedDate"))?,
        service: text(fields, &name("ServiceName"))?,
        region: text(fields, &name("Region"))?,
    }))
}

impl IamIssuer {
    /// The owner and the last use of a key.
    async fn key_last_used(&self, key: &KeyId) -> Result<QueryResponse, IssuerError> {
        let action = "GetAccessKeyLastUsed";
        let parameters = [("AccessKeyId", key.0.as_str())];
        let response = self.0.read(QueryService::Iam, action, &parameters).await;
        response.map_err(meant("iam:GetAccessKeyLastUsed", false))
    }

    /// Each use of a key to the second. Only Keywright provides this.
    async fn key_use(&self, key: &KeyId) -> Result<QueryResponse, IssuerError> {
        let parameters = [("AccessKeyId", key.0.as_str())];
        let response = self
            .0
            .read(QueryService::Keywright, "GetAccessKeyUse", &parameters);
        response
            .await
            .map_err(meant("keywright:GetAccessKeyUse", false))
    }

    /// AWS cannot revoke a user's sessions. As its console does for roles, attach a policy that
    /// denies everything to sessions issued earlier; it does not affect long-term keys. The policy
    /// is not removed: after a day and a half the last of these sessions has expired, and it no
    /// longer has any effect.
    async fn deny_sessions(&self, user: &str, before: Timestamp) -> Result<String, IssuerError> {
        let before = before.iso8601();
        let document = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Deny",
                "Action": ["*"],
                "Resource": ["*"],
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": before}},
            }],
        });
        let parameters = [
            ("UserName", user),
            ("PolicyName", SESSIONS_POLICY),
            ("PolicyDocument", &document.to_string()),
        ];
        let name = ("iam:PutUserPolicy", "PutUserPolicy");
        let done = self.change(name, &parameters).await;
        done.map_err(|error| about_user(error, user))?;
        Ok(format!(
            "sessions of {user} that were issued before {before} are denied everything, by its \
             inline policy {SESSIONS_POLICY}"
        ))
    }

    async fn change(
        &self,
        (policy_action, action): (&'static str, &'static str),
        parameters: &[(&str, &str)],
    ) -> Result<QueryResponse, IssuerError> {
        let query = QueryCall::new(QueryService::Iam, action, parameters);
        let answered = self.0.once(&query).await;
        Ok(answered.map_err(meant(policy_action, true))?.answer)
    }
}

#[async_trait]
impl Issuer for IamIssuer {
    async fn user(&self, name: &str) -> Result<IssuerUser, IssuerError> {
        let parameters = [("UserName", name)];
        let response = self.0.read(QueryService::Iam, "GetUser", &parameters);
        let answer = response.await.map_err(meant("iam:GetUser", false));
        let answer = answer.map_err(|error| about_user(error, name))?;
        let tags = answer.rows.iter();
        let tags = tags.map(|tag| {
            Ok((
                text(tag, "Key")?,
                tag.get("Value").cloned().unwrap_or_default(),
            ))
        });
        Ok(IssuerUser {
            id: text(&answer.fields, "UserId")?,
            arn: text(&answer.fields, "Arn")?,
            name: text(&answer.fields, "UserName")?,
            tags: tags.collect::<Result<_, IssuerError>>()?,
        })
    }

    async fn keys(&self, user: &str) -> Result<KeyListing, IssuerError> {
        let parameters = [("UserName", user)];
        let query = QueryCall::new(QueryService::Iam, "ListAccessKeys", &parameters);
        let response = self.0.read_at(&query).await;
        let response = response.map_err(meant("iam:ListAccessKeys", false));
        let answered = response.map_err(|error| about_user(error, user))?;
        let keys = answered.answer.rows.iter().map(listed);
        Ok(KeyListing {
            keys: keys.collect::<Result<_, _>>()?,
            at: answered.at,
        })
    }

    async fn create(&self, user: &str, token: &str) -> Result<(KeyPair, Timestamp), IssuerError> {
        let parameters = [("UserName", user)];
        let query = QueryCall {
            service: QueryService::Iam,
            action: "CreateAccessKey",
            parameters: &parameters,
            header: self.repeats_create().then_some((IDEMPOTENCY_HEADER, token)),
        };
        let response = self
            .0
            .once(&query)
            .await
            .map_err(meant("iam:CreateAccessKey", true));
        let mut answered = response.map_err(|error| match error {
            IssuerError::Refused { code, .. } if code == "LimitExceeded" => IssuerError::TwoKeys,
            other => about_user(other, user),
        })?;
        let fields = &mut answered.answer.fields;
        // From here the key exists: an unreadable response leaves it behind.
        let lost = |what| IssuerError::Unknown(format!("the answer has no {what}"));
        let secret = fields.remove("SecretAccessKey").map(Secret::new);
        let pair = KeyPair {
            id: KeyId(
                fields
                    .remove("AccessKeyId")
                    .ok_or_else(|| lost("AccessKeyId"))?,
            ),
            secret: secret.ok_or_else(|| lost("SecretAccessKey"))?,
        };
        let created = time(fields, "CreateDate").unwrap_or(answered.at);
        Ok((pair, created))
    }

    fn repeats_create(&self) -> bool {
        self.0.is_keywright()
    }

    fn lags_secs(&self) -> i64 {
        if self.0.is_keywright() {
            0
        } else {
            AWS_LAGS_SECS
        }
    }

    async fn set_status(
        &self,
        user: &str,
        key: &KeyId,
        status: IamKeyStatus,
    ) -> Result<(), IssuerError> {
        let status = match status {
            IamKeyStatus::Active => "Active",
            IamKeyStatus::Inactive => "Inactive",
        };
        let parameters = [
            ("UserName", user),
            ("AccessKeyId", &key.0),
            ("Status", status),
        ];
        let name = ("iam:UpdateAccessKey", "UpdateAccessKey");
        let done = self.change(name, &parameters).await;
        done.map(drop).map_err(|error| about_key(error, user, key))
    }

    async fn delete(&self, user: &str, key: &KeyId) -> Result<(), IssuerError> {
        let parameters = [("UserName", user), ("AccessKeyId", &key.0)];
        let name = ("iam:DeleteAccessKey", "DeleteAccessKey");
        let done = self.change(name, &parameters).await;
        done.map(drop).map_err(|error| about_key(error, user, key))
    }

    async fn end_sessions(
        &self,
        user: &str,
        key: &KeyId,
        before: Timestamp,
    ) -> Result<String, IssuerError> {
        if !self.0.is_keywright() {
            return self.deny_sessions(user, before).await;
        }
        let parameters = [("AccessKeyId", &*key.0)];
        let query = QueryCall::new(QueryService::Keywright, "EndAccessKeySessions", &parameters);
        let done = self.0.once(&query).await;
        done.map_err(meant("keywright:EndAccessKeySessions", true))?;
        Ok(format!("the sessions that {key} has minted are ended"))
    }

    async fn tag(&self, user: &str, key: &str, value: &str) -> Result<(), IssuerError> {
        let parameters = [
            ("UserName", user),
            ("Tags.member.1.Key", key),
            ("Tags.member.1.Value", value),
        ];
        let done = self.change(("iam:TagUser", "TagUser"), &parameters).await;
        done.map(drop).map_err(|error| about_user(error, user))
    }

    async fn untag(&self, user: &str, key: &str) -> Result<(), IssuerError> {
        let parameters = [("UserName", user), ("TagKeys.member.1", key)];
        let done = self
            .change(("iam:UntagUser", "UntagUser"), &parameters)
            .await;
        done.map(drop).map_err(|error| about_user(error, user))
    }

    async fn verify(&self, pair: &KeyPair, endpoint: usize) -> Result<KeyCheck, IssuerError> {
        match self.0.who_is(pair, endpoint).await {
            Ok(identity) => Ok(KeyCheck::Accepted(identity)),
            Err(error) if error.is_unknown_key() => Ok(KeyCheck::NotKnown),
            Err(error) => Err(meant("sts:GetCallerIdentity", false)(error)),
        }
    }

    fn endpoints(&self) -> usize {
        self.0.sts_endpoints()
    }

    fn signer(&self) -> Option<KeyId> {
        self.0.signer()
    }

    fn has_adopted(&self) -> bool {
        self.0.has_adopted()
    }

    fn adopt(&self, pair: &KeyPair) {
        self.0.adopt(Some(pair));
    }

    fn revert(&self) {
        self.0.adopt(None);
    }
}

#[async_trait]
impl UsageEvidence for IamIssuer {
    async fn owner(&self, key: &KeyId) -> Result<KeyOwnership, IssuerError> {
        match self.key_last_used(key).await {
            Ok(answer) => {
                let name = answer.fields.get("UserName").cloned();
                Ok(name.map_or(KeyOwnership::Undisclosed, KeyOwnership::User))
            }
            Err(IssuerError::Refused { code, .. }) if code == "NoSuchEntity" => {
                Ok(KeyOwnership::Nobody)
            }
            // AWS's response for keys it does not know, even to administrators.
            Err(IssuerError::Denied { .. }) => Ok(KeyOwnership::Undisclosed),
            Err(error) => Err(error),
        }
    }

    async fn last_use(&self, key: &KeyId) -> Result<Option<ObservedUse>, IssuerError> {
        if self.0.is_keywright() {
            return exact_use(&self.key_use(key).await?.fields, "");
        }
        let answer = self.key_last_used(key).await?;
        let fields = &answer.fields;
        if !fields.contains_key("LastUsedDate") {
            // AWS says so explicitly. A response without these words proves nothing.
            return match fields.get("ServiceName").map(String::as_str) {
                Some("N/A") => Ok(None),
                _ => Err(unreadable("LastUsedDate")),
            };
        }
        Ok(Some(ObservedUse {
            at: time(fields, "LastUsedDate")?,
            service: text(fields, "ServiceName")?,
            region: text(fields, "Region")?,
        }))
    }

    async fn consumer_use(&self, key: &KeyId) -> Result<Option<Option<ObservedUse>>, IssuerError> {
        if !self.0.is_keywright() {
            return Ok(None);
        }
        let fields = self.key_use(key).await?.fields;
        exact_use(&fields, "Consumer").map(Some)
    }

    fn blind_secs(&self) -> i64 {
        if self.0.is_keywright() {
            0
        } else {
            AWS_BLIND_SECS
        }
    }

    async fn attempts(&self, key: &KeyId) -> Result<Option<Vec<InactiveKeyAttempt>>, IssuerError> {
        if !self.0.is_keywright() {
            return Ok(None);
        }
        let parameters = [("AccessKeyId", key.0.as_str())];
        let response = self.0.read(
            QueryService::Keywright,
            "ListAccessKeyAttempts",
            &parameters,
        );
        let answer = response
            .await
            .map_err(meant("keywright:ListAccessKeyAttempts", false))?;
        let attempts = answer.rows.iter().map(|row| {
            Ok(InactiveKeyAttempt {
                at: time(row, "LastAttempt")?,
                count: text(row, "Count")?
                    .parse()
                    .map_err(|_| unreadable("Count"))?,
                source_address: text(row, "SourceAddress")?,
                user_agent: row.get("UserAgent").cloned().unwrap_or_default(),
                action: text(row, "Action")?,
            })
        });
        Ok(Some(attempts.collect::<Result<_, IssuerError>>()?))
    }
}
