//! The part of a pattern between two asterisks. Invariant: finding a run takes time linear in the
//! text, even if the run has question marks and even if it nearly matches everywhere.
//!
//! A run of plain text is found by the standard library's search, which is linear. A run with
//! question marks is found by the shift-and algorithm: one bit per unit of the run, all advanced
//! together.

use std::{borrow::Cow, collections::BTreeMap};

use super::{PatternVariable, scan::PatternPiece};

/// A part of a pattern without asterisks.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiteralRun {
    atoms: Box<[RunAtom]>,
    search: Option<ShiftAnd>,
}

#[derive(Debug, Clone)]
pub(super) enum RunAtom {
    Text(Box<str>),
    /// `?`
    One,
    /// A variable, by index.
    Variable(usize),
}

impl RunAtom {
    /// The text that must occur here; `None` for any unit.
    pub(super) fn text<'a>(&'a self, values: &'a [Cow<'_, str>]) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Variable(number) => values.get(*number).map(AsRef::as_ref),
            Self::One => None,
        }
    }

    /// The text, if it comes from the policy itself.
    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::One | Self::Variable(_) => None,
        }
    }
}

impl LiteralRun {
    pub(super) fn of(pieces: &[PatternPiece], variables: &mut Vec<PatternVariable>) -> Self {
        let atoms = pieces.iter().map(|piece| match piece {
            PatternPiece::Text(text) => RunAtom::Text(text.as_str().into()),
            PatternPiece::One | PatternPiece::Many => RunAtom::One,
            PatternPiece::Variable { key, default } => {
                variables.push(PatternVariable {
                    key: key.as_str().into(),
                    default: default.as_deref().map(Into::into),
                });
                RunAtom::Variable(variables.len() - 1)
            }
        });
        Self {
            atoms: atoms.collect(),
            search: None,
        }
    }

    /// Prepares the run for [`LiteralRun::find`].
    pub(super) fn searchable(self) -> Self {
        let fixed = !self.atoms.iter().any(|a| matches!(a, RunAtom::Variable(_)));
        let search = (fixed && self.atoms.len() > 1).then(|| ShiftAnd::new(&self.atoms, &[]));
        Self { search, ..self }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.atoms.is_empty()
    }

    /// The length of its texts in bytes, plus one for each other atom.
    pub(super) fn len(&self) -> usize {
        let atoms = self.atoms.iter();
        atoms.map(|atom| atom.literal().map_or(1, str::len)).sum()
    }

    pub(super) const fn atoms(&self) -> &[RunAtom] {
        &self.atoms
    }

    /// The rest of the text, if the run matches at its start.
    pub(super) fn strip<'a>(
        &self,
        rest: RemainingText<'a>,
        values: &[Cow<'_, str>],
    ) -> Option<RemainingText<'a>> {
        let each = |rest: RemainingText<'a>, atom: &RunAtom| match atom.text(values) {
            Some(text) => rest.strip(text),
            None => rest.skip(),
        };
        self.atoms.iter().try_fold(rest, each)
    }

    /// The rest of the text after the first match of the run.
    pub(super) fn find<'a>(
        &self,
        rest: RemainingText<'a>,
        values: &[Cow<'_, str>],
    ) -> Option<RemainingText<'a>> {
        if let Some(search) = &self.search {
            return search.find(rest);
        }
        if let [atom] = &*self.atoms {
            return match atom.text(values) {
                Some(text) => rest.find(text),
                None => rest.skip(),
            };
        }
        let mut joined = JoinedText::default();
        if self.atoms.iter().all(|atom| joined.add(atom.text(values))) {
            return rest.find(joined.text()?);
        }
        let room = rest.units();
        if self.units(values, room)?.saturating_mul(room) <= TRIED_UNITS {
            return self.try_everywhere(rest, values);
        }
        ShiftAnd::new(&self.atoms, values).find(rest)
    }

    /// [`LiteralRun::find`] for small runs in small texts: tries every position.
    fn try_everywhere<'a>(
        &self,
        mut rest: RemainingText<'a>,
        values: &[Cow<'_, str>],
    ) -> Option<RemainingText<'a>> {
        loop {
            if let Some(after) = self.strip(rest, values) {
                return Some(after);
            }
            rest = rest.skip()?;
        }
    }

    /// The number of units in the run; `None` if it exceeds `room`, where counting stops.
    fn units(&self, values: &[Cow<'_, str>], room: usize) -> Option<usize> {
        self.atoms.iter().try_fold(0_usize, |sum, atom| {
            let units = match atom.text(values) {
                // A unit has at most three bytes.
                Some(text) if text.len() / 3 > room => return None,
                Some(text) => text.encode_utf16().count(),
                None => 1,
            };
            Some(sum + units).filter(|sum| *sum <= room)
        })
    }

    /// The size in words of the automaton that finds the run, as far as it is known before a
    /// request.
    pub(super) fn words(&self) -> usize {
        self.search.as_ref().map_or(1, |search| search.any.len())
    }

    /// Whether an automaton may have to be built for a request.
    pub(super) const fn is_open(&self) -> bool {
        self.search.is_none() && self.atoms.len() > 1
    }

    /// Whether the run matches at the end.
    pub(super) fn ends(&self, mut rest: RemainingText<'_>, values: &[Cow<'_, str>]) -> bool {
        let room = rest.units();
        let Some(units) = self.units(values, room) else {
            return false;
        };
        for _ in units..room {
            let Some(next) = rest.skip() else {
                return false;
            };
            rest = next;
        }
        self.strip(rest, values)
            .is_some_and(RemainingText::is_empty)
    }
}

