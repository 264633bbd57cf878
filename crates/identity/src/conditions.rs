//! The condition keys of a request, with the values known to the server.
//!
//! Invariant: an unknown key is absent, never guessed. A condition on it is then decided as AWS
//! does.

use std::borrow::Cow;

use keywright_base::AccountId;
use keywright_policy::{ContextLookup, ContextValues};

use crate::{
    authorize::{AuthTarget, organization_key},
    caller::Caller,
    ledger::IamLedger,
    state::{Account, Tag},
    view::RequestContext,
};

/// The keys of one target of an IAM or STS action.
#[derive(Debug)]
pub(crate) struct RequestConditions<'a> {
    pub ledger: &'a IamLedger,
    pub caller: &'a Caller,
    pub account: &'a Account,
    pub facts: &'a RequestContext,
    pub target: &'a AuthTarget,
}

impl ContextLookup for RequestConditions<'_> {
    fn get(&self, key: &str) -> ContextValues<'_> {
        let of_target = of_target(self.target, self.account.id(), key);
        let of_organization = || {
            let owner = self.target.owner.unwrap_or_else(|| self.account.id());
            organization_key(self.ledger, Some(self.account), Some(owner), key)
        };
        let found = of_target.or_else(of_organization);
        found.unwrap_or_else(|| common(Some((self.caller, self.account)), self.facts, key))
    }
}

/// The keys that follow from what an action is about. `None` for all others. `account` owns the
/// target unless the target names another one.
pub(crate) fn of_target<'a>(
    target: &'a AuthTarget,
    account: AccountId,
    key: &str,
) -> Option<ContextValues<'a>> {
    let same = |(name, _): &&(&'static str, String)| name.eq_ignore_ascii_case(key);
    let mut own = target.keys.iter().filter(same).map(|(_, value)| &**value);
    if let Some(first) = own.next() {
        let values: Vec<_> = std::iter::once(first)
            .chain(own)
            .map(Cow::Borrowed)
            .collect();
        return Some(match &*values {
            [_] => one(first),
            _ => many(values),
        });
    }
    Some(match split(key) {
        ("aws:requesttag", Some(tag)) => tag_value(&target.request_tags, tag),
        ("aws:resourcetag" | "iam:resourcetag", Some(tag)) => tag_value(&target.resource_tags, tag),
        ("aws:tagkeys", None) => {
            let tags = target.request_tags.iter().map(|tag| &tag.key);
            let keys = tags
                .chain(&target.tag_keys)
                .map(|key| Cow::Borrowed(key.as_str()));
            many(keys.collect())
        }
        ("aws:resourceaccount", None) => one(target.owner.unwrap_or(account).to_string()),
        _ => return None,
    })
}

impl RequestConditions<'_> {
    /// Every key that may have a value, for a record of the request.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = common_names(Some((self.caller, self.account)));
        names.extend(target_names(self.target));
        names
    }
}

/// The keys that follow from what an action is about, and that may have a value.
pub(crate) fn target_names(target: &AuthTarget) -> Vec<String> {
    let named = |prefix: &str, tags: &[Tag]| -> Vec<String> {
        let tags = tags.iter();
        tags.map(|tag| format!("{prefix}/{}", tag.key)).collect()
    };
    let own = target.keys.iter().map(|(key, _)| (*key).to_owned());
    let mut names: Vec<_> = own.collect();
    names.extend(named("aws:requesttag", &target.request_tags));
    names.extend(named("aws:resourcetag", &target.resource_tags));
    names.extend(named("iam:resourcetag", &target.resource_tags));
    names
}

/// The global keys that may have a value, including the caller's tags.
pub(crate) fn common_names(caller: Option<(&Caller, &Account)>) -> Vec<String> {
    let mut names: Vec<String> = KNOWN.iter().map(|&name| name.to_owned()).collect();
    if let Some((caller, account)) = caller {
        let tags = caller.principal().tags(account).iter();
        let session = caller.attributes().into_iter();
        let tags = tags.chain(session.flat_map(|session| &session.tags));
        names.extend(tags.map(|tag| format!("aws:principaltag/{}", tag.key)));
        let provider = caller.attributes().and_then(|it| it.provider.as_ref());
        let keys = provider.into_iter().flat_map(|it| it.keys());
        names.extend(keys.map(|(name, _)| name));
    }
    names
}

