//! The action table: the actions of IAM, STS and S3 with their access levels, resource types,
//! condition keys and dependent actions, and Keywright's own actions with the actions that each one
//! implies.
//!
//! These facts are written once, in `data/extension.txt` and in `data/actions.txt`, which also
//! names their sources. Evaluation does not use them, because a policy may name actions that do not
//! exist yet.

use std::{collections::BTreeMap, sync::LazyLock};

/// The access level of an action, as in the Service Authorization Reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessLevel {
    /// Lists resources.
    List,
    /// Reads the contents of resources.
    Read,
    /// Changes tags only.
    Tagging,
    /// Changes resources.
    Write,
    /// Changes permissions.
    Permissions,
}

impl AccessLevel {
    /// AWS's name for the level.
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
    /// The access level.
    pub level: AccessLevel,
    /// The resource types that it acts on. If empty, it is authorized on `*`.
    pub resources: Vec<ResourceUse>,
    /// The published keys of its requests: the service's keys and tag keys.
    pub condition_keys: Vec<&'static str>,
    /// Other actions that its requests may need, for example to pass a role or to set tags.
    pub dependent: Vec<&'static str>,
    /// For Keywright's own actions: what the rotation service does or looks up on behalf of the
    /// caller. The caller must be allowed all of it on the same resources.
    pub does: Vec<&'static str>,
    /// For Keywright's own actions: the actions whose results it reveals. The caller must be
    /// allowed to call them on the same resources.
    pub reveals: Vec<&'static str>,
}

/// A resource type of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceUse {
    /// The name of one of the service's [`ResourceType`]s.
    pub name: &'static str,
    /// Whether every request must name one.
    pub required: bool,
}

/// A resource type of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// The service prefix.
    pub service: &'static str,
    /// The name, for example `instance-profile`.
    pub name: &'static str,
    /// The ARN, with placeholders such as `${Partition}` and `${Account}`.
    pub arn: &'static str,
    /// The condition keys that the resource determines.
    pub condition_keys: Vec<&'static str>,
}

/// A condition key of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionKey {
    /// The service prefix.
    pub service: &'static str,
    /// The name, for example `iam:PassedToService`.
    pub name: &'static str,
    /// The published type, for example `String` or `ArrayOfString`.
    pub kind: &'static str,
}

/// The actions, resource types and condition keys of the known services.
#[derive(Debug, Default)]
pub struct ActionCatalogue {
    /// Keyed by full name in lower case.
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
    /// The built-in catalogue, parsed on first use.
    pub fn built_in() -> &'static Self {
        &CATALOGUE
    }

    /// Every action, ordered by service and name.
    pub fn actions(&self) -> impl Iterator<Item = &ServiceAction> {
        self.actions.values()
    }

    /// Looks up an action by its full name in any case, for example `iam:CreateUser`.
    pub fn action(&self, name: &str) -> Option<&ServiceAction> {
        self.actions.get(&name.to_ascii_lowercase())
    }

    /// The actions of a service (in any case), each with its name in lower case.
    pub(crate) fn of_service(&self, service: &str) -> impl Iterator<Item = (&str, &ServiceAction)> {
        let prefix = format!("{}:", service.to_ascii_lowercase());
        let from = self.actions.range(prefix.clone()..);
        from.map_while(move |(name, action)| Some((name.strip_prefix(&*prefix)?, action)))
    }

    /// Whether the actions of a service (in any case) are known.
    pub fn knows(&self, service: &str) -> bool {
        self.of_service(service).next().is_some()
    }

    /// The service's action whose name is closest to `name`, if only a few edits away.
    pub fn nearest(&self, service: &str, name: &str) -> Option<&'static str> {
        let known = self.of_service(service).map(|(_, action)| action.name);
        nearest(known, name, EDITS)
    }

    /// Every resource type.
    pub fn resource_types(&self) -> &[ResourceType] {
        &self.types
    }

    /// The condition keys of the services themselves and of their requests.
    pub fn condition_keys(&self) -> &[ConditionKey] {
        &self.keys
    }

    /// Parses one line. Comments and unknown kinds of lines are skipped.
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
    /// The actions that the caller must always be allowed as well: see [`ServiceAction::does`] and
    /// [`ServiceAction::reveals`].
    pub fn implied(&self) -> impl Iterator<Item = &'static str> {
        self.does.iter().chain(&self.reveals).copied()
    }

    /// Whether the action acts on a resource type.
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

/// Maximum length of a name that is compared, in bytes. AWS's longest action has 73.
const NAME_BYTES: usize = 80;

/// Maximum number of edits between a name and its suggestion.
pub(crate) const EDITS: usize = 3;

/// The closest name, if it is within the maximum number of edits.
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

/// The edit distance of two names, ignoring case, computed one row of the table at a time.
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
