//! The request context: condition keys and their values.
//!
//! Invariant: an absent key, a single value and a list are three different things. Values are
//! looked up when a policy asks for them; nothing is collected in advance.

use std::{borrow::Cow, cell::Cell, collections::BTreeMap};

use keywright_base::limits;

use crate::principal::PrincipalRef;

/// The value of a condition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextValues<'a> {
    /// The request does not have the key.
    Absent,
    /// A single-valued key.
    One(Cow<'a, str>),
    /// A multivalued key such as `aws:TagKeys`, even with a single value. A list without values
    /// counts as an absent key.
    Many(Vec<Cow<'a, str>>),
    /// Like `Many`, but borrowed from the owner of the list.
    Slice(&'a [Cow<'a, str>]),
    /// A single-valued key that the request has several times: tags whose keys differ only in case.
    /// Which of them AWS compares is undefined, so an Allow's condition must hold for every value,
    /// and for a Deny's one is enough.
    Ambiguous(Vec<Cow<'a, str>>),
    /// A list where nothing says that the key is multivalued: a claim of a token. Under a set
    /// operator it is like `Many`. Without one, an Allow's condition never holds, and a Deny's
    /// always does: its author expected one value.
    Claims(Vec<Cow<'a, str>>),
}

impl<'a> ContextValues<'a> {
    /// A single value.
    pub fn one(value: impl Into<Cow<'a, str>>) -> Self {
        Self::One(value.into())
    }

    /// A list of values.
    pub fn many<V: Into<Cow<'a, str>>>(values: impl IntoIterator<Item = V>) -> Self {
        Self::Many(values.into_iter().map(Into::into).collect())
    }

    /// A single value, or an absent key.
    pub fn optional(value: Option<impl Into<Cow<'a, str>>>) -> Self {
        value.map_or(Self::Absent, Self::one)
    }

    /// The value of the tag that a condition key in lower case names.
    pub fn of_tag(tags: impl IntoIterator<Item = (&'a str, &'a str)>, name: &str) -> Self {
        let same = tags.into_iter().filter(|(key, _)| is_key(key, name));
        let mut values: Vec<_> = same.map(|(_, value)| Cow::Borrowed(value)).collect();
        match values.len() {
            0 | 1 => values.pop().map_or(Self::Absent, Self::One),
            _ => Self::Ambiguous(values),
        }
    }

    /// Turns a list without values into an absent key.
    fn normal(self) -> Self {
        match self {
            Self::Many(values) | Self::Claims(values) if values.is_empty() => Self::Absent,
            Self::Slice([]) => Self::Absent,
            _ => self,
        }
    }

    /// All values.
    pub fn as_slice(&self) -> &[Cow<'a, str>] {
        match self {
            Self::Absent => &[],
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) | Self::Ambiguous(values) | Self::Claims(values) => values,
            Self::Slice(values) => values,
        }
    }
}

/// Whether a name is this key, which is in lower case.
pub fn is_key(name: &str, key: &str) -> bool {
    if name.is_ascii() {
        name.eq_ignore_ascii_case(key)
    } else {
        name.to_lowercase() == key
    }
}

/// Looks up condition keys.
pub trait ContextLookup {
    /// The value of `key`, which is in lower case (`aws:requesttag/team`). A tag key after the `/`
    /// is in lower case too, so compare it ignoring case.
    fn get(&self, key: &str) -> ContextValues<'_>;
}

impl<C: ContextLookup + ?Sized> ContextLookup for &C {
    fn get(&self, key: &str) -> ContextValues<'_> {
        (**self).get(key)
    }
}

/// No keys at all.
impl ContextLookup for () {
    fn get(&self, _: &str) -> ContextValues<'_> {
        ContextValues::Absent
    }
}

/// Condition keys in a map, for contexts that are small or come from outside.
#[derive(Debug, Clone, Default)]
pub struct ContextMap {
    keys: BTreeMap<String, ContextValues<'static>>,
}

impl ContextMap {
    /// Sets a key, in any case; replaces an earlier value.
    pub fn set(&mut self, key: &str, values: ContextValues<'static>) {
        self.keys.insert(key.to_lowercase(), values);
    }

    /// The keys in lower case and their values, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ContextValues<'static>)> {
        self.keys.iter().map(|(key, values)| (&**key, values))
    }

    /// Adds a single-valued key.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.set(key, ContextValues::one(value.to_owned()));
        self
    }

    /// Adds a multivalued key.
    #[must_use]
    pub fn with_list(mut self, key: &str, values: &[&str]) -> Self {
        self.set(
            key,
            ContextValues::many(values.iter().map(|&v| v.to_owned())),
        );
        self
    }
}

impl ContextLookup for ContextMap {
    fn get(&self, key: &str) -> ContextValues<'_> {
        match self.keys.get(key) {
            None | Some(ContextValues::Absent) => ContextValues::Absent,
            Some(ContextValues::One(value)) => ContextValues::one(&**value),
            Some(ContextValues::Many(values)) => ContextValues::Slice(values),
            Some(ContextValues::Slice(values)) => ContextValues::Slice(values),
            Some(ContextValues::Ambiguous(values)) => ContextValues::Ambiguous(borrowed(values)),
            Some(ContextValues::Claims(values)) => ContextValues::Claims(borrowed(values)),
        }
    }
}

fn borrowed<'a>(values: &'a [Cow<'static, str>]) -> Vec<Cow<'a, str>> {
    let values = values.iter().map(|value| Cow::Borrowed(&**value));
    values.collect()
}

/// The remaining steps of a decision. Once they are used up, nothing more is compared and the
/// decision is a denial.
pub(crate) struct StepCounter(Cell<u64>);

impl StepCounter {
    pub(crate) const fn new() -> Self {
        Self::of(limits::DECISION_STEPS)
    }

    pub(crate) const fn of(steps: u64) -> Self {
        Self(Cell::new(steps))
    }

    /// Takes steps before the work is done; `false` if too few are left.
    pub(crate) fn take(&self, steps: u64) -> bool {
        let left = self.0.get().saturating_sub(steps);
        self.0.set(left);
        left > 0
    }

    pub(crate) const fn left(&self) -> u64 {
        self.0.get()
    }

    /// Whether something was not compared for lack of steps.
    pub(crate) const fn are_used_up(&self) -> bool {
        self.0.get() == 0
    }
}

/// The keys of one evaluation: those that follow from the caller, then the request's own. A context
/// can therefore never impersonate another caller.
#[derive(Clone, Copy)]
pub(crate) struct EvaluationEnv<'a> {
    pub(crate) principal: &'a PrincipalRef<'a>,
    /// `aws:userid`, built once.
    pub(crate) user_id: &'a str,
    pub(crate) context: &'a dyn ContextLookup,
    pub(crate) steps: &'a StepCounter,
}

impl<'a> EvaluationEnv<'a> {
    /// The values of a key, which must be in lower case.
    pub(crate) fn get(&self, key: &str) -> ContextValues<'a> {
        let own = self.principal.key(key, self.user_id);
        own.unwrap_or_else(|| self.context.get(key)).normal()
    }
}
