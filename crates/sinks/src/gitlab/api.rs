//! The part of GitLab's variables API that the sink uses.
//!
//! Invariant: a write sends only a value, and fails if another attribute of the variable changed
//! with it.

use keywright_base::Secret;
use keywright_rotation::{model::KeyId, ports::SinkError};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use zeroize::Zeroize;

use super::EVERYWHERE;
use crate::rest::{RestClient, RestResponse, secret, segment};
use keywright_aws::http;

/// Variables per page of a listing, and the maximum number of pages.
const PAGE: usize = 100;
const PAGES_MAX: usize = 20;

/// A variable in GitLab's response.
#[derive(Deserialize)]
pub(super) struct GitlabVariable {
    key: String,
    #[serde(default, deserialize_with = "secret")]
    pub(super) value: Option<Secret<String>>,
    #[serde(default)]
    pub(super) hidden: bool,
    /// Whether GitLab leaves a `$` in the value alone. GitLab before 15.7 always expands.
    #[serde(default)]
    raw: bool,
    /// Missing if the installation does not have scopes.
    environment_scope: Option<String>,
    variable_type: Option<String>,
    #[serde(default)]
    protected: bool,
    #[serde(default)]
    masked: bool,
}

impl GitlabVariable {
    fn scope(&self) -> &str {
        self.environment_scope.as_deref().unwrap_or(EVERYWHERE)
    }

    pub(super) fn warning(&self) -> Option<String> {
        (!self.masked).then(|| format!("{} is not masked: job logs may show it", self.key))
    }

    /// The attributes that a write must not change.
    fn attributes(&self) -> (Option<&str>, &str, [bool; 4]) {
        let switches = [self.protected, self.masked, self.hidden, self.raw];
        (self.variable_type.as_deref(), self.scope(), switches)
    }
}

/// The variables of one project or group.
pub(super) struct GitlabApi {
    pub(super) rest: RestClient,
    url: String,
    token: Secret<String>,
    path: String,
    scope: String,
    /// `/projects/…` or `/groups/…`, once it is known which of them the path is.
    folder: OnceCell<String>,
}

