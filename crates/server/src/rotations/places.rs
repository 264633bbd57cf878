//! The destinations on the server's machine, or reached from it, that new keys may be delivered to,
//! and the users whose keys each of them accepts.
//!
//! Invariants: a caller of the API never names a file or a program; the operator lists the
//! destinations and a caller chooses from the list. A destination accepts only keys of the users
//! that the operator names with it. Callers see the public name of a destination, which contains
//! neither arguments of a program nor the query of a URL. A person is a destination for every user.

use std::str::FromStr;

use keywright_identity::{
    IamFault,
    fault::InvalidInput,
    state::{Tag, User},
};
use keywright_sinks::{SinkSpec, fits_in_place, public_name};

/// The destination that is always allowed.
const PERSON: &str = "person";
/// The placeholder for a user's name in a destination.
const USER: &str = "{user}";

/// A user name for parsing a destination before there is a user.
const SOMEONE: &str = "someone-0-keywright";

/// The destinations that the operator allows.
#[derive(Debug, Clone, Default)]
pub struct AllowedDestinations(Vec<AllowedDestination>);

/// One destination, and its users.
#[derive(Debug, Clone)]
struct AllowedDestination {
    /// The full name, as the operator wrote it.
    name: String,
    /// The public name for callers: the full name, or what remains without arguments and queries.
    public: String,
    users: DestinationUsers,
}

/// The users whose keys a destination accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum DestinationUsers {
    Everyone,
    Path(String),
    Tag(String, String),
    Named(String),
}

/// The attributes of a user that decide where its keys may be delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyRecipient<'a> {
    name: &'a str,
    path: &'a str,
    tags: &'a [Tag],
}

impl<'a> From<&'a User> for KeyRecipient<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            name: &user.name,
            path: &user.path,
            tags: &user.tags,
        }
    }
}

/// Why a list of destinations is rejected.
#[derive(Debug, thiserror::Error)]
#[error("{place} cannot be a place of rotations: {why}")]
pub struct PlacesError {
    place: String,
    why: String,
}

impl DestinationUsers {
    fn include(&self, user: KeyRecipient<'_>) -> bool {
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

impl FromStr for DestinationUsers {
    type Err = &'static str;

    /// Parses the text between the brackets.
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
            _ => Err(USERS_REQUIRED),
        }
    }
}

/// The error for two destinations with the same public name.
const SAME: &str = "callers, to whom arguments and queries are not shown, could not tell it from \
                    another place\nhint: give each a program or an address of its own";

/// The error for a destination without users.
const USERS_REQUIRED: &str = "say whose keys may go there: put [path=/jobs/], [tag=KEY=VALUE], \
                              [user=NAME] or [everyone] before it";

impl FromStr for AllowedDestination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (users, name) = parts.ok_or(USERS_REQUIRED)?;
        let name = name.trim_start();
        let parsed = name.replace(USER, SOMEONE).parse::<SinkSpec>();
        let spec = parsed.map_err(|error| error.to_string())?;
        // The public name differs from the full name only if something is left out.
        let public = match spec.public_name() {
            public if public == spec.to_string() => name.to_owned(),
            public => public.replace(SOMEONE, USER),
        };
        Ok(Self {
            users: users.parse::<DestinationUsers>()?,
            name: name.to_owned(),
            public,
        })
    }
}

impl AllowedDestination {
    /// The full name for a user.
    fn of(&self, user: &str) -> String {
        self.name.replace(USER, user)
    }
}

impl AllowedDestinations {
    /// Parses a list of destinations. Before each of them, its users are in brackets.
    ///
    /// # Errors
    /// [`PlacesError`] for an entry that is not a destination, that has no users, or whose public
    /// name is the same as another's.
    pub fn new(list: Vec<String>) -> Result<Self, PlacesError> {
        let places = list.into_iter().map(|place| {
            let parsed = place.parse();
            parsed.map_err(|why| PlacesError { place, why })
        });
        let places: Vec<AllowedDestination> = places.collect::<Result<_, _>>()?;
        for (at, place) in places.iter().enumerate() {
            let mut before = places.iter().take(at);
            if before.any(|other| other.public == place.public && other.name != place.name) {
                return Err(PlacesError {
                    place: place.public.clone(),
                    why: SAME.to_owned(),
                });
            }
        }
        Ok(Self(places))
    }

