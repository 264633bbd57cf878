//! A client for IAM and STS, of AWS or of Keywright, with one principal's credentials.
//!
//! [`AccountClient`] finds credentials as every AWS client does, signs requests and sends each
//! once. [`IamIssuer`] builds the rotation's issuer and evidence on top of it. It implements
//! awsQuery itself instead of using an SDK because a rotation needs what SDKs hide: the service's
//! `Date`, a signed header of our own, and the certainty that nothing was sent twice.

mod access;
mod activity;
mod answer;
mod call;
mod credentials;
mod endpoint;
pub mod http;
mod issuer;
mod json;
mod pace;
mod pages;
mod printable;
mod role;
mod settings;
mod sns;
mod tree;
mod within;

pub use self::{
    access::{AccessError, AccountClient, OpeningClient},
    activity::{CallOutcome, KeyActivity, KeyCall, activity},
    answer::{QueryResponse, ResponseRow},
    call::{CallError, QueryService},
    credentials::StandIn,
    endpoint::{KMS, SECRETS_MANAGER, SNS, SSM, ServiceName},
    issuer::{IamIssuer, SESSIONS_POLICY},
    json::{JsonCallError, JsonService},
    pages::PageMarkers,
    printable::{printable, printable_json},
    role::RoleCredentials,
    settings::ClientSettings,
    sns::publish,
    tree::ResponseTree,
    within::{ActingFor, InProcessTransport, SessionCredentials},
};
