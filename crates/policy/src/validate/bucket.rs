//! The rules of S3 bucket policies. It protects one rule: every action of a statement can be done
//! on some resource of the statement, and every resource is of the bucket.

use super::{Kind, Violation, trust::is_principal};
use crate::{
    Catalogue,
    document::{self, Document, Effect, Statement},
    json::{self, Node, Value},
    pattern::Glob,
};

/// Checks a policy of one bucket.
pub(super) fn validate(text: &str, bucket: &str) -> Result<Document, Violation> {
    let node = json::read(text).map_err(Violation::BucketJson)?;
    if !text.starts_with('{') {
        let what = "the first byte is not '{'";
        return Err(Violation::BucketJson(document::SyntaxError::new(0, what)));
    }
    present(&node)?;
    let parsed = document::document(node).map_err(Violation::BucketSyntax)?;
    if let Some(fault) = parsed.misspelt_effect {
        return Err(Violation::BucketSyntax(fault));
    }
    for statement in &parsed.document.statements {
        check(statement, bucket)?;
    }
    if !super::literals_are_readable(&parsed.document, Kind::Bucket { bucket }) {
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

/// Asks for the elements that S3 names when they are missing.
fn present(node: &Node) -> Result<(), Violation> {
    let statement = member(node, "Statement").ok_or(Violation::Missing("Statement"))?;
    let statements = match &statement.value {
        Value::List(statements) => statements.as_slice(),
        _ => std::slice::from_ref(statement),
    };
    for statement in statements {
        for field in ["Effect", "Principal", "Action", "Resource"] {
            let negated = format!("Not{field}");
            if member(statement, field)
                .or_else(|| member(statement, &negated))
                .is_none()
            {
                return Err(Violation::Missing(field));
            }
        }
    }
    Ok(())
}

fn member<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Map(members) => members
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, node)| node),
        _ => None,
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
    let mut reach = Reach::default();
    for resource in &resources.elements {
        let resource = resource.as_deref().unwrap_or_default();
        reach
            .add(resource, bucket)
            .ok_or(Violation::BucketResource)?;
    }
    for action in actions.elements.iter().flatten() {
        let scope = Reach::of_action(action).ok_or(Violation::BucketAction)?;
        let applies = (scope.bucket && reach.bucket) || (scope.objects && reach.objects);
        if !applies && !actions.negated && !resources.negated {
            return Err(Violation::ActionResource);
        }
    }
    Ok(())
}

/// What actions or resources are about.
#[derive(Debug, Clone, Copy, Default)]
struct Reach {
    bucket: bool,
    objects: bool,
}

impl Reach {
    /// Adds a resource; `None` if it can be neither the bucket nor an object of it.
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

    /// What an action is done on; `None` if S3 does no such thing on buckets and objects.
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
        let of_s3 = Catalogue::built_in().of_service("s3");
        for (_, action) in of_s3.filter(|(name, _)| glob.matches(name)) {
            reach.bucket |= action.is_on("bucket");
            reach.objects |= action.is_on("object");
        }
        (reach.bucket || reach.objects).then_some(reach)
    }
}