/// Units of a run with variables, times units of the text, up to which building an automaton for
/// the request does not pay off.
pub(super) const TRIED_UNITS: usize = 16 * 1024;

/// Joins texts on the stack.
struct JoinedText {
    bytes: [u8; 512],
    length: usize,
}

impl Default for JoinedText {
    fn default() -> Self {
        Self {
            bytes: [0; 512],
            length: 0,
        }
    }
}

impl JoinedText {
    /// Appends a text; `false` for a wildcard, or if there is no room.
    fn add(&mut self, text: Option<&str>) -> bool {
        let Some(text) = text else { return false };
        let end = self.length + text.len();
        let Some(room) = self.bytes.get_mut(self.length..end) else {
            return false;
        };
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        true
    }

    fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(..self.length)?).ok()
    }
}

/// The rest of a text, counted in UTF-16 code units.
#[derive(Debug, Clone, Copy)]
pub(super) struct RemainingText<'a> {
    text: &'a str,
    /// Whether the first unit of the first character is already consumed.
    half: bool,
}

impl<'a> RemainingText<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, half: false }
    }

    pub(super) const fn is_empty(self) -> bool {
        self.text.is_empty()
    }

    fn units(self) -> usize {
        self.text.encode_utf16().count() - usize::from(self.half)
    }

    /// The text without its first unit.
    fn skip(self) -> Option<Self> {
        let mut chars = self.text.chars();
        let first = chars.next()?;
        if first.len_utf16() == 2 && !self.half {
            return Some(Self { half: true, ..self });
        }
        Some(Self::new(chars.as_str()))
    }

    fn strip(self, text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(self);
        }
        if self.half {
            return None;
        }
        self.text.strip_prefix(text).map(Self::new)
    }

    fn find(self, text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(self);
        }
        let rest = if self.half { self.skip()? } else { self };
        if text.len() > rest.text.len() {
            // The search would first preprocess the whole text it searches for.
            return None;
        }
        rest.text
            .split_once(text)
            .map(|(_, after)| Self::new(after))
    }
}

/// A shift-and automaton over UTF-16 code units. Its size is proportional to the run's.
#[derive(Debug, Clone)]
struct ShiftAnd {
    /// The positions of each unit other than `?`, sorted by unit.
    masks: Box<[(u16, UnitMask)]>,
    /// The positions of `?`.
    any: Box<[u64]>,
    /// The number of units in the run.
    length: usize,
}

/// The positions of a unit in a run.
#[derive(Debug, Clone)]
enum UnitMask {
    /// A bit mask, which includes the positions of `?`.
    Bits(Box<[u64]>),
    /// A sorted list, for a unit with few positions in a long run. With a bit mask for each of many
    /// units, memory would grow with the square of the run's length.
    Places(Box<[u32]>),
}

/// Length of a run in words up to which bit masks are small, whatever its units are.
const FEW_WORDS: usize = 4;

impl UnitMask {
    fn new(places: Vec<u32>, any: &[u64]) -> Self {
        if any.len() > FEW_WORDS && places.len() <= any.len() {
            return Self::Places(places.into());
        }
        let mut bits: Box<[u64]> = any.into();
        for place in places {
            set(&mut bits, place as usize);
        }
        Self::Bits(bits)
    }
}

