//! The activity of a key: on Keywright from the server's own records, on AWS from the last 90 days
//! of `CloudTrail`.
//!
//! Invariant: what could not be read is reported. No source is read as "nothing happened", and the
//! limits of each source are named next to its data.

use std::{collections::BTreeMap, time::Duration};

use keywright_base::Timestamp;
use keywright_rotation::{
    model::{KeyId, NotedUse},
    ports::{ObservedUse, SinkError, UsageEvidence},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    AccountClient, IamIssuer, QueryService,
    answer::ResponseRow,
    call::CallError,
    endpoint::{CLOUDTRAIL, home, known},
    json::{JsonCallError, JsonService},
    pages::PageMarkers,
};

/// Pages of events to read in a region at most, 50 events each.
const PAGES_MAX: usize = 40;
/// Pages of a Keywright list to read at most.
const LIST_PAGES_MAX: usize = 50;
/// Maximum number of distinct calls to list; the latest are retained.
const CALLS_MAX: usize = 500;
/// Attempts for a throttled `CloudTrail` call: it allows two requests a second.
const TRIES: u32 = 5;
/// The first pause before a retry. It doubles each time.
const PAUSE: Duration = Duration::from_millis(600);
/// The prefix of `X-Amz-Target`.
const PREFIX: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101";

/// The activity of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyActivity {
    /// The key.
    pub access_key_id: String,
    /// Its last use, as text.
    pub last_used: String,
    /// Its calls, latest first.
    pub calls: Vec<KeyCall>,
    /// What was read, what could not be read, and what the sources do not contain.
    pub notes: Vec<String>,
}

/// One distinct call, with its count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyCall {
    /// The outcome.
    pub outcome: CallOutcome,
    /// The action, for example `iam:CreateUser`.
    pub action: String,
    /// The resource, if known.
    pub about: Option<String>,
    /// The service's error code, if it failed.
    pub error_code: Option<String>,
    /// The source address.
    pub source_address: Option<String>,
    /// The user agent.
    pub user_agent: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The number of calls.
    pub count: u64,
    /// The first time.
    pub first: String,
    /// The last time.
    pub last: String,
}

/// The outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum CallOutcome {
    /// It succeeded and may have changed something.
    Changed,
    /// It succeeded and only read.
    Read,
    /// It was denied or failed.
    Refused,
    /// It was attempted while the key was inactive.
    Inactive,
    /// It issued temporary credentials that are still valid.
    Session,
}

/// Everything the service reports about a user's key. The service forgets the last use of a deleted
/// key, so that is taken from a rotation's record.
pub async fn activity(
    iam: &IamIssuer,
    key: &KeyId,
    user_arn: &str,
    recorded: Option<&NotedUse>,
) -> KeyActivity {
    let mut found = CollectedCalls::default();
    let last_used = match (iam.last_use(key).await, recorded) {
        (Ok(Some(used)), _) => {
            let at = used.at.iso8601();
            let text = format!("for {} in {} at {at}", used.service, used.region);
            found.last = Some(used);
            text
        }
        (_, Some(used)) => {
            let (service, region, at) = (&used.service, &used.region, used.at.iso8601());
            format!("for {service} in {region} at {at}, as the rotation recorded it")
        }
        (Ok(None), None) => "never, according to the service".to_owned(),
        (Err(error), None) => format!("unknown: {error}"),
    };
    if iam.0.is_keywright() {
        found.of_keywright(iam, key, user_arn).await;
    } else {
        found.of_cloudtrail(&iam.0, key).await;
    }
    let mut calls: Vec<_> = found.calls.into_values().collect();
    calls.sort_by(|one, other| other.last.cmp(&one.last).then_with(|| one.cmp(other)));
    if calls.len() > CALLS_MAX {
        let left = calls.len() - CALLS_MAX;
        calls.truncate(CALLS_MAX);
        found
            .notes
            .push(format!("{left} earlier kinds of calls are left out"));
    }
    KeyActivity {
        access_key_id: key.0.clone(),
        last_used,
        calls,
        notes: found.notes,
    }
}

/// The fields by which calls are grouped.
type CallKey = (CallOutcome, [Option<String>; 6]);

#[derive(Default)]
struct CollectedCalls {
    calls: BTreeMap<CallKey, KeyCall>,
    last: Option<ObservedUse>,
    notes: Vec<String>,
}

