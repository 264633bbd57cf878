//! Publishes to an Amazon SNS topic: one signed request, sent once.

use keywright_base::Clock;

use super::{
    access::AccessError,
    call::{QueryCall, QueryService, Transport, call},
    credentials::fetch,
    endpoint::SNS,
    settings::{ClientSettings, sdk},
};
use crate::http;

/// Publishes with the credentials of one of the settings, in the region and at the endpoint of the
/// other, which takes precedence over everything configured for SNS.
///
/// # Errors
/// [`AccessError`].
pub async fn publish(
    credentials: &ClientSettings,
    topic: &ClientSettings,
    parameters: &[(&str, &str)],
    clock: &dyn Clock,
) -> Result<(), AccessError> {
    let own = topic.endpoint_url.clone();
    let there = ClientSettings {
        region: topic.region.clone(),
        endpoint_url: own.or_else(|| credentials.endpoint_url.clone()),
        ..credentials.clone()
    };
    let (endpoint, _) = there.endpoint(SNS, &sdk(&there, None).await)?;
    let keys = fetch(credentials, &sdk(credentials, None).await, None).await?;
    let way = Transport::Network(http::client(credentials.ca_bundle.as_deref())?);
    let query = QueryCall::new(QueryService::Sns, "Publish", parameters);
    call(&way, &endpoint, &keys, &query, clock).await?;
    Ok(())
}