impl GitlabApi {
    pub(super) fn at(
        name: &str,
        api: &str,
        token: Secret<String>,
        (path, scope): (&str, &str),
    ) -> Result<Self, String> {
        let mut url = http::address(api).map_err(|why| format!("GITLAB_API_URL: {why}"))?;
        if url.path() == "/" {
            url.set_path("/api/v4");
        }
        Ok(Self {
            rest: RestClient::new(name)?,
            url: url.as_str().trim_end_matches('/').to_owned(),
            token,
            path: path.to_owned(),
            scope: scope.to_owned(),
            folder: OnceCell::new(),
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&Value, &str)>,
    ) -> Result<RestResponse, SinkError> {
        let url = Url::parse(&format!("{}{path}", self.url));
        let url = url.map_err(|error| self.rest.never(&error))?;
        let request = self.rest.http.request(method, url);
        let request = request.bearer_auth(self.token.expose());
        let (body, sent): (Option<&Value>, &[&str]) = match &body {
            Some((body, value)) => (Some(body), &[value]),
            None => (None, &[]),
        };
        self.rest.send_json(request, body, &self.token, sent).await
    }

    /// Finds out whether the path is a project or a group, which share a namespace.
    async fn folder(&self) -> Result<&str, SinkError> {
        let found = self.folder.get_or_try_init(|| async {
            for kind in ["projects", "groups"] {
                let folder = format!("/{kind}/{}", segment(&self.path));
                let answer = self.send(Method::GET, &folder, None).await?;
                match answer.status {
                    StatusCode::NOT_FOUND => {}
                    status if status.is_success() => return Ok(folder),
                    _ => return Err(self.rest.refused(&format!("GET {folder}"), &answer)),
                }
            }
            let none = "there is no such project or group, or the token is not allowed to see it";
            Err(self.rest.never(&none))
        });
        found.await.map(String::as_str)
    }

    /// The API path of a variable in its scope.
    async fn of(&self, key: &str) -> Result<String, SinkError> {
        let folder = self.folder().await?;
        let scope = segment(&self.scope);
        Ok(format!(
            "{folder}/variables/{key}?filter%5Benvironment_scope%5D={scope}"
        ))
    }

    /// A variable whose value is what a pipeline gets. A hidden one comes without its value.
    pub(super) async fn get(&self, key: &str) -> Result<Option<GitlabVariable>, SinkError> {
        let path = self.of(key).await?;
        let answer = self.send(Method::GET, &path, None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let found: GitlabVariable = self.rest.read(&format!("GET {path}"), &answer)?;
        if found.key != key || found.scope() != self.scope {
            // An older GitLab ignores the scope filter for groups.
            return match found.key == key {
                true => Ok(None),
                false => Err(self.rest.later(&"GitLab returned a different variable")),
            };
        }
        self.check_expansion(
            &found,
            found.value.as_ref().map(|value| value.expose().as_str()),
        )?;
        Ok(Some(found))
    }

    /// A variable whose value must be readable.
    pub(super) async fn read(&self, key: &str) -> Result<Option<GitlabVariable>, SinkError> {
        let found = self.get(key).await?;
        if found.as_ref().is_none_or(|found| found.value.is_some()) {
            return Ok(found);
        }
        let why = format!(
            "{key} is hidden: GitLab reveals neither its value nor when it was written, so changes \
             by other users could not be detected; recreate it as a masked variable"
        );
        Err(self.rest.never(&why))
    }

    /// Rejects a value that GitLab would expand, so that a pipeline would get a different one.
    fn check_expansion(
        &self,
        found: &GitlabVariable,
        value: Option<&str>,
    ) -> Result<(), SinkError> {
        if found.raw || !value.is_some_and(|value| value.contains('$')) {
            return Ok(());
        }
        let key = &found.key;
        let why = format!(
            "the value of {key} contains a $, which GitLab expands; turn off the expansion first"
        );
        Err(self.rest.never(&why))
    }

    /// Sets a variable, or removes it if `value` is `None`. `there` is what [`GitlabApi::get`]
    /// found.
    pub(super) async fn set(
        &self,
        key: &str,
        there: Option<&GitlabVariable>,
        value: Option<&str>,
    ) -> Result<(), SinkError> {
        if let Some(there) = there {
            self.check_expansion(there, value)?;
        }
        let path = self.of(key).await?;
        let (method, path, body) = match (there, value) {
            (None, None) => return Ok(()),
            (Some(_), None) => (Method::DELETE, path, Value::Null),
            (Some(_), Some(value)) => (Method::PUT, path, json!({ "value": value })),
            // The defaults of GitLab's own form, plus masked.
            (None, Some(value)) => {
                let folder = format!("{}/variables", self.folder().await?);
                let body = json!({
                    "key": key, "value": value, "environment_scope": self.scope,
                    "masked": true, "protected": true, "raw": true,
                });
                (Method::POST, folder, body)
            }
        };
        let call = format!("{method} {path}");
        let is_removal = method == Method::DELETE;
        let sent = value.map(|value| (&body, value));
        let answer = self.send(method, &path, sent).await?;
        let mut body = body;
        if let Some(Value::String(value)) = body.get_mut("value") {
            value.zeroize();
        }
        if is_removal {
            let gone = answer.status == StatusCode::NOT_FOUND || answer.status.is_success();
            return match gone {
                true => Ok(()),
                false => Err(self.rest.refused(&call, &answer)),
            };
        }
        let now: GitlabVariable = self.rest.read(&call, &answer)?;
        match there {
            Some(there) if there.attributes() != now.attributes() => {
                let why = format!("{key} was written, but GitLab changed its attributes");
                Err(self.rest.never(&why))
            }
            _ => Ok(()),
        }
    }

    /// All variables, up to the maximum number of pages.
    async fn list(&self) -> Result<Vec<GitlabVariable>, SinkError> {
        let folder = self.folder().await?;
        let mut all = Vec::new();
        for page in 1..=PAGES_MAX {
            let path = format!("{folder}/variables?per_page={PAGE}&page={page}");
            let answer = self.send(Method::GET, &path, None).await?;
            let found: Vec<GitlabVariable> = self.rest.read(&format!("GET {path}"), &answer)?;
            let last = found.len() < PAGE;
            all.extend(found);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// The other variables, named as in a destination, with the values that can be read.
    pub(super) async fn others(
        &self,
        own: &[&str],
    ) -> Result<Vec<(String, Option<KeyId>)>, SinkError> {
        let all = self.list().await?.into_iter();
        let others = all.filter(|it| it.scope() != self.scope || !own.contains(&it.key.as_str()));
        let others = others.map(|it| {
            let value = it.value.as_ref().map(|value| KeyId(value.expose().clone()));
            match it.scope() == self.scope {
                true => (it.key, value),
                false => (format!("{}@{}", it.key, it.scope()), value),
            }
        });
        Ok(others.collect())
    }

    /// Checks the token's scopes. Reading requires the same role as writing, but not the same
    /// scope.
    pub(super) async fn check_scopes(&self) -> Result<(), SinkError> {
        let path = "/personal_access_tokens/self";
        let answer = self.send(Method::GET, path, None).await?;
        let Ok(token) = self.rest.read::<TokenScopes>(path, &answer) else {
            // An OAuth token is not a personal access token.
            return Ok(());
        };
        if token.scopes.iter().any(|scope| scope == "api") {
            return Ok(());
        }
        let scopes = token.scopes.join(", ");
        let why = format!("the token has the scopes {scopes}, but writing variables requires api");
        Err(self.rest.never(&why))
    }
}

#[derive(Deserialize)]
struct TokenScopes {
    scopes: Vec<String>,
}
