//! Listeners and the request pipeline: bytes come in, a service is chosen from the credential
//! scope, the caller is proven, the action carried out, and the answer goes out.
//!
//! Floor 5. It protects one rule: every request takes the one path in [`pipeline`]; there is no
//! route beside it and no switch that turns authentication off.

pub mod console;
mod edge;
mod origin;
mod payload;
mod pipeline;
mod presigned;
mod proxies;
mod query;
pub mod rotations;
mod storage;
mod system;
mod unsigned;

pub use edge::{ListenAddress, Server, ServerConfig, ServerError, TlsFiles};
pub use origin::{InvalidUrl, ListenerOrigin, PublicUrl, bind_console};
pub use pipeline::{Pipeline, ServerParts};
pub use proxies::{InvalidProxy, TrustedProxies, TrustedProxy};
pub use system::{SystemClock, SystemEntropy};

/// The body of every answer.
pub type ResponseBody = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, std::io::Error>;

/// A body that is in memory.
pub(crate) fn full(bytes: impl Into<bytes::Bytes>) -> ResponseBody {
    use http_body_util::BodyExt;
    http_body_util::Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}
