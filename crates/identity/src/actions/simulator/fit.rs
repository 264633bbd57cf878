//! Whether an action can be done on a resource at all.
//!
//! It protects one rule: an action that is known to act on certain resource types is never allowed
//! on something else, even by `*`. Of actions that the catalogue does not know nothing is said.

use keywright_policy::{Catalogue, ResourceType};

/// Whether the catalogue lets an action be done on a resource.
pub(in crate::actions) fn fits(action: &str, resource: &str) -> bool {
    let catalogue = Catalogue::built_in();
    let Some(known) = catalogue.action(action) else {
        return true;
    };
    if resource == "*" || known.resources.is_empty() {
        return true;
    }
    // Buckets and objects are one to the simulator, whatever partition and region are named.
    if known.service == "s3" && (known.is_on("bucket") || known.is_on("object")) {
        return resource.split(':').nth(2) == Some("s3");
    }
    let mut types = catalogue.resource_types().iter();
    types.any(|kind| {
        kind.service == known.service && known.is_on(kind.name) && is_of(kind, resource)
    })
}

/// Whether the simulator lets an action be done on a resource: it does not take an ARN for one that
/// knows no resources, such as `iam:ListUsers`.
pub(super) fn is_simulated(action: &str, resource: &str) -> bool {
    let known = Catalogue::built_in().action(action);
    let bare = known.is_some_and(|known| known.resources.is_empty());
    fits(action, resource) && (resource == "*" || !bare)
}

/// How the simulator calls the resources of an action together, in the partition of the first.
pub(super) fn template(action: &str, first: &str) -> String {
    let known = Catalogue::built_in().action(action);
    let name = match known.map(|known| known.service) {
        Some("s3") => "s3:::${BucketName}/${KeyName}",
        Some("iam") => "iam::${Account}:${ResourceType}/${ResourceName}",
        Some("sts") => "iam::${Account}:${RelativeId}",
        _ => return "*".to_owned(),
    };
    let partition = first.split(':').nth(1).unwrap_or("aws");
    format!("arn:{partition}:{name}")
}

/// Whether an ARN is one of a type: part by part, where a placeholder stands for anything.
fn is_of(kind: &ResourceType, resource: &str) -> bool {
    let mut wanted = kind.arn.splitn(6, ':');
    let mut found = resource.splitn(6, ':');
    (0..6).all(|_| match (wanted.next(), found.next()) {
        (Some(wanted), Some(found)) => matches(wanted, found),
        _ => false,
    })
}

/// Whether a text is `fixed${Placeholder}fixed…`: fixed parts as they stand, in their order.
fn matches(template: &str, text: &str) -> bool {
    let Some((fixed, rest)) = template.split_once("${") else {
        return template == text;
    };
    let Some(text) = text.strip_prefix(fixed) else {
        return false;
    };
    let rest = rest.split_once('}').map_or("", |(_, rest)| rest);
    if rest.is_empty() {
        return true;
    }
    let next = rest.split("${").next().unwrap_or_default();
    let mut places = text.match_indices(next);
    places.any(|(at, _)| {
        text.get(at..)
            .is_some_and(|remaining| matches(rest, remaining))
    })
}
