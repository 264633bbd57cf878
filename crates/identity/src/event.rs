//! One event per request: who called what, on which resources, and with which outcome.
//!
//! A request has an [`EventDraft`] from its arrival to its response. The layers on its path add
//! what they find out, and the pipeline completes the draft once the outcome is known and before
//! the response is sent. A draft that is dropped, because the client has gone away, completes
//! itself. What the server remembers of requests is a [`Projection`] of their events.
//!
//! Invariants:
//!
//! - Each draft yields exactly one [`RequestEvent`].
//! - A verified caller is obtained only through a draft ([`EventDraft::admit`]), so that no request
//!   runs without an event.
//! - An event borrows what the request has anyway; what is derived, is derived by who reads it.
//! - The `Debug` form of an event contains no secrets and nothing of a body.

mod operation;
mod record;

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use keywright_base::{AccessKeyId, Timestamp, UniqueId};
use keywright_sigv4::SigningKey;

pub use self::{
    operation::{ConsoleOperation, EventOperation, S3Operation},
    record::{EventResource, RequestRecord},
};
use crate::{
    authenticate::{AuthFailure, AuthenticatedCaller, KeyUse},
    caller::Caller,
    denials::DeniedRequest,
    principal::Principal,
    state::KeyMaterial,
    view::{RequestContext, SignedContext},
};

/// Something that the server remembers of requests.
///
/// It is called on the threads that serve requests, so it must not wait.
pub trait Projection: Send + Sync {
    /// The signature of a request was verified; now the request runs, which may take hours.
    fn verified(&self, _credential: &CredentialUse<'_>) {}

    /// The outcome of a request is known. Its response has not been sent.
    fn completed(&self, event: &RequestEvent<'_>);

    /// Whether it reads [`RequestEvent::resources`]. They are collected only if a projection does.
    fn reads_resources(&self) -> bool {
        false
    }
}

/// Where the events of requests go.
pub struct RequestEvents {
    projections: Vec<Arc<dyn Projection>>,
    with_resources: bool,
}

impl std::fmt::Debug for RequestEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RequestEvents({} projections)", self.projections.len())
    }
}

impl RequestEvents {
    pub(crate) fn new(projections: Vec<Arc<dyn Projection>>) -> Self {
        let with_resources = projections.iter().any(|it| it.reads_resources());
        Self {
            projections,
            with_resources,
        }
    }

    /// Begins the event of a request that has just arrived.
    pub fn begin(&self, request_id: String, context: RequestContext) -> EventDraft<'_> {
        EventDraft {
            events: self,
            record: Arc::new(RequestRecord::new(request_id, context, self.with_resources)),
            is_completed: false,
        }
    }

    pub(crate) fn verified(&self, credential: &CredentialUse<'_>) {
        for projection in &self.projections {
            projection.verified(credential);
        }
    }

    fn completed(&self, event: &RequestEvent<'_>) {
        for projection in &self.projections {
            projection.completed(event);
        }
    }
}

/// The use of a credential whose signature was verified.
#[derive(Debug)]
pub struct CredentialUse<'a> {
    /// The credential.
    pub credential: UsedCredential<'a>,
    /// The purpose of the use.
    pub key_use: KeyUse,
    /// When the request arrived.
    pub at: Timestamp,
    /// The service in the signature.
    pub service: &'a str,
    /// The region in the signature.
    pub region: &'a str,
}

/// A credential as the record of uses distinguishes them.
#[derive(Debug)]
pub enum UsedCredential<'a> {
    /// A user's or root's access key.
    AccessKey(AccessKeyId, &'a KeyMaterial),
    /// The session of a role.
    Role(UniqueId),
    /// Another session. Its use is that of the key from which it was issued.
    Session,
}

/// The event of a request in progress.
#[derive(Debug)]
pub struct EventDraft<'a> {
    events: &'a RequestEvents,
    record: Arc<RequestRecord>,
    is_completed: bool,
}

