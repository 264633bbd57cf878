//! Whether two patterns have a text in common. Errs on one side only: patterns that might share a
//! text are reported as overlapping, so that no finding rests on a guess.

use super::scan::variable;

/// Maximum length of a pattern that is compared, in symbols. Longer ones are reported as
/// overlapping.
const SYMBOLS_MAX: usize = 2048;

/// A piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PatternSymbol {
    Exactly(char),
    /// `?`
    One,
    /// `*`, a variable, or a placeholder.
    Many,
    /// Part of an ARN that cannot contain this character: no slash in a bucket name, no colon in an
    /// account.
    ManyWithout(char),
}

impl PatternSymbol {
    const fn repeats(self) -> bool {
        matches!(self, Self::Many | Self::ManyWithout(_))
    }

    /// Whether a repeating symbol can produce what another symbol produces.
    fn takes(self, other: Self) -> bool {
        match self {
            Self::ManyWithout(character) => other != Self::Exactly(character),
            _ => true,
        }
    }

    /// Whether two single symbols can be the same character.
    fn meets(self, other: Self) -> bool {
        self == Self::One || other == Self::One || self == other
    }
}

/// A pattern that can be compared with others.
#[derive(Debug, Clone)]
pub(crate) struct PatternOutline(Vec<PatternSymbol>);

impl PatternOutline {
    /// A resource as written in a policy. The value of a variable may be anything.
    pub(crate) fn of_resource(text: &str) -> Self {
        let mut symbols = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let body = variable(rest).map(|(body, _)| body.len() + "${}".len());
            symbols.push(match next {
                _ if body.is_some() => PatternSymbol::Many,
                '*' => PatternSymbol::Many,
                '?' => PatternSymbol::One,
                other => PatternSymbol::Exactly(other),
            });
            rest = rest.get(body.unwrap_or(next.len_utf8())..).unwrap_or("");
        }
        Self(symbols)
    }

    /// A literal text.
    pub(crate) fn of_text(text: &str) -> Self {
        Self(text.chars().map(PatternSymbol::Exactly).collect())
    }

    /// A published ARN such as `arn:${Partition}:s3:::${BucketName}/${KeyName}`.
    pub(crate) fn of_template(template: &str) -> Self {
        let mut symbols = Vec::new();
        let mut rest = template;
        while let Some((fixed, after)) = rest.split_once("${") {
            symbols.extend(fixed.chars().map(PatternSymbol::Exactly));
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            symbols.push(match name {
                "BucketName" => PatternSymbol::ManyWithout('/'),
                "Partition" | "Region" | "Account" => PatternSymbol::ManyWithout(':'),
                _ => PatternSymbol::Many,
            });
            rest = after;
        }
        // Some published ARNs use an asterisk for a part that may be anything.
        symbols.extend(rest.chars().map(|c| match c {
            '*' => PatternSymbol::Many,
            other => PatternSymbol::Exactly(other),
        }));
        Self(symbols)
    }

    /// Whether some text matches both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.0, &other.0);
        if ours.len() > SYMBOLS_MAX || theirs.len() > SYMBOLS_MAX {
            return true;
        }
        // For one position in our pattern, `reached` holds the positions in the other pattern that
        // some text leads to. Each row depends only on the previous one.
        let mut reached = vec![false; theirs.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        for ours in ours.iter().map(Some).chain([None]) {
            settle(&mut reached, ours.copied(), theirs);
            if let Some(symbol) = ours {
                reached = step(&reached, *symbol, theirs);
            }
        }
        reached.last().copied().unwrap_or(false)
    }
}

/// Advances within the other pattern: past symbols that may be empty, and past what a repeating
/// symbol of ours consumes.
fn settle(reached: &mut [bool], ours: Option<PatternSymbol>, theirs: &[PatternSymbol]) {
    let mut before = false;
    let symbols = [None].into_iter().chain(theirs.iter().map(Some));
    for (here, symbol) in reached.iter_mut().zip(symbols) {
        let passable = symbol.is_some_and(|their| {
            their.repeats() || ours.is_some_and(|o| o.repeats() && o.takes(*their))
        });
        *here |= before && passable;
        before = *here;
    }
}

/// Advances past one symbol of ours.
fn step(reached: &[bool], ours: PatternSymbol, theirs: &[PatternSymbol]) -> Vec<bool> {
    let mut next = vec![false; reached.len()];
    for (at, _) in reached.iter().enumerate().filter(|(_, reached)| **reached) {
        let their = theirs.get(at);
        let stays = ours.repeats() || their.is_some_and(|t| t.repeats() && t.takes(ours));
        let moves = their.is_some_and(|t| !t.repeats() && !ours.repeats() && t.meets(ours));
        for (to, wanted) in [(at, stays), (at + 1, moves)] {
            if let (Some(place), true) = (next.get_mut(to), wanted) {
                *place = true;
            }
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::PatternOutline;

    #[test]
    fn patterns_overlap_where_one_text_matches_both() {
        const BUCKET: &str = "arn:${Partition}:s3:::${BucketName}";
        const OBJECT: &str = "arn:${Partition}:s3:::${BucketName}/${KeyName}";
        const ACCESS_POINT: &str = "arn:${Partition}:s3:${Region}:${Account}:accesspoint/${Name}";
        const USER: &str = "arn:${Partition}:iam::${Account}:user/${UserNameWithPath}";
        for (resource, template, expected) in [
            ("arn:aws:s3:::b", BUCKET, true),
            ("arn:aws:s3:::b/*", BUCKET, false),
            ("arn:aws:s3:::b*", BUCKET, true),
            ("arn:aws:s3:::?", BUCKET, true),
            ("arn:aws:s3:::a?b", OBJECT, true),
            ("arn:aws:s3:::b/k", OBJECT, true),
            ("arn:aws:s3:::b", OBJECT, false),
            ("arn:aws:s3:::b*", OBJECT, true),
            ("arn:aws:s3:::*", OBJECT, true),
            ("arn:aws:s3:::${aws:username}", OBJECT, true),
            ("arn:aws:s3:::${aws:username}/*", BUCKET, false),
            ("arn:*:s3:::b", BUCKET, true),
            ("arn:aws:s3", BUCKET, false),
            ("arn:aws:s3:::b/*", ACCESS_POINT, false),
            ("arn:aws:s3:*:accesspoint/a", ACCESS_POINT, true),
            ("*", USER, true),
            ("arn:aws:iam::1:user/a", USER, true),
            ("arn:aws:iam::1:role/a", USER, false),
            ("arn:aws:iam::*:u*", USER, true),
            ("", USER, false),
            ("*x", "y${Z}x", true),
            ("*x", "y${Z}z", false),
            ("a*c*e", "${A}b${B}d${C}", true),
            ("a*c*e", "${A}b${B}d", false),
            ("a*c*e", "${A}b${B}e", true),
            ("*", "${Account}:x", true),
        ] {
            let found = PatternOutline::of_resource(resource)
                .overlaps(&PatternOutline::of_template(template));
            assert_eq!(found, expected, "{resource} and {template}");
        }
    }

    #[test]
    fn a_long_pattern_overlaps_whatever_it_says() {
        let template = PatternOutline::of_template("arn:aws:x");
        assert!(!PatternOutline::of_resource(&"a".repeat(2048)).overlaps(&template));
        assert!(PatternOutline::of_resource(&"a".repeat(2049)).overlaps(&template));
    }
}
