//! What there is to be allowed: the actions of IAM, STS and S3 with their access levels, resource
//! types, condition keys and dependent actions; and those of Keywright's own service with the
//! actions that each of them implies.
//!
//! It protects one rule: these facts are written once, in `data/actions.txt`, which also says where
//! they come from, and `data/extension.txt`. Evaluation does not use them: a policy may name
//! actions that do not exist yet.

use std::{collections::BTreeMap, sync::LazyLock};

/// What an action does to a resource, as the Service Authorization Reference groups actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessLevel {
    /// Names things.
    List,
    /// Reads their contents.
    Read,
    /// Changes tags only.
    Tagging,
    /// Changes things.
    Write,
    /// Changes who may do what.
    Permissions,
}

impl AccessLevel {
    /// AWS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "List",
            Self::Read => "Read",
            Self::Tagging => "Tagging",
            Self::Write => "Write",
            Self::Permissions => "Permissions management",
        }
    }
}

/// An action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAction {
    /// The service prefix, for example `iam`.
    pub service: &'static str,
    /// The name, for example `CreateUser`.
    pub name: &'static str,
    /// What it does.
    pub level: AccessLevel,
    /// What it is done on. None: it is asked on `*`.
    pub resources: Vec<ResourceUse>,
    /// The service's and the tag keys that its requests may have, as published.
    pub condition_keys: Vec<&'static str>,
    /// Actions that its request may need besides, for example to pass a role or to set tags.
    pub dependent: Vec<&'static str>,
    /// Of an action of Keywright's own service: what it has the rotation service do, or look up, on
    /// behalf of the caller, who must be allowed all of it on the same resources.
    pub does: Vec<&'static str>,
    /// Of an action of Keywright's own service: what it tells the caller, who must be allowed to
    /// call these on the same resources.
    pub reveals: Vec<&'static str>,
}

/// A resource type of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceUse {
    /// A name among the service's [`ResourceType`]s.
    pub name: &'static str,
    /// Whether every request has it.
    pub required: bool,
}

/// A resource type of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// The service prefix.
    pub service: &'static str,
    /// Its name, for example `instance-profile`.
    pub name: &'static str,
    /// Its ARN, with `${Partition}`, `${Account}` and so on in it.
    pub arn: &'static str,
    /// The keys that follow from the resource.
    pub condition_keys: Vec<&'static str>,
}

/// A condition key of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionKey {
    /// The service prefix.
    pub service: &'static str,
    /// Its name, for example `iam:PassedToService`.
    pub name: &'static str,
    /// Its type as published, for example `String` or `ArrayOfString`.
    pub kind: &'static str,
}

/// All that is known of the services.
#[derive(Debug, Default)]
pub struct ActionCatalogue {
    /// By whole name in lower case.
    actions: BTreeMap<String, ServiceAction>,
    types: Vec<ResourceType>,
    keys: Vec<ConditionKey>,
}

static CATALOGUE: LazyLock<ActionCatalogue> = LazyLock::new(|| {
    let mut catalogue = ActionCatalogue::default();
    let published = include_str!("../data/actions.txt").lines();
    for line in published.chain(include_str!("../data/extension.txt").lines()) {
        catalogue.read(line);
    }
    catalogue
});