impl EventDraft<'_> {
    /// What is known of the request.
    pub const fn record(&self) -> &Arc<RequestRecord> {
        &self.record
    }

    /// Makes an authenticated caller the caller of this request, reports the use of its credential,
    /// and returns the signing key. A request is admitted once; later calls change nothing.
    pub fn admit(
        &self,
        authenticated: AuthenticatedCaller,
        idempotency_token: Option<String>,
    ) -> Option<SigningKey> {
        self.events.verified(&authenticated.credential_use());
        let (_, region) = authenticated.service_and_region();
        let signed = SignedContext {
            region,
            idempotency_token,
        };
        let AuthenticatedCaller {
            caller,
            signing_key,
            ..
        } = authenticated;
        self.record.admit(caller, signed);
        signing_key
    }

    /// Notes that a request needs no signature, and the region in which it is carried out in place
    /// of that of a signature.
    pub fn admit_unsigned(&self, region: &'static str) {
        self.record.note_signed(SignedContext {
            region,
            idempotency_token: None,
        });
    }

    /// Notes why a request was not authenticated.
    pub fn reject(&self, failure: &AuthFailure) {
        self.record.note_failure(failure);
    }

    /// Emits the event. The response must not have been sent.
    pub fn complete(mut self, outcome: RequestOutcome) {
        self.emit(outcome);
    }

    fn emit(&mut self, outcome: RequestOutcome) {
        self.is_completed = true;
        self.events.completed(&RequestEvent {
            record: &self.record,
            outcome,
        });
    }
}

impl Drop for EventDraft<'_> {
    fn drop(&mut self) {
        if !self.is_completed {
            self.emit(RequestOutcome::Abandoned);
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestOutcome {
    /// It was carried out.
    Succeeded,
    /// It was answered with an error.
    Failed {
        /// The HTTP status.
        status: u16,
        /// The error code, for example `AccessDenied`.
        code: Cow<'static, str>,
    },
    /// The client did not wait for a response. Whether anything was done is unknown.
    Abandoned,
}

/// One request and what became of it.
pub struct RequestEvent<'a> {
    record: &'a RequestRecord,
    outcome: RequestOutcome,
}

impl<'a> RequestEvent<'a> {
    /// The request ID. Responses of IAM, STS, the extension and S3 carry it.
    pub fn request_id(&self) -> &'a str {
        &self.record.request_id
    }

    /// The request's time, source address, user agent and TLS; the region, if it was verified.
    pub const fn context(&self) -> &'a RequestContext {
        &self.record.context
    }

    /// The operation.
    pub fn operation(&self) -> &'a EventOperation {
        self.record.operation()
    }

    /// Whether the operation only reads. `false` for one that is not understood.
    pub fn is_read_only(&self) -> bool {
        self.operation().is_read_only()
    }

    /// Who was proven to call, by a signature or by the session of a console.
    pub fn principal(&self) -> Option<&'a Principal> {
        self.record.principal()
    }

    /// The caller, if a signature proved it.
    pub fn caller(&self) -> Option<&'a Caller> {
        self.record.caller()
    }

    /// The key whose signature was correct although the key is inactive, or became so while the
    /// request ran.
    pub fn inactive_key(&self) -> Option<AccessKeyId> {
        self.record.inactive_key()
    }

    /// The resources on which the request was authorized, up to
    /// [`EVENT_RESOURCES`](keywright_base::limits::EVENT_RESOURCES). For a sign-in, the identity
    /// that the client claims to be, if it exists.
    pub fn resources(&self) -> Vec<EventResource> {
        self.record.resources()
    }

    /// The denial, with what decided it.
    ///
    /// Some questions of S3 only shape a response (may tags be counted?), so there a denial counts
    /// only if it became the response, or in DeleteObjects, which reports denials in a successful
    /// response of its own.
    pub fn denial(&self) -> Option<&'a Arc<DeniedRequest>> {
        let is_answered = match self.operation() {
            EventOperation::S3(operation) => {
                operation.is_post()
                    || matches!(self.outcome, RequestOutcome::Failed { status: 403, .. })
            }
            EventOperation::Action(_)
            | EventOperation::Unsigned(_)
            | EventOperation::Claimed { .. }
            | EventOperation::Console(_)
            | EventOperation::Unread => true,
        };
        self.record.denial().filter(|_| is_answered)
    }

    /// The outcome.
    pub const fn outcome(&self) -> &RequestOutcome {
        &self.outcome
    }

    /// The client's address.
    pub const fn source_address(&self) -> IpAddr {
        self.record.context.source_address
    }
}

impl std::fmt::Debug for RequestEvent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arn = self.principal().map(|principal| principal.arn().as_str());
        f.debug_struct("RequestEvent")
            .field("request_id", &self.request_id())
            .field("at", &self.context().now.iso8601())
            .field("operation", &format_args!("{}", self.operation()))
            .field("principal", &arn)
            .field("key", &self.caller().map(Caller::key))
            .field("inactive_key", &self.inactive_key())
            .field("source_address", &self.source_address())
            .field("resources", &self.resources())
            .field("denied", &self.denial().map(|denial| &denial.message))
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
