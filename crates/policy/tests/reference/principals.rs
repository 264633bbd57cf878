//! The generator's callers, the keys that follow from them, and how policies name them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Caller, list};

pub(crate) const ACCOUNT: &str = "123456789012";

/// How a policy names a caller, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    ByAccount,
    ByRoleOrIssuer,
    Directly,
}

/// A caller's details.
#[derive(Debug, Default)]
pub(crate) struct Who {
    pub(crate) account: Option<String>,
    pub(crate) service_linked: bool,
    /// Texts under `AWS` that name the caller itself.
    direct: Vec<&'static str>,
    /// Texts under `AWS` that name the role or the issuing user.
    wider: Vec<&'static str>,
    service: Option<&'static str>,
    provider: Option<&'static str>,
    is_root: bool,
    /// `username`, `userid`, `PrincipalType`, `PrincipalArn`.
    table: [Option<&'static str>; 4],
}

impl Who {
    pub(crate) fn of(caller: Caller) -> Self {
        let account = Some(ACCOUNT.to_owned());
        let arn = arn(caller);
        let role = role_arn(caller);
        match caller {
            Caller::Root => Self {
                account,
                direct: vec![arn],
                is_root: true,
                table: [None, Some(ACCOUNT), Some("Account"), Some(arn)],
                ..Self::default()
            },
            Caller::User => Self {
                account,
                direct: vec![arn, "AIDACKCEVSQ6C2EXAMPLE"],
                table: [
                    Some("bob"),
                    Some("AIDACKCEVSQ6C2EXAMPLE"),
                    Some("User"),
                    Some(arn),
                ],
                ..Self::default()
            },
            Caller::Role | Caller::ServiceLinkedRole => Self {
                account,
                service_linked: caller == Caller::ServiceLinkedRole,
                direct: vec![arn],
                wider: vec![role, "AROACKCEVSQ6C2EXAMPLE"],
                table: [
                    None,
                    Some("AROACKCEVSQ6C2EXAMPLE:ci"),
                    Some("AssumedRole"),
                    Some(role),
                ],
                ..Self::default()
            },
            Caller::Federated => Self {
                account,
                direct: vec![arn],
                wider: vec!["arn:aws:iam::123456789012:user/team/bob"],
                table: [
                    None,
                    Some("123456789012:fred"),
                    Some("FederatedUser"),
                    Some(arn),
                ],
                ..Self::default()
            },
            Caller::Service => Self {
                service: Some("ec2.amazonaws.com"),
                ..Self::default()
            },
            Caller::Provider => Self {
                provider: Some("accounts.google.com"),
                ..Self::default()
            },
            Caller::Anonymous => Self {
                table: [None, Some("anonymous"), Some("Anonymous"), None],
                ..Self::default()
            },
        }
    }

    /// The keys that follow from the caller, in lower case.
    pub(crate) fn keys(&self) -> BTreeMap<&'static str, Option<String>> {
        let names = [
            "aws:username",
            "aws:userid",
            "aws:principaltype",
            "aws:principalarn",
        ];
        let values = self.table.map(|value| value.map(str::to_owned));
        let mut keys: BTreeMap<_, _> = names.into_iter().zip(values).collect();
        keys.insert("aws:principalaccount", self.account.clone());
        keys
    }

    /// The strongest way in which a `Principal` names the caller.
    pub(crate) fn how_named(&self, principal: &Json) -> Option<How> {
        if principal == "*" {
            return Some(How::Directly);
        }
        let mut ways = Vec::new();
        for text in named(principal, "AWS") {
            let means_account = self.account.as_ref().is_some_and(|account| {
                text == *account || text == format!("arn:aws:iam::{account}:root")
            });
            if text == "*" || self.direct.contains(&text.as_str()) {
                ways.push(How::Directly);
            } else if self.wider.contains(&text.as_str()) {
                ways.push(How::ByRoleOrIssuer);
            } else if means_account {
                // For the root user, the account names the user itself.
                ways.push(if self.is_root {
                    How::Directly
                } else {
                    How::ByAccount
                });
            }
        }
        let is = |key, own: Option<&str>| {
            own.is_some_and(|own| named(principal, key).iter().any(|n| n == own))
        };
        if is("Service", self.service) || is("Federated", self.provider) {
            ways.push(How::Directly);
        }
        ways.into_iter().max()
    }

    /// Whether a `NotPrincipal` of a Deny exempts the caller.
    pub(crate) fn spared(&self, listed: &Json) -> bool {
        let texts = named(listed, "AWS");
        if listed == "*" || texts.iter().any(|text| text == "*") {
            return true;
        }
        let lists = |own: &[&str]| texts.iter().any(|text| own.contains(&text.as_str()));
        let root = format!("arn:aws:iam::{ACCOUNT}:root");
        let account = texts.iter().any(|text| text == ACCOUNT || *text == root);
        match &self.account {
            None => self.how_named(listed).is_some(),
            Some(_) if self.is_root => account,
            Some(_) if self.wider.is_empty() => lists(&self.direct) && account,
            // For a session, its role or the user who created it must be listed as well.
            Some(_) => lists(&self.direct) && lists(&self.wider) && account,
        }
    }
}

fn named(principal: &Json, key: &str) -> Vec<String> {
    principal.get(key).map(list).unwrap_or_default()
}

pub(crate) const fn arn(caller: Caller) -> &'static str {
    match caller {
        Caller::Root => "arn:aws:iam::123456789012:root",
        Caller::User => "arn:aws:iam::123456789012:user/team/bob",
        Caller::Role => "arn:aws:sts::123456789012:assumed-role/deploy/ci",
        Caller::ServiceLinkedRole => "arn:aws:sts::123456789012:assumed-role/linked/ci",
        Caller::Federated => "arn:aws:sts::123456789012:federated-user/fred",
        Caller::Service | Caller::Provider | Caller::Anonymous => "",
    }
}

pub(crate) const fn role_arn(caller: Caller) -> &'static str {
    match caller {
        Caller::ServiceLinkedRole => "arn:aws:iam::123456789012:role/aws-service-role/x/linked",
        _ => "arn:aws:iam::123456789012:role/app/deploy",
    }
}
