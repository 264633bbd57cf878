//! Tokens of Microsoft Entra ID for a key vault: from a client secret, a workload's federated
//! token, or the machine's managed identity.
//!
//! The order and the environment variables are those of Azure's own libraries. They are not used
//! here because they bring their own HTTP client, without our limits.

use std::{path::PathBuf, sync::Arc};

use keywright_base::{Clock, Secret};
use keywright_rotation::ports::SinkError;

use crate::{
    bearer::{BearerToken, TokenAnswer, form},
    rest::{RestClient, segment},
};
use keywright_aws::http;

/// The endpoint for tokens of the machine's managed identity.
const IMDS: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

enum AzureCredentialSource {
    /// A client of a tenant, with its secret.
    ClientSecret(Secret<String>),
    /// A client of a tenant, with another issuer's token from a file that is renewed from outside.
    FederatedToken(PathBuf),
    /// The managed identity of the machine.
    Imds { url: String },
    /// The managed identity of an App Service or a Function.
    AppService { url: String, header: Secret<String> },
}

/// The identity that calls the vault.
pub(super) struct AzureCredentials {
    source: AzureCredentialSource,
    /// The tenant's token endpoint.
    token_url: String,
    client_id: Option<String>,
    /// The resource that a token is for, for example `https://vault.azure.net`.
    resource: String,
    bearer: BearerToken,
}

/// Looks up a variable by name; empty ones count as unset.
pub(super) type EnvLookup<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

impl AzureCredentials {
    /// Credentials from the environment. `authority` is the token authority of the vault's cloud.
    pub(super) fn find(
        variable: EnvLookup<'_>,
        authority: &str,
        resource: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let authority = variable("AZURE_AUTHORITY_HOST").unwrap_or_else(|| authority.to_owned());
        http::address(&authority).map_err(|why| format!("AZURE_AUTHORITY_HOST: {why}"))?;
        let client_id = variable("AZURE_CLIENT_ID");
        let tenant = variable("AZURE_TENANT_ID");
        let client = client_id.is_some() && tenant.is_some();
        let source = match (
            variable("AZURE_CLIENT_SECRET"),
            variable("AZURE_FEDERATED_TOKEN_FILE"),
        ) {
            (Some(secret), _) if client => AzureCredentialSource::ClientSecret(Secret::new(secret)),
            (_, Some(file)) if client => AzureCredentialSource::FederatedToken(PathBuf::from(file)),
            (None, None) => managed_identity(variable),
            _ => {
                let why = "AZURE_CLIENT_SECRET and AZURE_FEDERATED_TOKEN_FILE require \
                           AZURE_TENANT_ID and AZURE_CLIENT_ID";
                return Err(why.to_owned());
            }
        };
        let tenant = tenant.unwrap_or_default();
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        if !tenant.chars().all(good) {
            return Err(format!("AZURE_TENANT_ID: {tenant} is not a valid tenant"));
        }
        let authority = authority.trim_end_matches('/');
        Ok(Self {
            source,
            token_url: format!("{authority}/{tenant}/oauth2/v2.0/token"),
            client_id,
            resource: resource.to_owned(),
            bearer: BearerToken::new(Arc::clone(clock)),
        })
    }

    /// A token that is valid for at least a short time.
    pub(super) async fn token(&self, rest: &RestClient) -> Result<Secret<String>, SinkError> {
        self.bearer.token(self.ask(rest)).await
    }

    async fn ask(&self, rest: &RestClient) -> Result<TokenAnswer, SinkError> {
        match &self.source {
            AzureCredentialSource::ClientSecret(secret) => {
                self.ask_tenant(rest, &[("client_secret", secret.expose())])
                    .await
            }
            AzureCredentialSource::FederatedToken(path) => {
                let token = tokio::fs::read_to_string(path).await.map(Secret::new);
                let unreadable = |error| rest.never(&format!("{}: {error}", path.display()));
                let token = token.map_err(unreadable)?;
                let fields = [
                    ("client_assertion_type", ASSERTION),
                    ("client_assertion", token.expose().trim()),
                ];
                self.ask_tenant(rest, &fields).await
            }
            AzureCredentialSource::Imds { url } => {
                let url = format!("{url}?api-version=2018-02-01{}", self.identity());
                let request = rest.direct.get(url).header("metadata", "true");
                let answer = rest.send(request, &[]).await.map_err(|error| {
                    rest.later(&format!(
                        "no Azure credentials found in AZURE_CLIENT_SECRET or \
                         AZURE_FEDERATED_TOKEN_FILE, and no managed identity is available: {error}"
                    ))
                })?;
                rest.read("a token of the managed identity", &answer)
            }
            AzureCredentialSource::AppService { url, header } => {
                let url = format!("{url}?api-version=2019-08-01{}", self.identity());
                let request = rest.direct.get(url);
                let request = request.header("x-identity-header", header.expose());
                let answer = rest.send(request, &[header.expose()]).await?;
                rest.read("a token of the managed identity", &answer)
            }
        }
    }

    /// The query: the resource and, if the machine has several identities, the client ID.
    fn identity(&self) -> String {
        let resource = segment(&self.resource);
        match &self.client_id {
            Some(id) => format!("&resource={resource}&client_id={}", segment(id)),
            None => format!("&resource={resource}"),
        }
    }

    async fn ask_tenant(
        &self,
        rest: &RestClient,
        proof: &[(&str, &str)],
    ) -> Result<TokenAnswer, SinkError> {
        let scope = format!("{}/.default", self.resource);
        let mut fields = vec![
            ("client_id", self.client_id.as_deref().unwrap_or_default()),
            ("scope", &scope),
            ("grant_type", "client_credentials"),
        ];
        fields.extend(proof);
        let request = rest.http.post(&self.token_url);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(form(&fields).expose().clone());
        let sent: Vec<&str> = proof.iter().map(|(_, value)| *value).collect();
        let answer = rest.send(request, &sent).await?;
        rest.read("a token of Microsoft Entra ID", &answer)
    }

    /// Uses another endpoint for the machine's managed identity.
    #[cfg(test)]
    pub(super) fn imds_at(mut self, address: &str) -> Self {
        if let AzureCredentialSource::Imds { url } = &mut self.source {
            address.clone_into(url);
        }
        self
    }
}

fn managed_identity(variable: EnvLookup<'_>) -> AzureCredentialSource {
    match (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER")) {
        (Some(url), Some(header)) => AzureCredentialSource::AppService {
            url,
            header: Secret::new(header),
        },
        _ => AzureCredentialSource::Imds {
            url: IMDS.to_owned(),
        },
    }
}
