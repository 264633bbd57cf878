//! Rotation policies: every few minutes, and when a policy is put, each account with policies is
//! surveyed as a fleet, and what is due is started.
//!
//! Invariant: a policy's rotations act for the principal that put it, and use the same code as
//! every other fleet. A user whose first matching policy belongs to another principal is left to
//! the round of that principal.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use keywright_base::AccountId;
use keywright_fleet::driver::{DriveError, DriveOutcome};
use keywright_fleet::{
    DriveReport, FleetAccount, FleetConfig, FleetRule, RotationNeed, UserSelection, begin_due,
    survey,
};
use keywright_identity::{
    on_behalf::OnBehalf,
    state::{RotationPolicy, UserSelector},
};
use keywright_rotation::model::RotationId;

use super::{
    AT_ONCE, ServerRotations, locked,
    places::{AllowedDestinations, not_for_text},
    settings,
};

/// The pause between two rounds.
const ROUND: Duration = Duration::from_secs(5 * 60);
/// The number of consecutive failures after which a round starts nothing more.
const STOP_AFTER_FAILURES: usize = 5;
const DAY_SECS: i64 = 86_400;

/// The failures of the last round of each account. They are not kept over a restart.
pub(super) type PolicyFailures = Mutex<HashMap<AccountId, Vec<(Arc<RotationPolicy>, String)>>>;

impl ServerRotations {
    pub(super) async fn look_at_policies(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        while !*stop.borrow_and_update() {
            for account in self.ledger.ids() {
                let looked = AssertUnwindSafe(self.look_at_account(account)).catch_unwind();
                tokio::select! {
                    // The policies of the other accounts are still followed.
                    looked = looked => if looked.is_err() {
                        tracing::error!(%account, "following rotation policies panicked");
                    },
                    // Interrupted work continues from the journal.
                    _ = stop.changed() => return,
                }
            }
            tokio::select! {
                _ = tokio::time::timeout(ROUND, self.policies.notified()) => {}
                _ = stop.changed() => {}
            }
        }
    }

    pub(super) async fn look_at_account(self: &Arc<Self>, id: AccountId) {
        let Some(cell) = self.ledger.account(id) else {
            return;
        };
        let policies: Vec<Arc<RotationPolicy>> = {
            let account = cell.snapshot();
            account.rotation_policies().values().cloned().collect()
        };
        let mut makers: Vec<OnBehalf> = Vec::new();
        for policy in &policies {
            if !makers.contains(&policy.by) {
                makers.push(policy.by.clone());
            }
        }
        let mut troubles = Vec::new();
        for maker in makers {
            match self.round(&policies, &maker).await {
                Ok(found) => troubles.extend(found),
                Err(error) => {
                    tracing::warn!(account = %id, %error, "rotation policies were not followed");
                    let of_maker = policies.iter().filter(|policy| policy.by == maker);
                    troubles.extend(of_maker.map(|it| (Arc::clone(it), error.to_string())));
                }
            }
        }
        locked(&self.troubles).insert(id, troubles);
    }

    /// The failures of an account's policies, by policy name. A policy that was put since the last
    /// round has not been checked yet.
    pub(super) fn troubles_of(&self, id: AccountId) -> HashMap<String, String> {
        let Some(cell) = self.ledger.account(id) else {
            return HashMap::new();
        };
        let account = cell.snapshot();
        let troubles = locked(&self.troubles);
        let found = troubles.get(&id).into_iter().flatten();
        found
            .filter(|(policy, _)| {
                let now = account.rotation_policy(&policy.name);
                now.is_some_and(|now| Arc::ptr_eq(now, policy))
            })
            .map(|(policy, text)| (policy.name.clone(), text.clone()))
            .collect()
    }

