//! `sns:TOPIC-ARN[?region=&profile=&endpoint=]`: an Amazon SNS topic.
//!
//! Requests are signed with the credentials of the account that the notice is about, or with those
//! of the named profile. Subscribers get the text for people.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Channel, DispatchContext, NoticeMessage};
use keywright_aws::{ClientSettings, publish};
use keywright_sinks::aws_store::AwsResource;

/// Characters of a subject at most (SNS's limit).
const SUBJECT_CHARS: usize = 100;

/// A topic.
struct SnsTopic(AwsResource);

pub(super) fn parse(text: &str) -> Result<Arc<dyn Channel>, String> {
    let place = AwsResource::new(text)?.in_region_of_arn();
    let parts: Vec<&str> = place.id().split(':').collect();
    let is_topic = matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
        if partition.starts_with("aws")
            && !region.is_empty()
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && !name.is_empty());
    if !is_topic {
        return Err(
            "expected the topic's ARN, such as arn:aws:sns:eu-west-1:123456789012:keys".to_owned(),
        );
    }
    Ok(Arc::new(SnsTopic(place)))
}

/// SNS accepts only ASCII without line breaks, at most 100 characters.
fn subject(title: &str) -> String {
    let ascii = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    title.chars().map(ascii).take(SUBJECT_CHARS).collect()
}

#[async_trait]
impl Channel for SnsTopic {
    fn label(&self) -> String {
        self.0.id().to_owned()
    }

    fn by_account(&self) -> bool {
        self.0.settings().profile.is_none()
    }

    async fn send(
        &self,
        message: &NoticeMessage<'_>,
        dispatch: &DispatchContext<'_>,
    ) -> Result<(), String> {
        let own = self.0.settings();
        let credentials = match (&own.profile, dispatch.account) {
            (Some(_), _) => ClientSettings {
                profile: own.profile.clone(),
                ..ClientSettings::default()
            },
            (None, Some(account)) => account.clone(),
            (None, None) => return Err("the account is no longer in the fleet file".to_owned()),
        };
        let (topic, text, subject) = (self.0.id(), message.text(), subject(&message.title()));
        let id = message.id("");
        let mut parameters = vec![
            ("TopicArn", topic),
            ("Subject", subject.as_str()),
            ("Message", text.as_str()),
        ];
        if topic.ends_with(".fifo") {
            parameters.extend([
                ("MessageGroupId", "keywright"),
                ("MessageDeduplicationId", &id),
            ]);
        }
        let published = publish(&credentials, own, &parameters, dispatch.clock).await;
        published.map_err(|error| error.to_string())
    }
}