impl ActionCatalogue {
    /// The catalogue in the crate, read at the first use.
    pub fn built_in() -> &'static Self {
        &CATALOGUE
    }

    /// Every action, ordered by service and name.
    pub fn actions(&self) -> impl Iterator<Item = &ServiceAction> {
        self.actions.values()
    }

    /// An action by whole name in any case, for example `iam:CreateUser`.
    pub fn action(&self, name: &str) -> Option<&ServiceAction> {
        self.actions.get(&name.to_ascii_lowercase())
    }

    /// The actions of a service in any case, each with its name in lower case.
    pub(crate) fn of_service(&self, service: &str) -> impl Iterator<Item = (&str, &ServiceAction)> {
        let prefix = format!("{}:", service.to_ascii_lowercase());
        let from = self.actions.range(prefix.clone()..);
        from.map_while(move |(name, action)| Some((name.strip_prefix(&*prefix)?, action)))
    }

    /// Whether the actions of a service, in any case, are known.
    pub fn knows(&self, service: &str) -> bool {
        self.of_service(service).next().is_some()
    }

    /// The name of a service's action that is few edits away from a name.
    pub fn nearest(&self, service: &str, name: &str) -> Option<&'static str> {
        let known = self.of_service(service).map(|(_, action)| action.name);
        nearest(known, name, EDITS)
    }

    /// Every resource type.
    pub fn resource_types(&self) -> &[ResourceType] {
        &self.types
    }

    /// Every condition key of the services themselves and those that their requests may have.
    pub fn condition_keys(&self) -> &[ConditionKey] {
        &self.keys
    }

    /// Takes in a line; comments, and what is none of the kinds that say something of an action,
    /// are passed over.
    pub(crate) fn read(&mut self, line: &'static str) {
        let mut parts = line.split(" | ");
        let mut head = parts.next().unwrap_or_default().split(' ');
        let mut word = || head.next().unwrap_or_default();
        let (kind, service, name) = (word(), word(), word());
        let mut part = || parts.next().unwrap_or_default().trim_matches([' ', '|']);
        let words = |text: &'static str| text.split(' ').filter(|word| !word.is_empty());
        match kind {
            "action" => {
                let level = level(part());
                let resources = words(part()).map(ResourceUse::read).collect();
                let condition_keys = words(part()).collect();
                let action = ServiceAction {
                    service,
                    name,
                    level,
                    resources,
                    condition_keys,
                    dependent: Vec::new(),
                    does: Vec::new(),
                    reveals: Vec::new(),
                };
                let whole = format!("{service}:{name}").to_ascii_lowercase();
                self.actions.insert(whole, action);
            }
            "type" => self.types.push(ResourceType {
                service,
                name,
                arn: part(),
                condition_keys: words(part()).collect(),
            }),
            "key" => self.keys.push(ConditionKey {
                service,
                name,
                kind: part(),
            }),
            "depends" | "does" | "reveals" => {
                if let Some(action) = self.actions.get_mut(&service.to_ascii_lowercase()) {
                    let list = match kind {
                        "does" => &mut action.does,
                        "reveals" => &mut action.reveals,
                        _ => &mut action.dependent,
                    };
                    list.extend(words(part()));
                }
            }
            _ => {}
        }
    }
}

impl ServiceAction {
    /// The actions that a caller must be allowed as well, always: see [`Action::does`] and
    /// [`Action::reveals`].
    pub fn implied(&self) -> impl Iterator<Item = &'static str> {
        self.does.iter().chain(&self.reveals).copied()
    }

    /// Whether it is done on resources of a type.
    pub fn is_on(&self, resource_type: &str) -> bool {
        self.resources.iter().any(|used| used.name == resource_type)
    }
}

impl ResourceUse {
    fn read(word: &'static str) -> Self {
        match word.strip_suffix('!') {
            Some(name) => Self {
                name,
                required: true,
            },
            None => Self {
                name: word,
                required: false,
            },
        }
    }
}

fn level(word: &str) -> AccessLevel {
    match word {
        "List" => AccessLevel::List,
        "Read" => AccessLevel::Read,
        "Tagging" => AccessLevel::Tagging,
        "Permissions" => AccessLevel::Permissions,
        _ => AccessLevel::Write,
    }
}

/// Bytes of a name that is worth comparing; the longest action of AWS has 73.
const NAME_BYTES: usize = 80;

/// Edits up to which one name may have been meant for another.
pub(crate) const EDITS: usize = 3;

/// The name that is the fewest edits away, if it is at most so many.
pub(crate) fn nearest(
    names: impl Iterator<Item = &'static str>,
    wanted: &str,
    edits_max: usize,
) -> Option<&'static str> {
    if wanted.len() > NAME_BYTES {
        return None;
    }
    let alike = names.filter(|name| name.len().abs_diff(wanted.len()) <= edits_max);
    let measured = alike.map(|name| (distance(name, wanted), name));
    let (edits, name) = measured.min()?;
    (edits <= edits_max).then_some(name)
}

/// The edits between two names, without regard to case: a row of the table at a time.
fn distance(one: &str, other: &str) -> usize {
    let mut room = [0; NAME_BYTES + 1];
    let Some(row) = room.get_mut(..=other.len()) else {
        return usize::MAX;
    };
    for (at, edits) in row.iter_mut().enumerate() {
        *edits = at;
    }
    for (at, byte) in one.bytes().enumerate() {
        let (mut diagonal, mut left) = (at, at + 1);
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, same) in cells.zip(other.bytes()) {
            let swap = diagonal + usize::from(!same.eq_ignore_ascii_case(&byte));
            left = swap.min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, left);
        }
    }
    row.last().copied().unwrap_or_default()
}
