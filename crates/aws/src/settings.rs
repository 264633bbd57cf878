//! Settings for reaching a service: arguments, environment variables and AWS's own files.
//!
//! An endpoint is found as every AWS client finds it. Precedence: the argument; the environment
//! variable of the service, then the one for all services; the profile's `services` section; the
//! profile. What a later process could no longer find out is stored with the rotation.

use std::{collections::BTreeMap, path::PathBuf, pin::Pin};

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::service_config::ServiceConfigKey;
use serde::{Deserialize, Serialize};

use super::{
    access::AccessError,
    endpoint::{
        CLOUDTRAIL, EndpointVariant, IAM, STS, ServiceEndpoint, ServiceName, home, known, of_aws,
    },
    within::ActingFor,
};

/// Endpoint, region and credentials as the user gave them. Every field has AWS's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSettings {
    /// The profile. It takes precedence over credentials in the environment.
    pub profile: Option<String>,
    /// The endpoint of all services.
    pub endpoint_url: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// A PEM file with the CAs to trust.
    pub ca_bundle: Option<PathBuf>,
    /// Endpoints of single services, by AWS's service IDs (`IAM`, `STS`, `CloudTrail`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, String>,
    /// Whether to ignore endpoints in the environment and in the profile.
    #[serde(skip_serializing_if = "is_false")]
    pub ignore_configured_endpoint_urls: bool,
    /// Whether to use FIPS endpoints, whatever the environment and the profile say.
    #[serde(skip_serializing_if = "is_false")]
    pub use_fips_endpoint: bool,
    /// Whether to use dual-stack endpoints, whatever the environment and the profile say.
    #[serde(skip_serializing_if = "is_false")]
    pub use_dualstack_endpoint: bool,
    /// The ARN of a role to assume with those credentials.
    pub assume_role: Option<String>,
    /// The principal on whose behalf the server in this process acts. No other field is set then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<ActingFor>,
}

impl ClientSettings {
    /// The services that a rotation calls.
    pub const SERVICES: [ServiceName; 3] = [IAM, STS, CLOUDTRAIL];

    /// Settings for the server in this process, on behalf of a principal.
    pub fn acting_for(principal: ActingFor) -> Self {
        Self {
            on_behalf_of: Some(principal),
            ..Self::default()
        }
    }

    /// Serializes the settings to be stored with a rotation. They contain no secret.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Parses the output of [`ClientSettings::to_text`].
    ///
    /// # Errors
    /// A message.
    pub fn from_text(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Adds the endpoints from this process's environment: a later process may run without it.
    /// Files stay available.
    pub async fn with_environment(mut self) -> Self {
        let sdk = sdk(&self, None).await;
        self.use_fips_endpoint |= sdk.use_fips() == Some(true);
        self.use_dualstack_endpoint |= sdk.use_dual_stack() == Some(true);
        if self.endpoint_url.is_some() {
            return self;
        }
        for service in Self::SERVICES {
            let Some(url) = in_environment(service) else {
                continue;
            };
            if self.configured(service, &sdk).is_some() {
                self.endpoints.insert(service.id.to_owned(), url);
            } else {
                self.ignore_configured_endpoint_urls = true;
            }
        }
        self
    }

    /// The configured endpoint of a service, if any.
    pub(super) fn configured(&self, service: ServiceName, sdk: &SdkConfig) -> Option<String> {
        let given = self.endpoint_url.as_ref();
        let given = given.or_else(|| self.endpoints.get(service.id)).cloned();
        if given.is_some() || self.ignore_configured_endpoint_urls {
            return given;
        }
        let key = ServiceConfigKey::builder()
            .service_id(service.id)
            .env(ENDPOINT_VARIABLE)
            .profile("endpoint_url")
            .build();
        let by_service = sdk.service_config()?.load_config(key.ok()?);
        by_service.or_else(|| sdk.endpoint_url().map(str::to_owned))
    }

    /// The endpoint of a service, and whether it is configured.
    ///
    /// # Errors
    /// [`AccessError::Region`], [`AccessError::Address`].
    pub(super) fn endpoint(
        &self,
        service: ServiceName,
        sdk: &SdkConfig,
    ) -> Result<(ServiceEndpoint, bool), AccessError> {
        let region = region(sdk)?;
        let Some(url) = self.configured(service, sdk) else {
            return Ok((of_aws(service, region, variant(sdk)), false));
        };
        let endpoint = ServiceEndpoint {
            url: address(&url)?.to_owned(),
            region: if service == IAM { home(region) } else { region },
        };
        Ok((endpoint, true))
    }
}

/// The variable with the endpoint of all services, and the prefix of those for single services.
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL";

fn in_environment(service: ServiceName) -> Option<String> {
    let id = service.id.to_uppercase().replace([' ', '-'], "_");
    let variable = |name: &str| {
        #[expect(
            clippy::disallowed_methods,
            reason = "AWS's variables, read where every client reads them"
        )]
        let value = std::env::var(name).ok();
        value.filter(|value| !value.is_empty())
    };
    variable(&format!("{ENDPOINT_VARIABLE}_{id}")).or_else(|| variable(ENDPOINT_VARIABLE))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// The configured region.
///
/// # Errors
/// [`AccessError::Region`].
pub(super) fn region(sdk: &SdkConfig) -> Result<&'static str, AccessError> {
    let Some(region) = sdk.region() else {
        return Ok("us-east-1");
    };
    known(region.as_ref()).ok_or_else(|| AccessError::Region(region.as_ref().to_owned()))
}

/// The configured endpoint variant.
pub(super) fn variant(sdk: &SdkConfig) -> EndpointVariant {
    EndpointVariant {
        fips: sdk.use_fips() == Some(true),
        dual_stack: sdk.use_dual_stack() == Some(true),
    }
}

pub(super) fn address(url: &str) -> Result<&str, AccessError> {
    let plain = url.trim_end_matches('/');
    let authority = plain.split_once("://").filter(|(scheme, authority)| {
        matches!(*scheme, "http" | "https")
            && !authority.is_empty()
            && !authority.contains(['/', '@'])
    });
    match authority {
        Some(_) => Ok(plain),
        None => Err(AccessError::Address(url.to_owned())),
    }
}

/// Loads AWS's own settings: environment, `~/.aws/config`, profile. `url` is the endpoint for the
/// SDK's own clients if it differs from that of the settings.
///
/// Boxed, as is [`OpeningClient`](crate::OpeningClient).
pub(super) fn sdk<'a>(settings: &'a ClientSettings, url: Option<&'a str>) -> LoadingConfig<'a> {
    Box::pin(load(settings, url))
}

type LoadingConfig<'a> = Pin<Box<dyn Future<Output = SdkConfig> + Send + 'a>>;

async fn load(settings: &ClientSettings, url: Option<&str>) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Ok(name) = AppName::new("keywright") {
        loader = loader.app_name(name);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = url.or(settings.endpoint_url.as_deref()) {
        loader = loader.endpoint_url(url);
    }
    if settings.use_fips_endpoint {
        loader = loader.use_fips(true);
    }
    if settings.use_dualstack_endpoint {
        loader = loader.use_dual_stack(true);
    }
    loader.load().await
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses() {
        for (url, good) in [
            ("http://127.0.0.1:8787", true),
            ("http://127.0.0.1:8787/", true),
            ("https://iam.example.org", true),
            ("http://[::1]:8787", true),
            ("127.0.0.1:8787", false),
            ("ftp://127.0.0.1", false),
            ("http://127.0.0.1/path", false),
            ("http://user@127.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(address(url).is_ok(), good, "{url}");
        }
    }
}
