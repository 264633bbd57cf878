//! Requests to services that answer in JSON, for the sinks that store a key there.
//!
//! Invariants: no response is read without a limit, and a reported error message is short and
//! contains nothing that was sent. For all these sinks, this module decides what a status code
//! means.

use std::fmt::Display;

use keywright_base::{Secret, limits};
use keywright_rotation::ports::{SinkBackup, SinkError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::{
    Serialize,
    de::{Deserialize, DeserializeOwned, Deserializer},
};
use serde_json::Value;

use keywright_aws::http;

/// The maximum length of a service's own message.
const SENTENCE_MAX: usize = 300;
/// From this length on, a word that was also sent is masked.
const WORD_MIN: usize = 8;
/// From this length on, a string in a document that was sent may be a secret of its own.
const PART_MIN: usize = 16;
/// The characters that are percent-encoded in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Encodes a text as a path segment or as a value in a query.
pub(super) fn segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, SEGMENT)
}

/// A service, and the name of the destination for errors.
pub(super) struct RestClient {
    name: String,
    pub(super) http: Client,
    /// For addresses that a cloud serves only to its own machines.
    pub(super) direct: Client,
}

/// A response with its whole body.
pub(super) struct RestResponse {
    pub(super) status: StatusCode,
    body: Secret<Vec<u8>>,
    /// The service's error message, if it is not a success.
    sentence: String,
}

impl RestClient {
    pub(super) fn new(name: &str) -> Result<Self, String> {
        Ok(Self {
            name: name.to_owned(),
            http: http::client(None).map_err(|error| error.to_string())?,
            direct: http::direct_client().map_err(|error| error.to_string())?,
        })
    }

    pub(super) fn never(&self, why: &dyn Display) -> SinkError {
        SinkError::Never(format!("{}: {why}", self.name))
    }

    pub(super) fn later(&self, why: &dyn Display) -> SinkError {
        SinkError::Later(format!("{}: {why}", self.name))
    }

    /// Sends a request. `sent` lists the tokens and values that must not appear in an error.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        sent: &[&str],
    ) -> Result<RestResponse, SinkError> {
        let response = request.send().await;
        let response = response.map_err(|error| self.later(&http::root_of(&error)))?;
        let status = response.status();
        let body = http::body(response, limits::ANSWER_BYTES).await;
        let body = Secret::new(body.map_err(|why| self.later(&why))?);
        let sentence = match status.is_success() {
            true => String::new(),
            false => repeatable(&sentence(body.expose()), sent),
        };
        Ok(RestResponse {
            status,
            body,
            sentence,
        })
    }

    /// Sends a request with an optional JSON body. Neither the token nor anything in `sent` appears
    /// in an error.
    pub(super) async fn send_json(
        &self,
        request: RequestBuilder,
        body: Option<&Value>,
        token: &Secret<String>,
        sent: &[&str],
    ) -> Result<RestResponse, SinkError> {
        let request = match body {
            Some(body) => {
                let json = "application/json";
                request.header("content-type", json).body(body.to_string())
            }
            None => request,
        };
        let all: Vec<&str> = [token.expose().as_str()]
            .into_iter()
            .chain(sent.iter().copied())
            .collect();
        self.send(request, &all).await
    }

    /// Serializes what was found as a backup.
    pub(super) fn backup<T: Serialize>(&self, found: &T) -> Result<SinkBackup, SinkError> {
        let bytes = serde_json::to_vec(found);
        bytes.map(Secret::new).map_err(|error| self.never(&error))
    }

    /// Parses a backup of [`RestClient::backup`].
    pub(super) fn read_backup<T: DeserializeOwned>(
        &self,
        backup: &SinkBackup,
    ) -> Result<T, SinkError> {
        let read = serde_json::from_slice(backup.expose());
        read.map_err(|_| self.never(&"its backup cannot be read"))
    }

    /// The error for a failed call: whether a retry makes sense, the call, and the service's own
    /// message.
    pub(super) fn refused(&self, call: &str, answer: &RestResponse) -> SinkError {
        let status = answer.status;
        let why = format!("{call}: {status} {}", answer.sentence);
        let why = why.trim_end();
        let passing = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT];
        match status.is_server_error() || passing.contains(&status) {
            true => self.later(&why),
            false => self.never(&why),
        }
    }

    /// Parses the body of a success. An unexpected body may come from a proxy, so it is worth a
    /// retry.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        call: &str,
        answer: &RestResponse,
    ) -> Result<T, SinkError> {
        if !answer.status.is_success() {
            return Err(self.refused(call, answer));
        }
        // The error could quote a value.
        let read = serde_json::from_slice(answer.body.expose());
        read.map_err(|_| {
            self.later(&format!(
                "{call}: the response is not what the API documents"
            ))
        })
    }

    /// The body of a success as text.
    pub(super) fn text(
        &self,
        call: &str,
        answer: &RestResponse,
    ) -> Result<Secret<String>, SinkError> {
        if !answer.status.is_success() {
            return Err(self.refused(call, answer));
        }
        let text = std::str::from_utf8(answer.body.expose());
        let text = text.map_err(|_| self.later(&format!("{call}: the response is not text")))?;
        Ok(Secret::new(text.to_owned()))
    }
}

