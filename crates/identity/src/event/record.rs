//! What is known of a request while it runs.
//!
//! Each fact is noted once, by the layer that finds it out; later notes change nothing. All layers
//! of a request share one record, also on other threads.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use keywright_base::{AccessKeyId, AccountId, limits};

use super::EventOperation;
use crate::{
    authenticate::AuthFailure,
    caller::Caller,
    denials::{DenialEvidence, DeniedRequest},
    principal::Principal,
    view::{RequestContext, SignedContext},
};

/// A resource on which a request was authorized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventResource {
    /// Its ARN, or `*`.
    pub arn: String,
    /// The account that owns it, if it is known.
    pub account: Option<AccountId>,
}

/// What is known of a request.
#[derive(Debug)]
pub struct RequestRecord {
    /// The request ID.
    pub request_id: String,
    /// The context from the request's head.
    pub context: RequestContext,
    operation: OnceLock<EventOperation>,
    caller: OnceLock<Caller>,
    /// The principal of a console session.
    signed_in: OnceLock<Principal>,
    inactive_key: OnceLock<AccessKeyId>,
    denial: OnceLock<Arc<DeniedRequest>>,
    /// `None` if nobody reads them.
    resources: Option<Mutex<Vec<EventResource>>>,
}

impl RequestRecord {
    pub(super) fn new(request_id: String, context: RequestContext, with_resources: bool) -> Self {
        Self {
            request_id,
            context,
            operation: OnceLock::new(),
            caller: OnceLock::new(),
            signed_in: OnceLock::new(),
            inactive_key: OnceLock::new(),
            denial: OnceLock::new(),
            resources: with_resources.then(Mutex::default),
        }
    }

    /// Notes the operation.
    pub fn note_operation(&self, operation: EventOperation) {
        let _ = self.operation.set(operation);
    }

    /// The operation.
    pub fn operation(&self) -> &EventOperation {
        self.operation.get().unwrap_or(&EventOperation::Unread)
    }

    pub(crate) fn admit(&self, caller: Caller, signed: SignedContext) {
        self.note_signed(signed);
        let _ = self.caller.set(caller);
    }

    pub(super) fn note_signed(&self, signed: SignedContext) {
        let _ = self.context.signed.set(signed);
    }

    /// The verified caller. `None` for an anonymous request of S3, and before a request is
    /// admitted.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.get()
    }

    /// Notes whose console session a request belongs to.
    pub fn note_session(&self, principal: Principal) {
        let _ = self.signed_in.set(principal);
    }

    pub(super) fn principal(&self) -> Option<&Principal> {
        let caller = self.caller().map(Caller::principal);
        caller.or_else(|| self.signed_in.get())
    }

    /// Notes why a caller is not accepted, or not any more. Only the use of an inactive key leaves
    /// a trace.
    pub fn note_failure(&self, failure: &AuthFailure) {
        if let Some(key) = failure.inactive {
            let _ = self.inactive_key.set(key);
        }
    }

    pub(super) fn inactive_key(&self) -> Option<AccessKeyId> {
        self.inactive_key.get().copied()
    }

    /// Whether a denial was noted.
    pub fn is_denied(&self) -> bool {
        self.denial.get().is_some()
    }

    /// Notes a denial. Only the first one of a request counts.
    pub fn note_denial(&self, message: &str, evidence: DenialEvidence) {
        self.denial.get_or_init(|| {
            Arc::new(DeniedRequest {
                request_id: self.request_id.clone(),
                at: self.context.now,
                source_address: self.context.source_address,
                message: message.to_owned(),
                evidence,
            })
        });
    }

    pub(super) fn denial(&self) -> Option<&Arc<DeniedRequest>> {
        self.denial.get()
    }

    /// Notes a resource on which the request is authorized.
    pub fn note_resource(&self, arn: &str, account: Option<AccountId>) {
        let Some(resources) = &self.resources else {
            return;
        };
        let mut resources = resources.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = resources.iter().any(|resource| resource.arn == arn);
        if !is_known && resources.len() < limits::EVENT_RESOURCES {
            resources.push(EventResource {
                arn: arn.to_owned(),
                account,
            });
        }
    }

    pub(super) fn resources(&self) -> Vec<EventResource> {
        let resources = self.resources.as_ref();
        resources.map_or_else(Vec::new, |resources| {
            let resources = resources.lock().unwrap_or_else(PoisonError::into_inner);
            resources.clone()
        })
    }
}
