//! The places on the server's machine, or reached from it, that new keys may be written to, and the
//! users whose keys may go to each.
//!
//! It protects two rules: a caller of the API names no file and no program, the operator lists the
//! places and a caller chooses among them; and a place takes the keys of those users only whom the
//! operator names with it. A person is always one, for everyone.

use std::str::FromStr;

use keywright_adapters::sinks::{Spec, fits_in_place};
use keywright_identity::{
    Fault,
    fault::Invalid,
    state::{Tag, User},
};

/// The place that is always allowed.
const PERSON: &str = "person";
/// What a user's name stands for in a place.
const USER: &str = "{user}";

/// What the operator allows.
#[derive(Debug, Clone, Default)]
pub struct Places(Vec<Place>);

/// One place, and for whom it is.
#[derive(Debug, Clone)]
struct Place {
    name: String,
    users: Users,
}

/// The users of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Users {
    Everyone,
    Path(String),
    Tag(String, String),
    Named(String),
}

/// What of a user decides where its keys may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipient<'a> {
    name: &'a str,
    path: &'a str,
    tags: &'a [Tag],
}

impl<'a> From<&'a User> for Recipient<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            name: &user.name,
            path: &user.path,
            tags: &user.tags,
        }
    }
}

/// Why a list of places is refused.
#[derive(Debug, thiserror::Error)]
#[error("{place} cannot be a place of rotations: {why}")]
pub struct PlacesError {
    place: String,
    why: String,
}

impl Users {
    fn include(&self, user: Recipient<'_>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Path(path) => user.path.starts_with(path),
            Self::Tag(key, value) => {
                let mut tags = user.tags.iter();
                tags.any(|tag| tag.key.eq_ignore_ascii_case(key) && tag.value == *value)
            }
            Self::Named(name) => user.name.eq_ignore_ascii_case(name),
        }
    }
}

impl FromStr for Users {
    type Err = &'static str;

    /// Reads what stands between the brackets.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "everyone" {
            return Ok(Self::Everyone);
        }
        let (kind, value) = text.split_once('=').unwrap_or((text, ""));
        match (kind, value) {
            ("path", path) if path.starts_with('/') && path.ends_with('/') => {
                Ok(Self::Path(path.to_owned()))
            }
            ("path", _) => Err("a path begins and ends with a slash"),
            ("tag", tag) => match tag.split_once('=') {
                Some((key, value)) if !key.is_empty() => {
                    Ok(Self::Tag(key.to_owned(), value.to_owned()))
                }
                _ => Err("a tag is written [tag=KEY=VALUE]"),
            },
            ("user", name) if !name.is_empty() => Ok(Self::Named(name.to_owned())),
            _ => Err(WHOSE),
        }
    }
}

/// What the operator has to say of each place.
const WHOSE: &str = "say whose keys may go there: put [path=/jobs/], [tag=KEY=VALUE], [user=NAME] \
                     or [everyone] before it";

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (users, name) = parts.ok_or(WHOSE)?;
        let name = name.trim_start();
        let parsed = name.replace(USER, "someone").parse::<Spec>();
        parsed.map_err(|error| error.to_string())?;
        Ok(Self {
            users: users.parse::<Users>()?,
            name: name.to_owned(),
        })
    }
}

impl Place {
    /// Its name for a user.
    fn of(&self, user: &str) -> String {
        self.name.replace(USER, user)
    }
}

impl Places {
    /// Checks a list, each place with its users in brackets before it.
    ///
    /// # Errors
    /// [`PlacesError`] for what is no place, or is for nobody in particular.
    pub fn new(list: Vec<String>) -> Result<Self, PlacesError> {
        let places = list.into_iter().map(|place| {
            let parsed = place.parse();
            parsed.map_err(|why| PlacesError { place, why })
        });
        Ok(Self(places.collect::<Result<_, _>>()?))
    }

    /// Everything that is allowed, a person first.
    pub(super) fn all(&self) -> Vec<String> {
        let mut all = vec![PERSON.to_owned()];
        for place in &self.0 {
            if !all.contains(&place.name) {
                all.push(place.name.clone());
            }
        }
        all
    }

    /// What a place is called in the list, given with `{user}` or with the name.
    pub(super) fn listed(&self, place: &str, user: Option<&str>) -> Option<String> {
        let called = |listed: &String| {
            let filled = user.map(|user| listed.replace(USER, user) == place.replace(USER, user));
            filled.unwrap_or(listed == place)
        };
        self.all().into_iter().find(called)
    }

    /// Whether all of these are allowed to some user, as they stand.
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

