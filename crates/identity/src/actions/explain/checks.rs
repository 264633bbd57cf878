//! What can be asked about: actions that exist, on resources that they are done on.
//!
//! It protects one rule: a question that no request could raise is refused with the reason, never
//! answered with a denial that looks like one of policies.

use keywright_base::Arn;
use keywright_policy::Catalogue;

use super::super::simulator::fit;
use crate::{fault::Fault, view::View};

/// Refuses what no request could ask.
///
/// # Errors
/// `ValidationError`.
pub(super) fn check(view: &View<'_>, action: &str, resource: &str) -> Result<(), Fault> {
    check_action(action)?;
    check_resource(action, resource)?;
    check_owner(view, resource)
}

/// Refuses what is a pattern, or no action at all: nobody could be allowed it.
fn check_action(name: &str) -> Result<(), Fault> {
    let letters = |text: &str, more: &[char]| {
        let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(&c);
        !text.is_empty() && text.chars().all(fits)
    };
    let (service, action) = match name.split_once(':') {
        Some((service, action)) if letters(service, &['-']) && letters(action, &[]) => {
            (service, action)
        }
        _ => {
            return Err(Fault::Validation(format!(
                "ActionName {name} is not an action: write service:Action, for example \
                 s3:GetObject, without wildcards"
            )));
        }
    };
    let catalogue = Catalogue::built_in();
    if !catalogue.knows(service) || catalogue.action(name).is_some() {
        return Ok(());
    }
    let nearest = catalogue.nearest(service, action);
    let nearest = nearest.map(|nearest| format!("; did you mean {service}:{nearest}?"));
    Err(Fault::Validation(format!(
        "No action is called {name}{}",
        nearest.unwrap_or_default()
    )))
}

/// Refuses what is no ARN, and what the action is not done on.
fn check_resource(action: &str, resource: &str) -> Result<(), Fault> {
    if resource == "*" {
        return Ok(());
    }
    let Ok(arn) = Arn::parse(resource) else {
        return Err(Fault::Validation(format!(
            "ResourceArn {resource} is not an ARN: write for example arn:aws:s3:::bucket/key, or *"
        )));
    };
    let Some(known) = Catalogue::built_in().action(action) else {
        return Ok(());
    };
    let mut fits = fit::fits(action, resource);
    if fits && known.service == "s3" && arn.region().is_empty() && !known.resources.is_empty() {
        let kind = match arn.resource().split_once('/') {
            Some(_) => "object",
            None => "bucket",
        };
        fits = known.is_on(kind);
    }
    if fits {
        return Ok(());
    }
    let kinds: Vec<&str> = known.resources.iter().map(|used| used.name).collect();
    Err(Fault::Validation(format!(
        "{action} is not done on {resource}, but on: {}",
        kinds.join(", ")
    )))
}

/// Refuses a resource of another account, whose policy is not ours to tell.
fn check_owner(view: &View<'_>, arn: &str) -> Result<(), Fault> {
    match &view.gathered.attached {
        Some(attached) if attached.owner != view.id() => Err(Fault::Validation(format!(
            "ResourceArn {arn} belongs to another account, which alone can ask what its policy says"
        ))),
        _ => Ok(()),
    }
}
