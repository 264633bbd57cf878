//! `teams:env:NAME` or `teams:file:/PATH`: a Microsoft Teams Workflows webhook, whose URL is a
//! secret.
//!
//! The message is an Adaptive Card of text runs. Unlike text blocks they do not interpret Markdown,
//! and a mention would need an entity that the card does not have. So a name or a reason is always
//! plain text.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    Channel, DispatchContext, NoticeMessage,
    post::{PostUrl, post},
};

/// A webhook.
struct TeamsChannel(PostUrl);

pub(super) fn parse(text: &str) -> Result<Arc<dyn Channel>, String> {
    Ok(Arc::new(TeamsChannel(PostUrl::parse_secret(text)?)))
}

/// A block of plain text.
fn block(text: &str) -> Value {
    json!({ "type": "RichTextBlock", "inlines": [text], "spacing": "none" })
}

/// A block that starts a new paragraph.
fn title(text: &str) -> Value {
    let run = json!({ "type": "TextRun", "text": text, "weight": "bolder" });
    json!({ "type": "RichTextBlock", "inlines": [run] })
}

/// The request body.
fn payload(message: &NoticeMessage<'_>) -> String {
    let mut body = Vec::new();
    if message.notices.len() > 1 {
        body.push(title(&message.title()));
    }
    for paragraph in message.paragraphs() {
        body.push(title(&paragraph.title));
        body.extend(paragraph.lines.iter().map(|line| block(line)));
    }
    let card = json!({
        "type": "message",
        "summary": message.title(),
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": body,
            },
        }],
    });
    card.to_string()
}

#[async_trait]
impl Channel for TeamsChannel {
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
        refused.map_err(|refusal| refusal.to_string())
    }
}
