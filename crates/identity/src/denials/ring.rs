//! The denials of one account, and what is forgotten when there are too many.
//!
//! Invariant: whoever is denied often pushes out their own denials, not those of others. All
//! sessions of a role count as the role, federated users as their issuer, and everyone whom an
//! identity provider vouches for as this provider, because names of sessions and subjects cost
//! nothing.

use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use keywright_base::{UniqueId, limits};
use keywright_policy::Policy;

use super::{DeniedCaller, DeniedRequest};
use crate::{principal::Principal, state::CredentialOwner};

/// The last denials of an account, newest last.
#[derive(Debug, Default)]
pub(super) struct DenialRing {
    /// The number of the next denial.
    next: u64,
    denials: VecDeque<(u64, Arc<DeniedRequest>)>,
    shares: HashMap<DenialBearer, DenialShare>,
    bytes: usize,
}

/// Who a denial counts for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum DenialBearer {
    Root,
    User(UniqueId),
    Role(UniqueId),
    Provider(Arc<str>),
}

impl DenialBearer {
    fn of(caller: &DeniedCaller) -> Self {
        let principal = match caller {
            DeniedCaller::Principal(principal) => principal,
            DeniedCaller::Federated(caller) => {
                return Self::Provider(Arc::clone(&caller.provider_arn));
            }
        };
        match principal {
            Principal::Root { .. } => Self::Root,
            Principal::User { id, .. } => Self::User(*id),
            Principal::RoleSession(session) => Self::Role(session.role),
            Principal::FederatedUser(session) => match session.issuer {
                CredentialOwner::Root => Self::Root,
                CredentialOwner::User(id) => Self::User(id),
            },
        }
    }
}

/// The denials of one bearer.
#[derive(Debug, Default)]
struct DenialShare {
    /// Their numbers, newest last.
    numbers: VecDeque<u64>,
    /// How many of them hold a policy, by its address. Most have the same policies.
    policies: HashMap<usize, usize>,
    bytes: usize,
}

impl DenialShare {
    fn add(&mut self, number: u64, denial: &DeniedRequest) {
        self.numbers.push_back(number);
        self.bytes += denial.bytes();
        for policy in denial.evidence.policies() {
            let holders = self.policies.entry(address(policy)).or_default();
            if *holders == 0 {
                self.bytes += policy.bytes();
            }
            *holders += 1;
        }
    }

    fn remove_oldest(&mut self, denial: &DeniedRequest) {
        self.numbers.pop_front();
        self.bytes = self.bytes.saturating_sub(denial.bytes());
        for policy in denial.evidence.policies() {
            let Some(holders) = self.policies.get_mut(&address(policy)) else {
                continue;
            };
            *holders -= 1;
            if *holders == 0 {
                self.policies.remove(&address(policy));
                self.bytes = self.bytes.saturating_sub(policy.bytes());
            }
        }
    }
}

/// No other policy has it while a denial holds this one.
fn address(policy: &Arc<Policy>) -> usize {
    Arc::as_ptr(policy).addr()
}

impl DenialRing {
    pub(super) const fn denials(&self) -> &VecDeque<(u64, Arc<DeniedRequest>)> {
        &self.denials
    }

    /// Remembers a denial, and forgets others beyond [`limits::DENIALS_PER_ACCOUNT`] and
    /// [`limits::DENIAL_BYTES_PER_ACCOUNT`]: the oldest one of whoever has the most.
    pub(super) fn record(&mut self, denial: Arc<DeniedRequest>) {
        let number = self.next;
        self.next += 1;
        let share = self.shares.entry(DenialBearer::of(&denial.evidence.who));
        let share = share.or_default();
        let before = share.bytes;
        share.add(number, &denial);
        self.bytes += share.bytes - before;
        self.denials.push_back((number, denial));
        while let Some(bearer) = self.too_many(number) {
            self.forget_oldest_of(&bearer);
        }
    }

    /// Whose oldest denial must be forgotten, if one must. The newest one stays, however large.
    fn too_many(&self, newest: u64) -> Option<DenialBearer> {
        let by_number = self.denials.len() > limits::DENIALS_PER_ACCOUNT;
        let by_bytes = self.bytes > limits::DENIAL_BYTES_PER_ACCOUNT;
        if !by_number && !by_bytes {
            return None;
        }
        let shares = self.shares.iter().filter_map(|(bearer, share)| {
            let oldest = *share.numbers.front().filter(|oldest| **oldest != newest)?;
            let size = if by_number {
                share.numbers.len()
            } else {
                share.bytes
            };
            Some(((size, Reverse(oldest)), bearer))
        });
        let largest = shares.max_by_key(|(size, _)| *size);
        largest.map(|(_, bearer)| bearer.clone())
    }

    fn forget_oldest_of(&mut self, bearer: &DenialBearer) {
        let Some(share) = self.shares.get_mut(bearer) else {
            return;
        };
        let oldest = share.numbers.front().copied().unwrap_or_default();
        let place = self
            .denials
            .binary_search_by_key(&oldest, |(number, _)| *number);
        let Some((_, denial)) = place.ok().and_then(|place| self.denials.remove(place)) else {
            return;
        };
        let before = share.bytes;
        share.remove_oldest(&denial);
        self.bytes = self.bytes.saturating_sub(before - share.bytes);
        if share.numbers.is_empty() {
            self.shares.remove(bearer);
        }
    }
}
