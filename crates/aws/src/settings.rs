//! What a user says about whom to ask and as whom, in arguments, the environment and AWS's own
//! files.
//!
//! It protects one rule: an address is found as every AWS client finds it. One that was given in an
//! argument comes first, then one for the service and then one for all, in the environment, then
//! the profile's `services` section, then the profile. What a later process could not know any more
//! is written down with the rotation.

use std::{collections::BTreeMap, path::PathBuf};

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

/// What the user said about whom to ask, and as whom. Everything has AWS's own default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSettings {
    /// A profile; it goes before credentials in the environment.
    pub profile: Option<String>,
    /// The address of all services.
    pub endpoint_url: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// A PEM file of the authorities to trust.
    pub ca_bundle: Option<PathBuf>,
    /// Addresses of single services, by AWS's names for them (`IAM`, `STS`, `CloudTrail`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, String>,
    /// Whether addresses in the environment and in the profile do not count.
    #[serde(skip_serializing_if = "is_false")]
    pub ignore_configured_endpoint_urls: bool,
    /// Whether to ask the FIPS endpoints, whatever the environment and the profile say.
    #[serde(skip_serializing_if = "is_false")]
    pub use_fips_endpoint: bool,
    /// Whether to ask the dual-stack endpoints, whatever the environment and the profile say.
    #[serde(skip_serializing_if = "is_false")]
    pub use_dualstack_endpoint: bool,
    /// The ARN of a role to assume with those credentials.
    pub assume_role: Option<String>,
    /// Whom the server that this process is acts for; nothing else is said then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<ActingFor>,
}

impl ClientSettings {
    /// The services that a rotation asks.
    pub const SERVICES: [ServiceName; 3] = [IAM, STS, CLOUDTRAIL];

    /// To reach the server that this process is, on behalf of someone.
    pub fn acting_for(principal: ActingFor) -> Self {
        Self {
            on_behalf_of: Some(principal),
            ..Self::default()
        }
    }

    /// As text, to be stored with a rotation. There is no secret in it.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From [`Settings::to_text`].
    ///
    /// # Errors
    /// A sentence.
    pub fn from_text(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// With what the environment of this process says of addresses: a later process may run where
    /// it is not. Files are where they are.
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

    /// The address of a service, if one is configured.
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

    /// Where a service is, and whether that is configured.
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

/// The variable with the address of all services; those of single ones begin with it.
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

/// The region to ask.
///
/// # Errors
/// [`AccessError::Region`].
pub(super) fn region(sdk: &SdkConfig) -> Result<&'static str, AccessError> {
    let Some(region) = sdk.region() else {
        return Ok("us-east-1");
    };
    known(region.as_ref()).ok_or_else(|| AccessError::Region(region.as_ref().to_owned()))
}

/// Which endpoints of AWS are wanted.
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

/// AWS's own settings: environment, `~/.aws/config`, profile. `url` is the address of all services
/// that its own clients ask, where it is not the settings'.
pub(super) async fn sdk(settings: &ClientSettings, url: Option<&str>) -> SdkConfig {
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
