//! Listeners and the request pipeline. The pipeline reads a request, chooses a service by the
//! credential scope, authenticates the caller, runs the action and sends the response.
//!
//! Floor 5. Invariant: every request takes the one path in [`pipeline`]. There is no route around
//! it and no switch that turns authentication off.

pub mod console;
mod edge;
mod identity_providers;
mod origin;
mod payload;
mod pipeline;
mod presigned;
mod proxies;
mod query;
mod request;
mod request_ids;
pub mod rotations;
mod services;
mod storage;
mod system;
mod unsigned;

pub use edge::{ListenAddress, Server, ServerConfig, ServerError, TlsFiles};
pub use identity_providers::{InvalidIssuer, LoopbackIssuer, ProviderFetcher};
pub use origin::{ConsoleListener, InvalidUrl, ListenerOrigin, PublicUrl, bind_console};
pub use pipeline::{Pipeline, ServerParts};
pub use proxies::{InvalidProxy, TrustedProxies, TrustedProxy};
pub use system::{SystemClock, SystemEntropy};

/// The body of every response.
pub type ResponseBody = keywright_s3::S3Body;

/// A body that is in memory.
pub(crate) fn full(bytes: impl Into<bytes::Bytes>) -> ResponseBody {
    use http_body_util::BodyExt;
    http_body_util::Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}
