//! The places on the server's machine, or reached from it, that new keys may be written to.
//!
//! It protects one rule: a caller of the API names no file and no program. The operator lists the
//! places; a caller chooses among them. A person is always one.

use keywright_adapters::sinks::{Spec, fits_in_place};
use keywright_identity::{Fault, fault::Invalid};

/// The place that is always allowed.
const PERSON: &str = "person";
/// What a user's name stands for in a place.
const USER: &str = "{user}";

/// What the operator allows.
#[derive(Debug, Clone, Default)]
pub struct Places(Vec<String>);

/// Why a list of places is refused.
#[derive(Debug, thiserror::Error)]
#[error("{place} cannot be a place of rotations: {why}")]
pub struct PlacesError {
    place: String,
    why: String,
}

impl Places {
    /// Checks a list.
    ///
    /// # Errors
    /// [`PlacesError`] for what is no place.
    pub fn new(list: Vec<String>) -> Result<Self, PlacesError> {
        for place in &list {
            let parsed = place.replace(USER, "someone").parse::<Spec>();
            parsed.map_err(|error| PlacesError {
                place: place.clone(),
                why: error.to_string(),
            })?;
        }
        Ok(Self(list))
    }

    /// Everything that is allowed, a person first.
    pub(super) fn all(&self) -> Vec<String> {
        let listed = self.0.iter().filter(|place| *place != PERSON);
        std::iter::once(PERSON.to_owned())
            .chain(listed.cloned())
            .collect()
    }

    /// Whether all of these are allowed, as they stand.
    ///
    /// # Errors
    /// `InvalidInput` with the first that is not.
    pub(super) fn check(&self, places: &[String]) -> Result<(), Fault> {
        let allowed = self.all();
        for (at, place) in places.iter().enumerate() {
            if !allowed.contains(place) {
                return Err(not_allowed(place));
            }
            once(places, at, place)?;
        }
        Ok(())
    }

    /// The places of a user: given with `{user}` or with the name.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub(super) fn fill(&self, places: &[String], user: &str) -> Result<Vec<Spec>, Fault> {
        let allowed = self.all();
        let mut filled = Vec::with_capacity(places.len());
        for place in places {
            let text = place.replace(USER, user);
            let template = allowed.iter().find(|one| one.replace(USER, user) == text);
            let template = template.ok_or_else(|| not_allowed(place))?;
            if template.contains(USER) && !fits_in_place(user) {
                return Err(invalid(format!(
                    "The name of user {user} cannot be part of a place: only letters, digits, \
                     hyphens, underscores and single dots can."
                )));
            }
            once(&filled, filled.len(), &text)?;
            filled.push(text);
        }
        let specs = filled.iter().map(|text| {
            let parsed = text.parse::<Spec>();
            parsed.map_err(|error| invalid(error.to_string()))
        });
        specs.collect()
    }
}

/// A place that was named before.
fn once(places: &[String], at: usize, place: &String) -> Result<(), Fault> {
    if places.iter().take(at).any(|before| before == place) {
        return Err(invalid(format!("The place {place} is named twice.")));
    }
    Ok(())
}

fn not_allowed(place: &str) -> Fault {
    invalid(format!(
        "The operator of this server does not allow the place {place}; ListRotationPlaces tells \
         what is allowed."
    ))
}

fn invalid(text: String) -> Fault {
    Invalid::Other(text).into()
}

#[cfg(test)]
mod tests {
    use super::Places;

    const ALLOWED: [&str; 3] = [
        "dotenv:/etc/jobs/{user}.env",
        "json:/etc/all.json",
        "command:deliver --to {user}",
    ];

    #[test]
    fn what_a_caller_may_choose() {
        let places = Places::new(ALLOWED.map(str::to_owned).to_vec()).unwrap();
        for (user, given, expected) in [
            ("bob", &["person"][..], Ok("person")),
            (
                "bob",
                &["dotenv:/etc/jobs/{user}.env"],
                Ok("dotenv:/etc/jobs/bob.env"),
            ),
            (
                "bob",
                &["dotenv:/etc/jobs/bob.env"],
                Ok("dotenv:/etc/jobs/bob.env"),
            ),
            (
                "bob",
                &["dotenv:/etc/jobs/eve.env"],
                Err("does not allow the place"),
            ),
            (
                "bob",
                &["dotenv:/etc/jobs/../x.env"],
                Err("does not allow the place"),
            ),
            (
                "bob",
                &["command:deliver --to eve"],
                Err("does not allow the place"),
            ),
            ("bob", &["command:sh"], Err("does not allow the place")),
            ("bob", &["what"], Err("does not allow the place")),
            ("bob", &["person", "person"], Err("is named twice")),
            (
                "bob",
                &["json:/etc/all.json", "person"],
                Ok("json:/etc/all.json person"),
            ),
            (
                "..",
                &["dotenv:/etc/jobs/{user}.env"],
                Err("cannot be part of a place"),
            ),
            (
                "-x",
                &["command:deliver --to {user}"],
                Err("cannot be part of a place"),
            ),
            (
                "a@b",
                &["dotenv:/etc/jobs/{user}.env"],
                Err("cannot be part of a place"),
            ),
            ("a@b", &["json:/etc/all.json"], Ok("json:/etc/all.json")),
        ] {
            let given: Vec<_> = given.iter().map(|&place| place.to_owned()).collect();
            let filled = places.fill(&given, user);
            match (filled, expected) {
                (Ok(specs), Ok(expected)) => {
                    let names: Vec<_> = specs.iter().map(ToString::to_string).collect();
                    assert_eq!(names.join(" "), expected, "{user} {given:?}");
                }
                (Err(fault), Err(says)) => {
                    let text = fault.wire().message.unwrap();
                    assert!(text.contains(says), "{user} {given:?}: {text}");
                }
                (got, _) => panic!("{user} {given:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_policy_names_places_as_they_are_listed() {
        let places = Places::new(ALLOWED.map(str::to_owned).to_vec()).unwrap();
        for (given, good) in [
            ("dotenv:/etc/jobs/{user}.env", true),
            ("person", true),
            ("dotenv:/etc/jobs/bob.env", false),
        ] {
            let checked = places.check(&[given.to_owned()]);
            assert_eq!(checked.is_ok(), good, "{given}");
        }
    }

    #[test]
    fn what_an_operator_cannot_list() {
        for bad in ["what:x", "dotenv:", "file"] {
            let refused = Places::new(vec![bad.to_owned()]).unwrap_err();
            assert!(refused.to_string().starts_with(bad), "{refused}");
        }
    }
}
