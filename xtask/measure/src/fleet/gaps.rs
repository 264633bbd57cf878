//! Two latencies that nobody publishes: from "created" to "accepted", and from "deactivated" to
//! "rejected", as a client sees them.
//!
//! A latency starts when the response to the change is complete and ends with the first response to
//! a request with the key that reflects it, so it includes at least one round trip. Earlier
//! responses, which still reflect the old state, are counted: AWS has many, Keywright none.

use anyhow::{Context, ensure};
use keywright_base::Secret;
use serde_json::{Value, json};

use crate::{
    client::{Connection, instant},
    installation::Running,
    requests::{Key, query},
};

/// Stale responses after which the run fails.
const STALE_MAX: u64 = 100_000;
/// Upper bounds of the histogram in microseconds. Larger values have a bucket of their own.
const BOUNDS_MICROS: [u128; 7] = [250, 500, 1_000, 2_000, 5_000, 20_000, 100_000];

/// The latencies of one kind of change.
#[derive(Default)]
pub(super) struct Gaps {
    micros: Vec<u128>,
    stale: u64,
}

/// Both kinds.
pub(super) struct Both {
    accepted: Gaps,
    refused: Gaps,
}

impl Both {
    /// Creates, deactivates and deletes a user's key repeatedly.
    pub(super) fn measure(
        server: &Running,
        operator: &Key,
        user: &str,
        rounds: u32,
    ) -> anyhow::Result<Self> {
        let mut changes = Connection::open(server.address)?;
        let mut asks = Connection::open(server.address)?;
        let (mut accepted, mut refused) = (Gaps::default(), Gaps::default());
        let iam = |action: &str, parameters: &[(&str, &str)]| {
            query(server.address, operator, ("iam", action), parameters)
        };
        for _ in 0..rounds {
            let reply = changes.exchange(&iam("CreateAccessKey", &[("UserName", user)])?)?;
            let element = |name| reply.element(name).map(str::to_owned);
            let pair = element("AccessKeyId").zip(element("SecretAccessKey"));
            let (id, secret) = pair.with_context(|| format!("no key: {}", reply.status))?;
            let key = Key {
                id,
                secret: Secret::new(secret),
            };
            let who = query(server.address, &key, ("sts", "GetCallerIdentity"), &[])?;
            accepted.until(&mut asks, &who, 200)?;
            let named = [("UserName", user), ("AccessKeyId", key.id.as_str())];
            let inactive = [named.as_slice(), &[("Status", "Inactive")]].concat();
            let reply = changes.exchange(&iam("UpdateAccessKey", &inactive)?)?;
            ensure!(reply.status == 200, "UpdateAccessKey: {}", reply.excerpt());
            refused.until(&mut asks, &who, 403)?;
            let reply = changes.exchange(&iam("DeleteAccessKey", &named)?)?;
            ensure!(reply.status == 200, "DeleteAccessKey: {}", reply.excerpt());
        }
        Ok(Self { accepted, refused })
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "created_to_accepted": self.accepted.json(),
            "deactivated_to_refused": self.refused.json(),
        })
    }

    /// Formats the counts in two columns.
    pub(super) fn table(&self) -> String {
        let mut text = format!("\n{:<28}{:>18}{:>18}\n", "", "created to", "deactivated to");
        text.push_str(&format!("{:<28}{:>18}{:>18}\n", "", "accepted", "refused"));
        let (one, other) = (self.accepted.counts(), self.refused.counts());
        for ((name, one), (_, other)) in one.into_iter().zip(other) {
            text.push_str(&format!("{name:<28}{one:>18}{other:>18}\n"));
        }
        let (one, other) = (self.accepted.stale, self.refused.stale);
        text.push_str(&format!(
            "{:<28}{one:>18}{other:>18}\n",
            "replies of before"
        ));
        text
    }
}

impl Gaps {
    /// Repeats the request until the response has this status.
    fn until(&mut self, asks: &mut Connection, who: &[u8], status: u16) -> anyhow::Result<()> {
        let begun = instant();
        let before = self.stale;
        while asks.exchange(who)?.status != status {
            self.stale += 1;
            ensure!(self.stale - before < STALE_MAX, "never answered {status}");
        }
        self.micros.push(begun.elapsed().as_micros());
        Ok(())
    }

    fn counts(&self) -> Vec<(String, usize)> {
        let mut below = 0;
        let bounds = BOUNDS_MICROS.into_iter().chain([u128::MAX]);
        bounds
            .map(|bound| {
                let within = |micros: &&u128| (below..bound).contains(*micros);
                let count = self.micros.iter().filter(within).count();
                let name = match bound {
                    u128::MAX => format!("{below} µs and more"),
                    _ => format!("below {bound} µs"),
                };
                below = bound;
                (name, count)
            })
            .collect()
    }

    fn json(&self) -> Value {
        let counts: serde_json::Map<_, _> = self
            .counts()
            .into_iter()
            .map(|(name, count)| (name, json!(count)))
            .collect();
        json!({"histogram": counts, "replies_of_before": self.stale})
    }
}