    /// One principal's round over all users; returns the policies that failed and why.
    async fn round(
        self: &Arc<Self>,
        policies: &[Arc<RotationPolicy>],
        maker: &OnBehalf,
    ) -> Result<Vec<(Arc<RotationPolicy>, String)>, DriveError> {
        let account = FleetAccount {
            name: maker.account.to_string(),
            id: Some(maker.account.to_string()),
            access: settings(maker),
            rules: policies.iter().map(|it| self.rule(it, maker)).collect(),
            freezes: Vec::new(),
        };
        let config = FleetConfig {
            at_once: AT_ONCE,
            stop_after_failures: STOP_AFTER_FAILURES,
            accounts: Vec::new(),
            notify: Vec::new(),
            digest: None,
            owner_tag: None,
            remind: Vec::new(),
        };
        let mut survey = survey(&self.driver, &account).await?;
        self.close_places(maker.account, &account.rules, &mut survey.choices);
        // In its turn, because a person may give an order as soon as the rotation is in the
        // journal.
        let drive_one = |id: RotationId| -> BoxFuture<'_, _> {
            Box::pin(async move { self.drive(&id, &self.take(&id)).await })
        };
        let principal = (&config, &account);
        let (did, broke) =
            begin_due(&self.driver, principal, &survey, &*self.entropy, &drive_one).await?;
        if broke {
            tracing::warn!(
                account = %maker.account,
                "after {STOP_AFTER_FAILURES} failures in a row nothing more was begun; the next \
                 round tries again"
            );
        }
        for did in &did {
            if let Err(error) = &did.outcome {
                tracing::warn!(user = %did.user, %error, "a rotation was not begun");
            }
        }
        let each = policies.iter().enumerate();
        let own = each.filter(|(_, policy)| policy.by == *maker);
        let troubled = own.filter_map(|(number, policy)| {
            let text = trouble(&self.places, number, (&survey.choices, &did))?;
            Some((Arc::clone(policy), text))
        });
        Ok(troubled.collect())
    }
}

impl ServerRotations {
    /// Leaves a user to a person if its rule names a destination that does not accept its keys.
    fn close_places(&self, account: AccountId, rules: &[FleetRule], choices: &mut [UserSelection]) {
        let Some(cell) = self.ledger.account(account) else {
            return;
        };
        let account = cell.snapshot().clone();
        let due = choices
            .iter_mut()
            .filter(|choice| matches!(choice.verdict, RotationNeed::Due(_)));
        for choice in due {
            let rule = choice.rule.and_then(|number| rules.get(number));
            let deliver = rule.map(|rule| &*rule.deliver).unwrap_or_default();
            let closed = match account.user(&choice.user) {
                Some(user) => self.places.closed_to((&**user).into(), deliver),
                // Created or renamed since the survey; the next round will find it.
                None => deliver.first(),
            };
            if let Some(place) = closed {
                let place = self.places.public(place, None);
                choice.verdict = RotationNeed::Person(not_for_text(&place, &choice.user));
            }
        }
    }
}

/// Why users of a rule do not have the rotation that they should have. Once a rotation exists, it
/// reports its failures itself.
fn trouble(
    places: &AllowedDestinations,
    number: usize,
    (choices, did): (&[UserSelection], &[DriveReport]),
) -> Option<String> {
    let why = |choice: &UserSelection| match &choice.verdict {
        RotationNeed::Person(why) => Some(why.clone()),
        RotationNeed::Due(_) => match did.iter().find(|did| did.user == choice.user) {
            Some(DriveReport {
                rotation: Some(_), ..
            }) => None,
            Some(DriveReport {
                outcome: Err(error),
                ..
            }) => Some(error.to_string()),
            Some(DriveReport {
                outcome: Ok(DriveOutcome::Held(hold)),
                ..
            }) => Some(hold.to_string()),
            _ => None,
        },
        _ => None,
    };
    let of_rule = choices.iter().filter(|choice| choice.rule == Some(number));
    let mut all = of_rule.filter_map(|choice| Some((&choice.user, why(choice)?)));
    let (user, why) = all.next()?;
    let why = places.redacted(&why, user);
    Some(match all.count() {
        0 => format!("{user}: {why}"),
        more => format!("{user}: {why}; and {more} more"),
    })
}

impl ServerRotations {
    /// A policy as a fleet rule. A policy of another principal only tells which users to skip.
    fn rule(&self, policy: &RotationPolicy, maker: &OnBehalf) -> FleetRule {
        let secs = |secs: i64| Some(keywright_fleet::ConfigDuration(secs));
        let mut rule = FleetRule {
            create: true,
            name: Some(policy.name.clone()),
            skip: policy.by != *maker,
            max_age: secs(i64::from(policy.max_age_days) * DAY_SECS),
            jitter: secs(i64::from(policy.jitter_days) * DAY_SECS),
            observe: secs(i64::from(policy.observe_secs)),
            dwell: secs(i64::from(policy.dwell_secs)),
            deliver: policy
                .places
                .iter()
                .map(|it| self.places.whole(it))
                .collect(),
            ..FleetRule::default()
        };
        match &policy.selector {
            UserSelector::Path(path) => rule.path = Some(path.clone()),
            UserSelector::Tags(tags) => {
                let tags = tags.iter();
                rule.tags = tags
                    .map(|tag| (tag.key.clone(), tag.value.clone()))
                    .collect();
            }
            UserSelector::Everyone => rule.everyone = true,
        }
        rule
    }
}
