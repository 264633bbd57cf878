//! The name of a destination for callers of a server, without what its operator meant for a program
//! or a webhook only.
//!
//! Invariant: of a command it shows only the program, and of a URL no query. Arguments and queries
//! are where operators put tokens. The operator's own command line and the journal have the full
//! name.

use reqwest::Url;

use super::{SinkSpec, person};

/// The placeholder for omitted parts.
const REST: &str = "...";

impl SinkSpec {
    /// The name without arguments and queries.
    pub fn public_name(&self) -> String {
        match self.is_person() {
            true => person::NAME.to_owned(),
            false => format!("{}:{}", self.kind, self.destination.public()),
        }
    }
}

/// The public form of a stored name. If the name cannot be parsed, only its kind.
pub fn public_name(name: &str) -> String {
    match name.parse::<SinkSpec>() {
        Ok(spec) => spec.public_name(),
        Err(_) => {
            let kind = name.split(':').next().unwrap_or_default();
            format!("{kind}:{REST}")
        }
    }
}

/// A command line reduced to its program.
pub(super) fn without_arguments(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [program] => shell_words::quote(program).into_owned(),
        [program, ..] => format!("{} {REST}", shell_words::quote(program)),
    }
}

/// A URL without query and fragment.
pub(super) fn without_query(url: &Url) -> String {
    if url.query().is_none() && url.fragment().is_none() {
        return url.to_string();
    }
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    format!("{url}?{REST}")
}

#[cfg(test)]
mod tests {
    use super::public_name;

    #[test]
    fn arguments_and_queries_are_left_out() {
        for (name, public) in [
            ("person", "person"),
            ("command:/x.sh", "command:/x.sh"),
            ("command:/x.sh --token SECRET", "command:/x.sh ..."),
            ("command:'/my x.sh' SECRET", "command:'/my x.sh' ..."),
            ("webhook:https://h/hook", "webhook:https://h/hook"),
            (
                "webhook:https://h/hook?token=SECRET",
                "webhook:https://h/hook?...",
            ),
            (
                "webhook:https://h/hook#SECRET",
                "webhook:https://h/hook?...",
            ),
            ("webhook:https://me:SECRET@h/hook", "webhook:..."),
            ("what:SECRET", "what:..."),
            (
                "dotenv:/x.env?after=reload --token SECRET#A,B",
                "dotenv:/x.env?after=reload ...#A,B",
            ),
            (
                "dotenv:/x.env?after=reload#A,B",
                "dotenv:/x.env?after=reload#A,B",
            ),
            (
                "csv:/x.csv?after=reload SECRET",
                "csv:/x.csv?after=reload ...",
            ),
            (
                "ssh:h/dotenv:/x.env?after=reload SECRET#A,B",
                "ssh:h/dotenv:/x.env?after=reload ...#A,B",
            ),
        ] {
            assert_eq!(public_name(name), public, "{name}");
            // A public name stays as it is.
            if !public.ends_with(":...") {
                assert_eq!(public_name(public), public);
            }
        }
    }
}
