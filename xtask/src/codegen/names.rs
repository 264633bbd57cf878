//! Converts the model's names to Rust, and computes the order in which AWS reports violations.

/// `SAMLProviderArn` becomes `saml_provider_arn`.
pub(super) fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|j| chars.get(j));
        let after = chars.get(i + 1);
        let starts_word = c.is_ascii_uppercase()
            && before.is_some_and(|b| {
                !b.is_ascii_uppercase() || after.is_some_and(char::is_ascii_lowercase)
            });
        if starts_word && !out.ends_with('_') {
            out.push('_');
        }
        out.push(if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        });
    }
    match out.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("n{out}"),
        _ => out,
    }
}

/// The identifier of a field.
pub(super) fn field(name: &str) -> String {
    let snake = snake(name);
    match snake.as_str() {
        "type" | "use" | "match" | "ref" | "where" | "static" => format!("r#{snake}"),
        _ => snake,
    }
}

/// `userNameType` becomes `USER_NAME_TYPE`.
pub(super) fn screaming(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// The type name of a structure, with an upper-case first letter.
pub(super) fn pascal(name: &str) -> String {
    map_first(name, |c| c.to_ascii_uppercase())
}

/// A member's name in an error message: `SAMLAssertion` becomes `sAMLAssertion`.
pub(super) fn lower_first(name: &str) -> String {
    map_first(name, |c| c.to_ascii_lowercase())
}

fn map_first(name: &str, change: impl Fn(char) -> char) -> String {
    let mut chars = name.chars();
    chars.next().map(change).into_iter().chain(chars).collect()
}

/// The position of a member among the violations that AWS reports for a structure of `count`
/// members.
///
/// Recorded responses list several violations in neither the model's, nor the request's, nor
/// alphabetical order, but in the iteration order of a Java hash map keyed by the member's name.
pub(super) fn report_place(member: &str, count: usize) -> u32 {
    let mut buckets: u32 = 16;
    while count > (buckets as usize) * 3 / 4 {
        buckets *= 2;
    }
    let hash = lower_first(member).encode_utf16().fold(0u32, |h, unit| {
        h.wrapping_mul(31).wrapping_add(u32::from(unit))
    });
    (hash ^ (hash >> 16)) & (buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::{field, lower_first, report_place, screaming, snake};

    #[test]
    fn spellings() {
        for (name, expected) in [
            ("UserName", "user_name"),
            ("SAMLProviderArn", "saml_provider_arn"),
            ("ClientIDList", "client_id_list"),
            ("OpenIDConnectProviderArn", "open_id_connect_provider_arn"),
            ("Base32StringSeed", "base32_string_seed"),
            ("QRCodePNG", "qr_code_png"),
        ] {
            assert_eq!(snake(name), expected);
        }
        assert_eq!(field("Type"), "r#type");
        assert_eq!(screaming("userNameType"), "USER_NAME_TYPE");
        assert_eq!(lower_first("SAMLAssertion"), "sAMLAssertion");
    }

    #[test]
    fn violations_are_reported_in_the_recorded_order() {
        for (count, members) in [
            (
                9,
                vec![
                    "MinimumPasswordLength",
                    "PasswordReusePrevention",
                    "MaxPasswordAge",
                ],
            ),
            (4, vec!["ClientIDList", "ThumbprintList", "Url"]),
            (2, vec!["Value", "Key"]),
        ] {
            let places: Vec<u32> = members.iter().map(|m| report_place(m, count)).collect();
            assert!(places.is_sorted(), "{members:?}: {places:?}");
        }
    }
}