    /// The first of these, as listed, that a user's keys may not go to.
    pub(super) fn closed_to<'p>(
        &self,
        user: Recipient<'_>,
        places: &'p [String],
    ) -> Option<&'p String> {
        let open = |place: &String| {
            let mut listed = self.0.iter();
            place == PERSON || listed.any(|it| it.name == *place && it.users.include(user))
        };
        places.iter().find(|place| !open(place))
    }

    /// The places of a user: given with `{user}` or with the name.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub(super) fn fill(&self, places: &[String], user: Recipient<'_>) -> Result<Vec<Spec>, Fault> {
        let name = user.name;
        let mut filled = Vec::with_capacity(places.len());
        for place in places {
            let text = place.replace(USER, name);
            let known = self.0.iter().filter(|one| one.of(name) == text);
            let template = known.clone().find(|one| one.users.include(user));
            match template {
                Some(one) if one.name.contains(USER) && !fits_in_place(name) => {
                    return Err(invalid(format!(
                        "The name of user {name} cannot be part of a place: only letters, digits, \
                         hyphens, underscores and single dots can."
                    )));
                }
                Some(_) => {}
                None if text == PERSON => {}
                None if known.count() > 0 => return Err(not_for(place, name)),
                None => return Err(not_allowed(place)),
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

/// Why a place does not take a user's keys.
pub(super) fn not_for_text(place: &str, user: &str) -> String {
    format!("The operator of this server does not allow the place {place} for user {user}.")
}

fn not_for(place: &str, user: &str) -> Fault {
    invalid(not_for_text(place, user))
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
    use keywright_identity::state::Tag;

    use super::{Places, Recipient, Users};

    const ALLOWED: [&str; 7] = [
        "[path=/jobs/] dotenv:/etc/jobs/{user}.env",
        "[everyone]json:/etc/all.json",
        "[everyone] command:deliver --to {user}",
        "[user=Bob] webhook:https://bob.example/keys",
        "[tag=team=ops] webhook:https://ops.example/keys",
        "[user=bob] csv:/etc/twice.csv",
        "[tag=team=ops] csv:/etc/twice.csv",
    ];

    fn tag(value: &str) -> [Tag; 1] {
        [Tag {
            key: "Team".to_owned(),
            value: value.to_owned(),
        }]
    }

    fn user<'a>(name: &'a str, path: &'a str, tags: &'a [Tag]) -> Recipient<'a> {
        Recipient { name, path, tags }
    }

    fn places() -> Places {
        Places::new(ALLOWED.map(str::to_owned).to_vec()).unwrap()
    }

    #[test]
    fn what_a_caller_may_choose() {
        let places = places();
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
            let filled = places.fill(&given, self::user(user, "/jobs/nightly/", &[]));
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

    /// Whoever may rotate a key cannot feed it to a place that is for others.
    #[test]
    fn a_place_takes_the_keys_of_its_users_only() {
        let places = places();
        let (ops, dev) = (tag("ops"), tag("dev"));
        for (place, user, allowed) in [
            (
                "dotenv:/etc/jobs/{user}.env",
                user("eve", "/jobs/", &[]),
                true,
            ),
            ("dotenv:/etc/jobs/{user}.env", user("eve", "/", &[]), false),
            (
                "dotenv:/etc/jobs/{user}.env",
                user("eve", "/jobsX/", &[]),
                false,
            ),
            ("dotenv:/etc/jobs/eve.env", user("eve", "/", &[]), false),
            (
                "webhook:https://bob.example/keys",
                user("BOB", "/", &[]),
                true,
            ),
            (
                "webhook:https://bob.example/keys",
                user("eve", "/", &[]),
                false,
            ),
            (
                "webhook:https://ops.example/keys",
                user("eve", "/", &ops),
                true,
            ),
            (
                "webhook:https://ops.example/keys",
                user("eve", "/", &dev),
                false,
            ),
            (
                "webhook:https://ops.example/keys",
                user("eve", "/", &[]),
                false,
            ),
            ("json:/etc/all.json", user("eve", "/", &[]), true),
            ("csv:/etc/twice.csv", user("bob", "/", &[]), true),
            ("csv:/etc/twice.csv", user("eve", "/", &ops), true),
            ("csv:/etc/twice.csv", user("eve", "/", &dev), false),
            ("person", user("eve", "/", &[]), true),
        ] {
            let given = [place.to_owned()];
            let filled = places.fill(&given, user);
            assert_eq!(filled.is_ok(), allowed, "{place} {user:?}: {filled:?}");
            let listed = places.listed(place, Some(user.name)).unwrap();
            let closed = places.closed_to(user, std::slice::from_ref(&listed));
            assert_eq!(closed.is_none(), allowed, "{place} {user:?}");
        }
    }

    #[test]
    fn a_policy_names_places_as_they_are_listed() {
        let places = places();
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
        for (bad, says) in [
            ("[everyone] what:x", "what:x"),
            ("[everyone] dotenv:", "dotenv"),
            ("[everyone]", ""),
            ("file", "[everyone]"),
            ("json:/etc/all.json", "say whose keys may go there"),
            ("[] json:/etc/all.json", "say whose keys may go there"),
            ("[user=] json:/etc/all.json", "say whose keys may go there"),
            ("[what=x] json:/etc/all.json", "say whose keys may go there"),
            ("[path=/jobs] json:/etc/all.json", "ends with a slash"),
            ("[tag=team] json:/etc/all.json", "[tag=KEY=VALUE]"),
            (
                "[everyone json:/etc/all.json",
                "say whose keys may go there",
            ),
        ] {
            let refused = Places::new(vec![bad.to_owned()]).unwrap_err().to_string();
            assert!(
                refused.starts_with(bad) && refused.contains(says),
                "{refused}"
            );
        }
        let tag = "tag=a=b=c".parse::<Users>();
        assert_eq!(tag, Ok(Users::Tag("a".to_owned(), "b=c".to_owned())));
    }
}
