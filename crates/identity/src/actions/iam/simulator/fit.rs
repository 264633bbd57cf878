//! What AWS's simulator takes for a resource of an action. It protects one rule: an action that is
//! known to act on certain resource types is not simulated on something else.

use keywright_policy::ActionCatalogue;

/// Whether the simulator lets an action be done on a resource: it does not take an ARN for one that
/// knows no resources, such as `iam:ListUsers`.
pub(super) fn is_simulated(action: &str, resource: &str) -> bool {
    let catalogue = ActionCatalogue::built_in();
    let known = catalogue.action(action);
    let bare = known.is_some_and(|known| known.resources.is_empty());
    catalogue.fits(action, resource) && (resource == "*" || !bare)
}

/// How the simulator calls the resources of an action together, in the partition of the first.
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
