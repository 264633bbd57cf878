//! Which resources AWS's simulator accepts for an action.
//!
//! Invariant: an action with known resource types is not simulated on a resource of another type.

use keywright_policy::ActionCatalogue;

/// Whether the simulator accepts a resource for an action. Actions without resource types, such as
/// `iam:ListUsers`, take only `*`.
pub(super) fn is_simulated(action: &str, resource: &str) -> bool {
    let catalogue = ActionCatalogue::built_in();
    let known = catalogue.action(action);
    let bare = known.is_some_and(|known| known.resources.is_empty());
    catalogue.fits(action, resource) && (resource == "*" || !bare)
}

/// The template that the simulator reports for the resources of an action, in the partition of the
/// first resource.
pub(super) fn template(action: &str, first: &str) -> String {
    let known = ActionCatalogue::built_in().action(action);
    let name = match known.map(|known| known.service) {
        Some("s3") => "s3:::${BucketName}/${KeyName}",
        Some("iam") => "iam::${Account}:${ResourceType}/${ResourceName}",
        Some("sts") => "iam::${Account}:${RelativeId}",
        _ => return "*".to_owned(),
    };
    let partition = first.split(':').nth(1).unwrap_or("aws");
    format!("arn:{partition}:{name}")
}