    /// The public names of all allowed destinations, `person` first.
    pub(super) fn all(&self) -> Vec<String> {
        let mut all = vec![PERSON.to_owned()];
        for place in &self.0 {
            if !all.contains(&place.public) {
                all.push(place.public.clone());
            }
        }
        all
    }

    /// The listed name of a destination that is given with `{user}` or with the user's name.
    pub(super) fn listed(&self, place: &str, user: Option<&str>) -> Option<String> {
        let all = self.all();
        if all.iter().any(|listed| listed == place) {
            return Some(place.to_owned());
        }
        let user = user?;
        let mut all = all.into_iter();
        all.find(|listed| listed.replace(USER, user) == place.replace(USER, user))
    }

    /// The public name of a destination in a rotation policy. Policies of earlier versions contain
    /// full names.
    pub(super) fn public(&self, place: &str, user: Option<&str>) -> String {
        self.listed(place, user).unwrap_or_else(|| {
            let known = self.0.iter().find(|one| one.name == place);
            known.map_or_else(|| public_template(place), |one| one.public.clone())
        })
    }

    /// Whether `place`, as a caller names it, means the user's destination with the full name
    /// `sink`. If the operator lists the destination, only its listed name does, because policies
    /// know it by that name.
    pub(super) fn means(&self, place: &str, user: &str, sink: &str) -> bool {
        let is_it = |one: &&AllowedDestination| {
            let spec = one.of(user).parse::<SinkSpec>();
            spec.is_ok_and(|spec| spec.to_string() == sink)
        };
        match self.0.iter().find(is_it) {
            Some(one) => self.listed(place, Some(user)).as_ref() == Some(&one.public),
            None => public_name(sink) == place.replace(USER, user),
        }
    }

    /// The full name, with `{user}`, of a destination in a rotation policy.
    pub(super) fn whole(&self, place: &str) -> String {
        let named = self.0.iter().find(|one| one.public == place);
        named.map_or_else(|| place.to_owned(), |one| one.name.clone())
    }

    /// A text about a user's rotation, with full names replaced by public names.
    pub(super) fn redacted(&self, text: &str, user: &str) -> String {
        let hidden = self.0.iter().filter(|one| one.name != one.public);
        let names = hidden.flat_map(|one| {
            let filled = one.of(user);
            // The name that the destination itself uses in its errors.
            let spec = filled.parse::<SinkSpec>().ok();
            let own = spec.map(|spec| spec.to_string());
            [one.name.clone(), filled].into_iter().chain(own)
        });
        redact(text, names)
    }

    /// Checks that all of these destinations are allowed for some user, exactly as they are
    /// written.
    ///
    /// # Errors
    /// `InvalidInput` with the first that is not allowed.
    pub(super) fn check(&self, places: &[String]) -> Result<(), IamFault> {
        let allowed = self.all();
        for (at, place) in places.iter().enumerate() {
            if !allowed.contains(place) {
                return Err(not_allowed(place));
            }
            once(places, at, place)?;
        }
        Ok(())
    }

    /// Whether a user's keys may be delivered to the destination with this public name.
    pub(super) fn accepts(&self, place: &str, user: KeyRecipient<'_>) -> bool {
        let mut listed = self.0.iter();
        place == PERSON || listed.any(|it| it.public == place && it.users.include(user))
    }

    /// The first of these full names to which a user's keys may not be delivered.
    pub(super) fn closed_to<'p>(
        &self,
        user: KeyRecipient<'_>,
        places: &'p [String],
    ) -> Option<&'p String> {
        let open = |place: &String| {
            let mut listed = self.0.iter();
            place == PERSON || listed.any(|it| it.name == *place && it.users.include(user))
        };
        places.iter().find(|place| !open(place))
    }

    /// The destinations for a user, each given with `{user}` or with the user's name.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub(super) fn fill(
        &self,
        places: &[String],
        user: KeyRecipient<'_>,
    ) -> Result<Vec<SinkSpec>, IamFault> {
        let name = user.name;
        let mut filled = Vec::with_capacity(places.len());
        for place in places {
            let listed = self.listed(place, Some(name));
            let listed = listed.ok_or_else(|| not_allowed(place))?;
            let mut known = self.0.iter().filter(|one| one.public == listed);
            let text = match known.find(|one| one.users.include(user)) {
                Some(one) if one.name.contains(USER) && !fits_in_place(name) => {
                    return Err(invalid(format!(
                        "The name of user {name} cannot be part of a place: only letters, digits, \
                         hyphens, underscores and single dots can."
                    )));
                }
                Some(one) => one.of(name),
                None if listed == PERSON => listed,
                None => return Err(not_for(place, name)),
            };
            if filled.contains(&text) {
                return Err(twice(place));
            }
            filled.push(text);
        }
        let specs = filled.iter().map(|text| {
            let parsed = text.parse::<SinkSpec>();
            parsed.map_err(|error| invalid(error.to_string()))
        });
        specs.collect()
    }
}

