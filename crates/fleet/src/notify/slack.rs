//! `slack:env:NAME` or `slack:file:/PATH`: a Slack incoming webhook, whose URL is a secret.
//!
//! Names and reasons are untrusted, so the text is escaped as Slack requires: mentions
//! (`<!channel>`), links and markup appear literally.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::{
    Channel, DispatchContext, NoticeMessage,
    post::{PostUrl, post},
};

/// The maximum length of Slack's error code, for example `no_service`, in characters.
const CODE_CHARS: usize = 60;

/// An incoming webhook.
struct SlackChannel(PostUrl);

pub(super) fn parse(text: &str) -> Result<Arc<dyn Channel>, String> {
    Ok(Arc::new(SlackChannel(PostUrl::parse_secret(text)?)))
}

/// Escapes `<`, `>` and `&`.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The request body.
fn payload(message: &NoticeMessage<'_>) -> String {
    let text = match message.notices {
        [_] => message.text(),
        _ => format!("{}\n\n{}", message.title(), message.text()),
    };
    let payload = json!({
        "text": escape(&text),
        "mrkdwn": false,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    });
    payload.to_string()
}

#[async_trait]
impl Channel for SlackChannel {
    fn label(&self) -> String {
        self.0.to_string()
    }

    fn check(&self) -> Result<(), String> {
        self.0.url().map(drop)
    }

    async fn send(
        &self,
        message: &NoticeMessage<'_>,
        _: &DispatchContext<'_>,
    ) -> Result<(), String> {
        let refused = post(self.0.url()?, &[], payload(message)).await?;
        refused.map_err(|refusal| {
            let code = std::str::from_utf8(&refusal.answer).unwrap_or_default();
            let is_code = code.len() <= CODE_CHARS
                && !code.is_empty()
                && code
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if is_code {
                format!("{refusal}: {code}")
            } else {
                refusal.to_string()
            }
        })
    }
}