impl ShiftAnd {
    fn new(atoms: &[RunAtom], values: &[Cow<'_, str>]) -> Self {
        let mut units: Vec<Option<u16>> = Vec::new();
        for atom in atoms {
            match atom.text(values) {
                Some(text) => units.extend(text.encode_utf16().map(Some)),
                None => units.push(None),
            }
        }
        let words = units.len().div_ceil(64).max(1);
        let mut any = vec![0; words];
        for (at, _) in units.iter().enumerate().filter(|(_, unit)| unit.is_none()) {
            set(&mut any, at);
        }
        let mut places = BTreeMap::<u16, Vec<u32>>::new();
        for (at, unit) in (0_u32..).zip(&units) {
            if let Some(unit) = unit {
                places.entry(*unit).or_default().push(at);
            }
        }
        let masks = places.into_iter();
        Self {
            masks: masks.map(|(u, p)| (u, UnitMask::new(p, &any))).collect(),
            any: any.into(),
            length: units.len(),
        }
    }

    fn find<'a>(&self, rest: RemainingText<'a>) -> Option<RemainingText<'a>> {
        if self.length == 0 {
            return Some(rest);
        }
        let mut few = [0; 8];
        let mut many;
        let state = match few.get_mut(..self.any.len()) {
            Some(state) => state,
            None => {
                many = vec![0; self.any.len()];
                many.as_mut_slice()
            }
        };
        let mut chars = rest.text.chars();
        let mut taken = usize::from(rest.half);
        loop {
            let here = chars.as_str();
            let character = chars.next()?;
            let mut buffer = [0; 2];
            let units = character.encode_utf16(&mut buffer);
            for (at, unit) in units.iter().enumerate().skip(taken) {
                if !self.advance(state, *unit) {
                    continue;
                }
                let half = at + 1 < units.len();
                return Some(if half {
                    RemainingText { text: here, half }
                } else {
                    RemainingText::new(chars.as_str())
                });
            }
            taken = 0;
        }
    }

    /// Consumes one unit; returns whether the run ends here.
    fn advance(&self, state: &mut [u64], unit: u16) -> bool {
        let found = self.masks.binary_search_by_key(&unit, |(unit, _)| *unit);
        let mask = found.ok().and_then(|at| self.masks.get(at));
        let (mask, places) = match mask {
            Some((_, UnitMask::Bits(mask))) => (mask, &[][..]),
            Some((_, UnitMask::Places(places))) => (&self.any, &**places),
            None => (&self.any, &[][..]),
        };
        let mut places = places.iter().copied().peekable();
        let mut drive_one = 1;
        for ((word, mask), number) in state.iter_mut().zip(mask).zip(0_u32..) {
            let mut mask = *mask;
            while let Some(place) = places.next_if(|place| place / 64 == number) {
                mask |= 1 << (place % 64);
            }
            let shifted = (*word << 1) | drive_one;
            drive_one = *word >> 63;
            *word = shifted & mask;
        }
        let last = self.length - 1;
        let word = state.get(last / 64).copied().unwrap_or_default();
        word & (1 << (last % 64)) != 0
    }
}

fn set(bits: &mut [u64], at: usize) {
    if let Some(word) = bits.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::{RemainingText, RunAtom, ShiftAnd, UnitMask};

    /// Regression: a long run of many units took memory quadratic in its length.
    #[test]
    fn an_automaton_is_as_large_as_its_run() {
        let text: String = ('\u{4e00}'..'\u{9e00}').collect();
        let atoms = [RunAtom::Text(text.as_str().into()), RunAtom::One];
        let search = ShiftAnd::new(&atoms, &[]);
        let words = search.masks.iter().map(|(_, mask)| match mask {
            UnitMask::Bits(bits) => bits.len(),
            UnitMask::Places(places) => places.len().div_ceil(2),
        });
        assert!(words.sum::<usize>() <= 2 * search.length);
    }

    /// Both representations of a mask behave the same.
    #[test]
    fn long_runs_are_found_where_short_ones_are() {
        let rare: String = ('a'..='z').cycle().take(400).collect();
        let common = "ab".repeat(200);
        for run in [rare, common] {
            let (head, tail) = run.split_at(350);
            let atoms = [
                RunAtom::Text(head.into()),
                RunAtom::One,
                RunAtom::Text(tail.into()),
            ];
            let search = ShiftAnd::new(&atoms, &[]);
            let found = |text: &str| {
                search
                    .find(RemainingText::new(text))
                    .map(|rest| rest.text.to_owned())
            };
            let whole = format!("x{head}?{tail}yz");
            assert_eq!(found(&whole).as_deref(), Some("yz"));
            assert_eq!(found(&whole.replacen(tail, "", 1)), None);
            let near = format!("{head}{head}x{tail}!");
            assert_eq!(found(&near).as_deref(), Some("!"));
        }
    }
}