impl CollectedCalls {
    fn add(&mut self, call: KeyCall) {
        let KeyCall {
            action,
            about,
            error_code,
            source_address,
            user_agent,
            region,
            ..
        } = call.clone();
        let fields = [
            Some(action),
            about,
            error_code,
            source_address,
            user_agent,
            region,
        ];
        let known = self.calls.entry((call.outcome, fields));
        known
            .and_modify(|known| {
                known.count = known.count.saturating_add(call.count);
                known.first = call.first.clone().min(known.first.clone());
                known.last = call.last.clone().max(known.last.clone());
            })
            .or_insert(call);
    }

    async fn of_keywright(&mut self, iam: &IamIssuer, key: &KeyId, user_arn: &str) {
        match iam.attempts(key).await {
            Ok(attempts) => {
                for attempt in attempts.into_iter().flatten() {
                    let at = attempt.at.iso8601();
                    self.add(KeyCall {
                        source_address: Some(attempt.source_address),
                        user_agent: Some(attempt.user_agent),
                        count: attempt.count,
                        ..call(CallOutcome::Inactive, attempt.action, &at)
                    });
                }
            }
            Err(error) => self.unread("attempts with the inactive key", &error),
        }
        let by_key = ("AccessKeyId", key.0.as_str());
        match whole_list(&iam.0, "ListAccessKeySessions", by_key).await {
            Ok(rows) if rows.is_empty() => {
                let note = "no temporary credentials that it has minted are accepted any more";
                self.notes.push(note.to_owned());
            }
            Ok(rows) => rows.iter().for_each(|row| self.add(session(row))),
            Err(error) => self.unread("sessions", &error),
        }
        let by_user = ("PrincipalArn", user_arn);
        match whole_list(&iam.0, "ListDeniedRequests", by_user).await {
            Ok(rows) => {
                rows.iter().for_each(|row| self.add(denied(row)));
                self.notes.push(
                    "denied requests are those of the user by any key, since the server's last \
                     start; which others were allowed is in no list of this server"
                        .to_owned(),
                );
            }
            Err(error) => self.unread("denied requests", &error),
        }
    }

    fn unread(&mut self, what: &str, why: &dyn std::fmt::Display) {
        self.notes.push(format!("{what} were not read: {why}"));
    }

    /// The trail records an event in the region of the call. Events of global services are in one
    /// region.
    async fn of_cloudtrail(&mut self, access: &AccountClient, key: &KeyId) {
        let opened = JsonService::beside((CLOUDTRAIL, PREFIX), access, None).await;
        let own = match opened {
            Ok(trail) => trail.region(),
            Err(error) => return self.unread("events of CloudTrail", &error),
        };
        let used = self.last.as_ref().and_then(|used| known(&used.region));
        let mut regions = vec![own];
        for region in [Some(home(own)), used].into_iter().flatten() {
            if !regions.contains(&region) {
                regions.push(region);
            }
        }
        for region in &regions {
            let opened = JsonService::beside((CLOUDTRAIL, PREFIX), access, Some(region)).await;
            let read = match opened {
                Ok(trail) => self.of_region(&trail, key).await,
                Err(error) => Err(error.to_string()),
            };
            if let Err(why) = read {
                self.unread(&format!("events of CloudTrail in {region}"), &why);
            }
        }
        self.notes.push(format!(
            "CloudTrail was read in {}: it has management events of 90 days, up to 15 minutes \
             late; reads and writes of objects and other data events are not among them",
            regions.join(", ")
        ));
    }

    async fn of_region(&mut self, trail: &JsonService, key: &KeyId) -> Result<(), String> {
        let mut next = Value::Null;
        for _ in 0..PAGES_MAX {
            let mut ask = json!({
                "LookupAttributes": [{"AttributeKey": "AccessKeyId", "AttributeValue": key.0}],
                "MaxResults": 50,
            });
            if let (Value::Object(ask), false) = (&mut ask, next.is_null()) {
                ask.insert("NextToken".to_owned(), next);
            }
            let page = patiently(trail, &ask).await?;
            let events = page.get("Events").and_then(Value::as_array);
            for event in events.ok_or("the answer has no events")? {
                self.add(event_of(event, trail.region()));
            }
            next = page.get("NextToken").cloned().unwrap_or_default();
            if next.is_null() {
                return Ok(());
            }
        }
        Err(format!("only the latest {} were", PAGES_MAX * 50))
    }
}

