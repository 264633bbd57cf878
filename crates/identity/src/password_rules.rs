//! Which passwords an account accepts: by its own password policy, or by AWS's default rules if it
//! has none.
//!
//! Invariant: every way to set a password goes through [`accepts`].
//!
//! Reuse prevention needs the hashes and is checked where they are.

use crate::state::{AccountSettings, PasswordPolicy};

/// The minimum length under the default rules.
const DEFAULT_LENGTH: usize = 8;
/// The number of character classes that the default rules require.
const DEFAULT_CLASSES: usize = 3;
/// The characters that AWS counts as symbols.
const SYMBOLS: &str = "!@#$%^&*()_+-=[]{}|'";

/// Whether the account's rules accept a new password.
pub(crate) fn accepts(settings: &AccountSettings, password: &str) -> bool {
    let classes = CharacterClasses::of(password);
    let length = password.chars().count();
    match &settings.password_policy {
        Some(policy) => {
            let minimum = usize::try_from(policy.minimum_length).unwrap_or(usize::MAX);
            length >= minimum && classes.satisfy(policy)
        }
        None => {
            let alias = settings.alias.as_deref();
            length >= DEFAULT_LENGTH
                && classes.count() >= DEFAULT_CLASSES
                && !alias.is_some_and(|alias| password.eq_ignore_ascii_case(alias))
        }
    }
}

/// The character classes in a password.
struct CharacterClasses {
    upper: bool,
    lower: bool,
    digit: bool,
    symbol: bool,
}

impl CharacterClasses {
    fn of(password: &str) -> Self {
        let any = |class: fn(char) -> bool| password.chars().any(class);
        Self {
            upper: any(|c| c.is_ascii_uppercase()),
            lower: any(|c| c.is_ascii_lowercase()),
            digit: any(|c| c.is_ascii_digit()),
            symbol: any(|c| SYMBOLS.contains(c)),
        }
    }

    fn count(&self) -> usize {
        let all = [self.upper, self.lower, self.digit, self.symbol];
        all.into_iter().filter(|has| *has).count()
    }

    const fn satisfy(&self, policy: &PasswordPolicy) -> bool {
        (self.upper || !policy.require_uppercase)
            && (self.lower || !policy.require_lowercase)
            && (self.digit || !policy.require_numbers)
            && (self.symbol || !policy.require_symbols)
    }
}

#[cfg(test)]
mod tests {
    use super::accepts;
    use crate::state::{AccountSettings, PasswordPolicy};

    #[test]
    fn without_a_policy_the_default_rules_hold() {
        let settings = AccountSettings {
            alias: Some("acme-prod-1".to_owned()),
            ..AccountSettings::default()
        };
        for (password, accepted) in [
            ("Abcdef1!", true),
            ("Abcdefg1", true),
            ("Abcdefg!", true),
            ("abcdef1!", true),
            ("ABCDEF1!", true),
            ("Abcde1!", false),
            ("abcdefgh", false),
            ("abcdefg1", false),
            ("ABCDEFG1", false),
            ("abcdefg!", false),
            ("Abcdefg?", false),
            ("Äbcdefg1", false),
            ("Ab1äöüß!", true),
            ("acme-prod-1", false),
            ("ACME-prod-1", false),
        ] {
            assert_eq!(accepts(&settings, password), accepted, "{password}");
        }
    }

    #[test]
    fn each_rule_of_a_policy_holds_alone() {
        type Rule = fn(&mut PasswordPolicy);
        let none: Rule = |_| {};
        for (rule, password, accepted) in [
            (none, "aaaaaa", true),
            (none, "aaaaa", false),
            (|p| p.minimum_length = 14, "aaaaaaaaaaaaaa", true),
            (|p| p.minimum_length = 14, "aaaaaaaaaaaaa", false),
            (|p| p.require_uppercase = true, "aaaaaA", true),
            (|p| p.require_uppercase = true, "aaa1!ä", false),
            (|p| p.require_lowercase = true, "AAAAAa", true),
            (|p| p.require_lowercase = true, "AAAA1!", false),
            (|p| p.require_numbers = true, "aaaaa1", true),
            (|p| p.require_numbers = true, "aaaaA!", false),
            (|p| p.require_symbols = true, "aaaaa'", true),
            (|p| p.require_symbols = true, "aaaa1~", false),
        ] {
            let mut policy = PasswordPolicy {
                minimum_length: 6,
                ..PasswordPolicy::default()
            };
            rule(&mut policy);
            let settings = AccountSettings {
                alias: Some("aaaaaa".to_owned()),
                password_policy: Some(policy),
                ..AccountSettings::default()
            };
            assert_eq!(
                accepts(&settings, password),
                accepted,
                "{settings:?} {password}"
            );
        }
    }
}