/// The error for a destination that does not accept a user's keys.
pub(super) fn not_for_text(place: &str, user: &str) -> String {
    format!("The operator of this server does not allow the place {place} for user {user}.")
}

fn not_for(place: &str, user: &str) -> IamFault {
    invalid(not_for_text(place, user))
}

/// Rejects a destination that was named before.
fn once(places: &[String], at: usize, place: &String) -> Result<(), IamFault> {
    if places.iter().take(at).any(|before| before == place) {
        return Err(twice(place));
    }
    Ok(())
}

fn twice(place: &str) -> IamFault {
    invalid(format!("The place {place} is named twice."))
}

/// The public name of a destination that may contain `{user}`.
fn public_template(place: &str) -> String {
    let filled = place.replace(USER, SOMEONE);
    match public_name(&filled) {
        public
            if filled
                .parse::<SinkSpec>()
                .is_ok_and(|spec| spec.to_string() == public) =>
        {
            place.to_owned()
        }
        public => public.replace(SOMEONE, USER),
    }
}

/// A text with each of these names replaced by its public name.
pub(super) fn redact(text: &str, names: impl IntoIterator<Item = String>) -> String {
    let mut names: Vec<_> = names.into_iter().collect();
    // Longest first, because one name may be a prefix of another.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut redacted = text.to_owned();
    for name in names {
        if redacted.contains(&name) {
            redacted = redacted.replace(&name, &public_template(&name));
        }
    }
    redacted
}

fn not_allowed(place: &str) -> IamFault {
    invalid(format!(
        "The operator of this server does not allow the place {place}; ListRotationPlaces tells \
         what is allowed."
    ))
}

fn invalid(text: String) -> IamFault {
    InvalidInput::Other(text).into()
}

#[cfg(test)]
mod tests {
    use keywright_identity::state::Tag;

    use super::{AllowedDestinations, DestinationUsers, KeyRecipient, SinkSpec};

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