/// Reads one page and retries throttled calls.
async fn patiently(trail: &JsonService, ask: &Value) -> Result<Value, String> {
    let mut pause = PAUSE;
    for left in (0..TRIES).rev() {
        match trail.call("LookupEvents", ask).await {
            Ok(page) => return Ok(page),
            Err(JsonCallError {
                error: SinkError::Later(_),
                ..
            }) if left > 0 => {
                #[expect(clippy::disallowed_methods, reason = "a pause before a retry")]
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(JsonCallError { code, error }) if code.starts_with("AccessDenied") => {
                return Err(format!(
                    "not allowed to call cloudtrail:LookupEvents ({error})"
                ));
            }
            Err(JsonCallError { error, .. }) => return Err(error.to_string()),
        }
    }
    Err("the service asks to slow down".to_owned())
}

/// Reads every page of a Keywright list.
async fn whole_list(
    access: &AccountClient,
    action: &'static str,
    filter: (&str, &str),
) -> Result<Vec<ResponseRow>, CallError> {
    let (mut rows, mut marker) = (Vec::new(), None::<String>);
    let mut markers = PageMarkers::default();
    for _ in 0..LIST_PAGES_MAX {
        let mut parameters = vec![filter];
        parameters.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let response = access.read(QueryService::Keywright, action, &parameters);
        let mut answer = response.await?;
        marker = markers.next(&mut answer)?;
        rows.append(&mut answer.rows);
        if marker.is_none() {
            break;
        }
    }
    Ok(rows)
}

fn call(outcome: CallOutcome, action: String, at: &str) -> KeyCall {
    KeyCall {
        outcome,
        action,
        about: None,
        error_code: None,
        source_address: None,
        user_agent: None,
        region: None,
        count: 1,
        first: at.to_owned(),
        last: at.to_owned(),
    }
}

fn session(row: &ResponseRow) -> KeyCall {
    let text = |name: &str| row.get(name).cloned().unwrap_or_default();
    KeyCall {
        about: Some(format!(
            "{} until {}",
            text("AccessKeyId"),
            text("Expiration")
        )),
        ..call(CallOutcome::Session, text("Action"), &text("IssueTime"))
    }
}

fn denied(row: &ResponseRow) -> KeyCall {
    let text = |name: &str| row.get(name).cloned().unwrap_or_default();
    KeyCall {
        about: row.get("ResourceArn").cloned(),
        error_code: Some("AccessDenied".to_owned()),
        source_address: row.get("SourceAddress").cloned(),
        ..call(CallOutcome::Refused, text("ActionName"), &text("Time"))
    }
}

/// Converts an event of the trail. Fields that the list lacks are in its record, JSON in a string.
fn event_of(event: &Value, region: &str) -> KeyCall {
    let text = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
    let record = text("CloudTrailEvent");
    let record: Value = record
        .and_then(|record| serde_json::from_str(&record).ok())
        .unwrap_or_default();
    let of_record = |pointer: &str| {
        let found = record.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned)
    };
    let service = text("EventSource").unwrap_or_default();
    let service = service.split('.').next().unwrap_or_default();
    let secs = event
        .get("EventTime")
        .and_then(Value::as_f64)
        .unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a date")]
    let at = Timestamp::from_secs(secs as i64).iso8601();
    let error_code = of_record("/errorCode");
    let reads = text("ReadOnly").as_deref() == Some("true");
    let outcome = match (&error_code, reads) {
        (Some(_), _) => CallOutcome::Refused,
        (None, true) => CallOutcome::Read,
        (None, false) => CallOutcome::Changed,
    };
    let name = text("EventName").unwrap_or_default();
    KeyCall {
        about: of_record("/requestParameters/roleArn")
            .or_else(|| of_record("/requestParameters/userName")),
        error_code,
        source_address: of_record("/sourceIPAddress"),
        user_agent: of_record("/userAgent"),
        region: Some(of_record("/awsRegion").unwrap_or_else(|| region.to_owned())),
        ..call(outcome, format!("{service}:{name}"), &at)
    }
}

impl KeyActivity {
    /// Roles assumed with the key. Their sessions belong to the roles and stay valid.
    pub fn assumed_roles(&self) -> Vec<&str> {
        let assumed = |call: &&KeyCall| {
            call.action == "sts:AssumeRole" && call.outcome != CallOutcome::Refused
        };
        let roles = self.calls.iter().filter(assumed);
        let mut roles: Vec<_> = roles.filter_map(|call| call.about.as_deref()).collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }
}

#[cfg(test)]
mod tests;
