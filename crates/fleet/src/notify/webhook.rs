//! `webhook:URL`: posts the notice as signed JSON.
//!
//! The signature is that of the webhook sink: HMAC-SHA256 over time and body. A receiver that
//! verifies it knows that the notice is genuine and not replayed.

use std::sync::Arc;

use async_trait::async_trait;
use keywright_base::Secret;

use super::{
    Channel, DispatchContext, NoticeMessage,
    post::{PostUrl, post},
};
use keywright_sinks::{variable, webhook};

struct WebhookChannel(PostUrl);

pub(super) fn parse(text: &str) -> Result<Arc<dyn Channel>, String> {
    Ok(Arc::new(WebhookChannel(PostUrl::parse(text)?)))
}

fn key() -> Result<Secret<String>, String> {
    let key = variable(webhook::KEY).map(Secret::new);
    key.ok_or_else(|| format!("{} is not set; it is needed to sign requests", webhook::KEY))
}

#[async_trait]
impl Channel for WebhookChannel {
    fn label(&self) -> String {
        self.0.to_string()
    }

    fn check(&self) -> Result<(), String> {
        key()?;
        self.0.url().map(drop)
    }

    async fn send(
        &self,
        message: &NoticeMessage<'_>,
        dispatch: &DispatchContext<'_>,
    ) -> Result<(), String> {
        let body = message.json().to_string();
        let signature =
            webhook::signature(&webhook::hmac_key(&key()?), dispatch.clock.now(), &body);
        let headers = [(webhook::SIGNATURE, signature)];
        let refused = post(self.0.url()?, &headers, body).await?;
        refused.map_err(|refusal| refusal.to_string())
    }
}