    fn user<'a>(name: &'a str, path: &'a str, tags: &'a [Tag]) -> KeyRecipient<'a> {
        KeyRecipient { name, path, tags }
    }

    fn places() -> AllowedDestinations {
        AllowedDestinations::new(ALLOWED.map(str::to_owned).to_vec()).unwrap()
    }

    /// A user's name, the chosen destinations, and the result or the error.
    type Choice = (
        &'static str,
        &'static [&'static str],
        Result<&'static str, &'static str>,
    );
    const CHOICES: &[Choice] = &[
        ("bob", &["person"], Ok("person")),
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
        (
            "bob",
            &["command:deliver --to {user}"],
            Err("does not allow the place"),
        ),
        (
            "bob",
            &["command:deliver ..."],
            Ok("command:deliver --to bob"),
        ),
        (
            "bob",
            &["command:deliver ...", "command:deliver ..."],
            Err("is named twice"),
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
            &["command:deliver ..."],
            Err("cannot be part of a place"),
        ),
        (
            "a@b",
            &["dotenv:/etc/jobs/{user}.env"],
            Err("cannot be part of a place"),
        ),
        ("a@b", &["json:/etc/all.json"], Ok("json:/etc/all.json")),
    ];

    #[test]
    fn what_a_caller_may_choose() {
        let places = places();
        for &(user, given, expected) in CHOICES {
            let given: Vec<_> = given.iter().map(|&place| place.to_owned()).collect();
            let filled = places.fill(&given, self::user(user, "/jobs/nightly/", &[]));
            match (filled, expected) {
                (Ok(specs), Ok(expected)) => {
                    let names: Vec<_> = specs.iter().map(ToString::to_string).collect();
                    assert_eq!(names.join(" "), expected, "{user} {given:?}");
                }
                (Err(fault), Err(expected_text)) => {
                    let text = fault.wire().message.unwrap();
                    assert!(text.contains(expected_text), "{user} {given:?}: {text}");
                }
                (got, _) => panic!("{user} {given:?}: {got:?}"),
            }
        }
    }

    /// A caller who may rotate a key cannot deliver it to a destination of other users.
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
            assert_eq!(places.accepts(&listed, user), allowed, "{place} {user:?}");
            let whole = [places.whole(&listed)];
            let closed = places.closed_to(user, &whole);
            assert_eq!(closed.is_none(), allowed, "{place} {user:?}");
        }
    }

    /// The arguments of a program and the query of a webhook are for the operator only.
    #[test]
    fn callers_see_no_argument_and_no_query() {
        let whole = [
            "command:/x.sh --token SECRET --for {user}",
            "webhook:https://h/{user}?token=SECRET",
            "dotenv:~/{user}.env",
            "dotenv:/y?after=reload SECRET",
        ];
        let list = whole.map(|place| format!("[everyone] {place}")).to_vec();
        let places = AllowedDestinations::new(list).unwrap();
        let public = [
            "command:/x.sh ...",
            "webhook:https://h/{user}?...",
            "dotenv:~/{user}.env",
            "dotenv:/y?after=reload ...",
        ];
        assert_eq!(places.all()[1..], public);
        for (whole, public) in whole.into_iter().zip(public) {
            assert_eq!(places.whole(public), whole);
            assert_eq!(places.public(whole, None), public);
            let text = places.redacted(
                &format!("{}: exit 1", whole.replace("{user}", "bob")),
                "bob",
            );
            assert!(!text.contains("SECRET"), "{text}");
            let filled = places
                .fill(&[public.to_owned()], user("bob", "/", &[]))
                .unwrap();
            assert_eq!(filled.len(), 1);
            assert_eq!(
                filled[0].to_string().contains("SECRET"),
                whole.contains("SECRET")
            );
        }
        assert_eq!(
            places.public("command:gone SECRET", None),
            "command:gone ..."
        );
        // Asking for full names must not confirm a guess.
        for guess in [whole[0], "command:/x.sh --token SECRET --for bob"] {
            let filled = places.fill(&[guess.to_owned()], user("bob", "/", &[]));
            assert!(filled.is_err(), "{guess}");
        }
        let twins = [
            "[everyone] command:/x.sh SECRET",
            "[user=bob] command:/x.sh b",
        ];
        let refused = AllowedDestinations::new(twins.map(str::to_owned).to_vec()).unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused.starts_with("command:/x.sh ... cannot be"),
            "{refused}"
        );
    }

    /// A policy that denies a destination knows it by its listed name, so no other name may refer
    /// to it.
    #[test]
    fn a_destination_is_named_as_it_is_listed() {
        let listed = "[everyone] dotenv:/etc/../etc/jobs/{user}.env";
        let places = AllowedDestinations::new(vec![listed.to_owned()]).unwrap();
        let sink = "dotenv:/etc/../etc/jobs/bob.env"
            .parse::<SinkSpec>()
            .unwrap();
        let sink = sink.to_string();
        for (place, sink, meant) in [
            ("dotenv:/etc/../etc/jobs/{user}.env", sink.as_str(), true),
            ("dotenv:/etc/../etc/jobs/bob.env", &sink, true),
            ("dotenv:/etc/../etc/jobs/eve.env", &sink, false),
            ("person", "person", true),
            ("person", &sink, false),
            // No longer listed: only the public name refers to it.
            ("command:/x.sh ...", "command:/x.sh --for bob", true),
            ("command:/x.sh --for bob", "command:/x.sh --for bob", false),
            ("csv:/{user}.csv", "csv:/bob.csv", true),
        ] {
            assert_eq!(places.means(place, "bob", sink), meant, "{place} {sink}");
        }
        let tilde =
            AllowedDestinations::new(vec!["[everyone] dotenv:~/{user}.env".to_owned()]).unwrap();
        let sink = "dotenv:~/bob.env".parse::<SinkSpec>().unwrap().to_string();
        assert!(tilde.means("dotenv:~/{user}.env", "bob", &sink));
        assert!(!tilde.means(&sink, "bob", &sink), "a second spelling");
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
        for (bad, expected_text) in [
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
            let refused = AllowedDestinations::new(vec![bad.to_owned()])
                .unwrap_err()
                .to_string();
            assert!(
                refused.starts_with(bad) && refused.contains(expected_text),
                "{refused}"
            );
        }
        let tag = "tag=a=b=c".parse::<DestinationUsers>();
        assert_eq!(
            tag,
            Ok(DestinationUsers::Tag("a".to_owned(), "b=c".to_owned()))
        );
    }
}