impl RestResponse {
    /// A value in an error body, for cases that the status does not tell apart.
    pub(super) fn code(&self, pointer: &str) -> Option<String> {
        let value: Value = serde_json::from_slice(self.body.expose()).ok()?;
        value.pointer(pointer)?.as_str().map(str::to_owned)
    }
}

/// The error message in a body, in any of the usual places.
fn sentence(body: &[u8]) -> String {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let places = ["/error/message", "/message", "/error_description", "/error"];
    let found = places.iter().find_map(|place| message.pointer(place));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A message without what was sent, without control characters, and of limited length.
fn repeatable(sentence: &str, sent: &[&str]) -> String {
    let parts = sent.iter().flat_map(|sent| sent.split('"'));
    let parts = parts.filter(|part| part.len() >= PART_MIN);
    let all: Vec<&str> = sent.iter().copied().chain(parts).collect();
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | '[' | ']');
    let mut message = String::new();
    for piece in sentence.split_inclusive(ends) {
        let word = piece.trim_end_matches(ends);
        let was_sent =
            |sent: &&str| !sent.is_empty() && (sent.contains(word) || word.contains(*sent));
        if word.len() >= WORD_MIN && all.iter().any(was_sent) {
            message.push_str("[...] ");
        } else {
            message.push_str(piece);
        }
    }
    let plain = message.chars().filter(|c| !c.is_control());
    plain
        .take(SENTENCE_MAX)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Deserializes an optional secret.
pub(super) fn secret<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Secret<String>>, D::Error> {
    Option::<String>::deserialize(from).map(|text| text.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use keywright_base::limits::ANSWER_BYTES;
    use keywright_rotation::ports::SinkError;

    use super::{RestClient, SENTENCE_MAX, repeatable, sentence};
    use crate::testing::{RecordedRequest, serve};

    #[tokio::test]
    async fn an_answer_is_bounded() {
        let answers = |requested: &RecordedRequest| {
            let more = usize::from(requested.line == "GET /more");
            (200, format!("1{}", " ".repeat(ANSWER_BYTES - 1 + more)))
        };
        let url = format!("http://{}", serve(Arc::new(Mutex::new(answers))).await);
        let rest = RestClient::new("r").unwrap();
        let most = rest.http.get(format!("{url}/most"));
        let most = rest.send(most, &[]).await.unwrap();
        assert_eq!(rest.read::<u8>("most", &most), Ok(1));
        let more = rest.http.get(format!("{url}/more"));
        let error = rest.send(more, &[]).await.err().unwrap();
        assert!(
            matches!(&error, SinkError::Later(why) if why.contains("is longer than")),
            "{error}"
        );
    }

    #[test]
    fn what_is_repeated_of_a_refusal() {
        for (body, sent, expected) in [
            (r#"{"message": "404 Not Found"}"#, "", "404 Not Found"),
            (r#"{"error": {"message": "no", "status": "X"}}"#, "", "no"),
            (
                r#"{"error": "invalid_grant", "error_description": "expired"}"#,
                "",
                "expired",
            ),
            (
                r#"{"message": {"value": ["is invalid"]}}"#,
                "",
                r#"{"value":["is invalid"]}"#,
            ),
            (
                r#"{"message": "bad value 'wJalrXUtnFEMI'\n\u0007"}"#,
                r#"{"value": "wJalrXUtnFEMI"}"#,
                "bad value '[...]",
            ),
            (
                r#"{"message": "token=wJalrXUtnFEMI is bad"}"#,
                "wJalrXUtnFEMI",
                "[...] is bad",
            ),
            (
                r#"{"message": "token=wJalrXUtnFEMI/K7MDENG is bad"}"#,
                r#"{"SecretAccessKey":"wJalrXUtnFEMI/K7MDENG"}"#,
                "[...] is bad",
            ),
            ("<html>", "", ""),
            ("[1]", "", ""),
        ] {
            assert_eq!(
                repeatable(&sentence(body.as_bytes()), &[sent]),
                expected,
                "{body}"
            );
        }
        let long = "x".repeat(SENTENCE_MAX);
        assert_eq!(repeatable(&long, &[]), long);
        assert_eq!(repeatable(&format!("{long}x"), &[]), long);
    }
}
