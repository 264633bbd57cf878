//! The rules for S3 bucket policies. Invariant: every action of a statement can act on some
//! resource of the statement, and every resource belongs to the bucket.

mod conditions;

use super::{DocumentKind, Violation, trust::is_principal};
use crate::{
    ActionCatalogue,
    condition::ConditionOperator,
    document::{self, Effect, PolicyDocument, Statement},
    json::{self, PolicyNode, PolicyValue},
    pattern::Glob,
};

/// Checks a policy for one bucket.
pub(super) fn validate(text: &str, bucket: &str) -> Result<PolicyDocument, Violation> {
    let node = json::read(text).map_err(Violation::BucketJson)?;
    if !text.starts_with('{') {
        let what = "the first byte is not '{'";
        return Err(Violation::BucketJson(document::SyntaxError::new(0, what)));
    }
    elements(&node)?;
    let parsed = document::document(node).map_err(Violation::BucketSyntax)?;
    for statement in &parsed.document.statements {
        check(statement, bucket)?;
    }
    if !super::literals_are_readable(&parsed.document, DocumentKind::Bucket { bucket }) {
        return Err(Violation::Legacy);
    }
    let mut seen = std::collections::HashSet::new();
    let sids = parsed
        .document
        .statements
        .iter()
        .filter_map(|s| s.sid.as_deref());
    if sids
        .filter(|sid| !sid.is_empty())
        .any(|sid| !seen.insert(sid))
    {
        return Err(Violation::RepeatedSid);
    }
    Ok(parsed.document)
}

/// Checks the elements for which S3 has its own messages.
fn elements(node: &PolicyNode) -> Result<(), Violation> {
    only(node, &["Version", "Id", "Statement"])?;
    let version = node.member("Version").map(|node| &node.value);
    let known = |value: &PolicyValue| {
        let text = PolicyValue::Text("2012-10-17".to_owned());
        *value == text || *value == PolicyValue::Text("2008-10-17".to_owned())
    };
    if !version.is_none_or(known) {
        return Err(Violation::BucketVersion);
    }
    let statement = node
        .member("Statement")
        .ok_or(Violation::Missing("Statement"))?;
    let statements = statement.items();
    if statements.is_empty() {
        return Err(Violation::BucketEmpty);
    }
    for statement in statements {
        only(statement, &STATEMENT)?;
        for field in ["Effect", "Principal", "Action", "Resource"] {
            let negated = format!("Not{field}");
            if statement
                .member(field)
                .or_else(|| statement.member(&negated))
                .is_none()
            {
                return Err(Violation::Missing(field));
            }
        }
        match statement.member("Effect").map(|node| &node.value) {
            Some(PolicyValue::Text(effect)) if effect != "Allow" && effect != "Deny" => {
                return Err(Violation::BucketEffect(effect.clone()));
            }
            _ => {}
        }
        let operators = statement.member("Condition").map(PolicyNode::members);
        let mut names = operators.into_iter().flatten().map(|(name, _)| name);
        if let Some(name) = names.find(|name| ConditionOperator::parse(name).is_none()) {
            return Err(Violation::BucketOperator(name.clone()));
        }
    }
    Ok(())
}

/// The members that a statement may have.
const STATEMENT: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Rejects members other than these.
fn only(node: &PolicyNode, names: &[&str]) -> Result<(), Violation> {
    let mut members = node.members().iter();
    match members.find(|(name, _)| !names.contains(&&**name)) {
        Some((name, _)) => Err(Violation::BucketField(name.clone())),
        None => Ok(()),
    }
}

fn check(statement: &Statement, bucket: &str) -> Result<(), Violation> {
    let Some(principal) = &statement.principal else {
        return Err(Violation::Missing("Principal"));
    };
    if principal.negated && statement.effect == Effect::Allow {
        return Err(Violation::AllowNotPrincipal);
    }
    let valid = principal
        .elements
        .iter()
        .all(|(kind, value)| is_principal(*kind, value));
    if !valid || principal.elements.is_empty() {
        return Err(Violation::BucketPrincipal);
    }
    let (Some(actions), Some(resources)) = (&statement.action, &statement.resource) else {
        return Err(Violation::Missing("Action"));
    };
    if resources.elements.is_empty() {
        return Err(Violation::BucketResource);
    }
    if actions.elements.is_empty() {
        return Err(Violation::BucketAction);
    }
    let mut reach = ArnReach::default();
    for resource in &resources.elements {
        let resource = resource.as_deref().unwrap_or_default();
        reach
            .add(resource, bucket)
            .ok_or(Violation::BucketResource)?;
    }
    for action in actions.elements.iter().flatten() {
        let scope = ArnReach::of_action(action).ok_or(Violation::BucketAction)?;
        let applies = (scope.bucket && reach.bucket) || (scope.objects && reach.objects);
        if !applies && !actions.negated && !resources.negated {
            return Err(Violation::ActionResource);
        }
    }
    let mut tests = statement.conditions.iter();
    tests.try_for_each(|clause| conditions::check(clause, actions))
}

/// What actions or resources cover: the bucket, its objects, or both.
#[derive(Debug, Clone, Copy, Default)]
struct ArnReach {
    bucket: bool,
    objects: bool,
}

impl ArnReach {
    /// Adds a resource; `None` if it can be neither the bucket nor an object in it.
    fn add(&mut self, resource: &str, bucket: &str) -> Option<()> {
        let segments: Vec<&str> = resource.splitn(6, ':').collect();
        let ["arn", _, "s3", "", "", path] = segments.as_slice() else {
            return None;
        };
        let (name, key) = match path.split_once('/') {
            Some((name, _)) => (name, true),
            None => (*path, false),
        };
        if !Glob::new(name).matches(bucket) {
            return None;
        }
        self.bucket |= !key;
        self.objects |= key || name.ends_with('*');
        Some(())
    }

    /// What an action acts on; `None` if S3 has no such action on buckets or objects.
    fn of_action(action: &str) -> Option<Self> {
        if action == "*" {
            return Some(Self {
                bucket: true,
                objects: true,
            });
        }
        let (vendor, name) = action.split_once(':')?;
        if !vendor.eq_ignore_ascii_case("s3") {
            return None;
        }
        let glob = Glob::new(&name.to_lowercase());
        let mut reach = Self::default();
        let of_s3 = ActionCatalogue::built_in().of_service("s3");
        for (_, action) in of_s3.filter(|(name, _)| glob.matches(name)) {
            reach.bucket |= action.is_on("bucket");
            reach.objects |= action.is_on("object");
        }
        (reach.bucket || reach.objects).then_some(reach)
    }
}