/// The global keys, except those that follow from the caller, which the evaluator fills in.
pub(crate) fn common<'a>(
    caller: Option<(&'a Caller, &'a Account)>,
    facts: &'a RequestContext,
    key: &str,
) -> ContextValues<'a> {
    let (name, suffix) = split(key);
    match (name, suffix) {
        ("aws:currenttime", None) => one(facts.now.iso8601()),
        ("aws:epochtime", None) => one(facts.now.secs().to_string()),
        ("aws:securetransport", None) => one(if facts.secure { "true" } else { "false" }),
        ("aws:sourceip", None) => one(facts.source_address.to_string()),
        ("aws:useragent", None) => one(facts.user_agent.as_str()),
        ("aws:referer", None) => optional(facts.referer.as_deref()),
        ("aws:requestedregion", None) => one(facts.region()),
        ("aws:principalisawsservice", None) => one("false"),
        ("aws:viaawsservice", None) => one(if via(caller).is_some() {
            "true"
        } else {
            "false"
        }),
        ("aws:calledvia", None) => many(via(caller).map(Cow::Borrowed).into_iter().collect()),
        ("aws:calledviafirst" | "aws:calledvialast", None) => optional(via(caller)),
        _ => match caller {
            // The keys of an identity provider have its host name, which no list knows.
            Some((caller, _)) if name.is_empty() => of_provider(caller, key),
            Some((caller, account)) => of_caller((caller, account), facts, name, suffix),
            None => ContextValues::Absent,
        },
    }
}

/// The service that calls on behalf of the principal.
fn via(caller: Option<(&Caller, &Account)>) -> Option<&'static str> {
    caller?.0.session()?.service
}

fn of_caller<'a>(
    (caller, account): (&'a Caller, &'a Account),
    facts: &RequestContext,
    name: &str,
    suffix: Option<&str>,
) -> ContextValues<'a> {
    let session = caller.session();
    match (name, suffix) {
        ("aws:principaltag", Some(tag)) => principal_tag(caller, account, tag),
        ("aws:sourceidentity", None) => {
            let session = caller.attributes();
            optional(session.and_then(|session| session.source_identity.as_deref()))
        }
        ("aws:federatedprovider", None) => {
            let provider = caller.attributes().and_then(|it| it.provider.as_ref());
            optional(provider.map(|provider| provider.arn.as_str()))
        }
        ("aws:tokenissuetime", None) => session.map_or(ContextValues::Absent, |session| {
            one(session.issued.iso8601())
        }),
        ("aws:multifactorauthpresent", None) => session.map_or(ContextValues::Absent, |s| {
            one(if s.mfa.is_some() { "true" } else { "false" })
        }),
        ("aws:multifactorauthage", None) => {
            let given = session.and_then(|session| session.mfa);
            given.map_or(ContextValues::Absent, |at| {
                one(facts.now.secs_since(at).to_string())
            })
        }
        _ => ContextValues::Absent,
    }
}

/// A key that the session of a web identity has from its token: `HOST/PATH:sub`.
fn of_provider<'a>(caller: &'a Caller, key: &str) -> ContextValues<'a> {
    let provider = caller.attributes().and_then(|it| it.provider.as_ref());
    let Some(provider) = provider else {
        return ContextValues::Absent;
    };
    let mut keys = provider.keys().into_iter();
    let found = keys.find(|(name, _)| name.eq_ignore_ascii_case(key));
    found.map_or(ContextValues::Absent, |(_, values)| values)
}

/// The value of a tag of the caller. A session tag replaces one of its role with the same key.
fn principal_tag<'a>(caller: &'a Caller, account: &'a Account, key: &str) -> ContextValues<'a> {
    let session = caller.attributes().map_or(&[][..], |session| &session.tags);
    let own = caller.principal().tags(account);
    let replaced = |tag: &&Tag| {
        let mut session = session.iter();
        !session.any(|other| other.key.eq_ignore_ascii_case(&tag.key))
    };
    let tags = session.iter().chain(own.iter().filter(replaced));
    ContextValues::of_tag(tags.map(|tag| (&*tag.key, &*tag.value)), key)
}

/// The lower-case key up to a slash, and the rest.
fn split(key: &str) -> (&'static str, Option<&str>) {
    let (name, suffix) = match key.split_once('/') {
        Some((name, suffix)) => (name, Some(suffix)),
        None => (key, None),
    };
    let known = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name));
    (known.copied().unwrap_or_default(), suffix)
}

const KNOWN: &[&str] = &[
    "aws:currenttime",
    "aws:epochtime",
    "aws:securetransport",
    "aws:sourceip",
    "aws:useragent",
    "aws:referer",
    "aws:requestedregion",
    "aws:viaawsservice",
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:principalisawsservice",
    "aws:principaltag",
    "aws:sourceidentity",
    "aws:federatedprovider",
    "aws:tokenissuetime",
    "aws:multifactorauthpresent",
    "aws:multifactorauthage",
    "aws:requesttag",
    "aws:resourcetag",
    "iam:resourcetag",
    "aws:tagkeys",
    "aws:resourceaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
];

fn one<'a>(value: impl Into<Cow<'a, str>>) -> ContextValues<'a> {
    ContextValues::One(value.into())
}

fn many(values: Vec<Cow<'_, str>>) -> ContextValues<'_> {
    if values.is_empty() {
        ContextValues::Absent
    } else {
        ContextValues::Many(values)
    }
}

fn optional(value: Option<&str>) -> ContextValues<'_> {
    value.map_or(ContextValues::Absent, one)
}

fn tag_value<'a>(tags: &'a [Tag], key: &str) -> ContextValues<'a> {
    ContextValues::of_tag(tags.iter().map(|tag| (&*tag.key, &*tag.value)), key)
}

#[cfg(test)]
mod tests;
