//! GitLab's API of variables, as far as the sink uses it.
//!
//! It protects one rule: a write sends a value and nothing else, and is an error if another
//! attribute of the variable changed with it.

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

/// Variables on a page of a listing, and how many pages are looked through.
const PAGE: usize = 100;
const PAGES_MAX: usize = 20;

/// A variable as GitLab answers with it.
#[derive(Deserialize)]
pub(super) struct GitlabVariable {
    key: String,
    #[serde(default, deserialize_with = "secret")]
    pub(super) value: Option<Secret<String>>,
    #[serde(default)]
    pub(super) hidden: bool,
    /// Whether a `$` in it is no reference to another variable; GitLab before 15.7 always expands.
    #[serde(default)]
    raw: bool,
    /// Missing where scopes are not a feature of the installation.
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

    /// What a write must leave as it is.
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
    /// `/projects/…` or `/groups/…`, once that is known.
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

    /// Whether the path is a project's or a group's: the two share their names.
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
            let none = "there is no such project or group, or the token may not see it";
            Err(self.rest.never(&none))
        });
        found.await.map(String::as_str)
    }

    /// The path of a variable in its scope.
    async fn of(&self, key: &str) -> Result<String, SinkError> {
        let folder = self.folder().await?;
        let scope = segment(&self.scope);
        Ok(format!(
            "{folder}/variables/{key}?filter%5Benvironment_scope%5D={scope}"
        ))
    }

    /// A variable whose value is what a pipeline gets; of a hidden one without it.
    pub(super) async fn get(&self, key: &str) -> Result<Option<GitlabVariable>, SinkError> {
        let path = self.of(key).await?;
        let answer = self.send(Method::GET, &path, None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let found: GitlabVariable = self.rest.read(&format!("GET {path}"), &answer)?;
        if found.key != key || found.scope() != self.scope {
            // An older GitLab does not know the filter for groups.
            return match found.key == key {
                true => Ok(None),
                false => Err(self.rest.later(&"another variable was answered with")),
            };
        }
        self.check_expansion(
            &found,
            found.value.as_ref().map(|value| value.expose().as_str()),
        )?;
        Ok(Some(found))
    }

    /// A variable whose value must be read.
    pub(super) async fn read(&self, key: &str) -> Result<Option<GitlabVariable>, SinkError> {
        let found = self.get(key).await?;
        if found.as_ref().is_none_or(|found| found.value.is_some()) {
            return Ok(found);
        }
        let why = format!(
            "{key} is hidden: GitLab shows neither its value nor when it was written, so nobody \
             could tell what another user writes; make it again as a masked variable"
        );
        Err(self.rest.never(&why))
    }

    /// A value that a pipeline would get in another form is neither read nor written.
    fn check_expansion(
        &self,
        found: &GitlabVariable,
        value: Option<&str>,
    ) -> Result<(), SinkError> {
        if found.raw || !value.is_some_and(|value| value.contains('$')) {
            return Ok(());
        }
        let key = &found.key;
        let why = format!("{key} has a $ in its value, which GitLab expands; turn that off first");
        Err(self.rest.never(&why))
    }

    /// Sets a variable to a value, or removes it; `there` is what [`Api::get`] found.
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
            // As GitLab's own form proposes it, and masked.
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
                let why = format!("{key} was written, and GitLab changed its attributes");
                Err(self.rest.never(&why))
            }
            _ => Ok(()),
        }
    }

    /// Every variable, as far as the pages go.
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

    /// Variables beside these, as a person writes them, and the values of those that can be read.
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

    /// Reading takes the same role as writing; whether the token's scopes allow it is another
    /// question.
    pub(super) async fn check_scopes(&self) -> Result<(), SinkError> {
        let path = "/personal_access_tokens/self";
        let answer = self.send(Method::GET, path, None).await?;
        let Ok(token) = self.rest.read::<TokenScopes>(path, &answer) else {
            // An OAuth token is none of these.
            return Ok(());
        };
        if token.scopes.iter().any(|scope| scope == "api") {
            return Ok(());
        }
        let scopes = token.scopes.join(", ");
        let why = format!("the token has the scopes {scopes}; writing variables takes api");
        Err(self.rest.never(&why))
    }
}

#[derive(Deserialize)]
struct TokenScopes {
    scopes: Vec<String>,
}
