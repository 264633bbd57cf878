//! Problems in a fleet file, each with line, column and a hint.

use std::{cell::RefCell, fmt, ops::Range};

/// The maximum number of problems listed. The rest are only counted.
const LISTED_PROBLEMS: usize = 50;

/// A position in a file. Both counts start at 1; the column counts characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePosition {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileProblem {
    /// Where it is.
    pub at: FilePosition,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub hint: Option<String>,
}

/// Every problem of a file, in file order. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<FileProblem>);

impl ConfigErrors {
    /// Returns an error if there are problems.
    ///
    /// # Errors
    /// The problems themselves.
    pub fn check(mut problems: Vec<FileProblem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort();
        problems.dedup();
        Err(Self(problems))
    }

    /// All problems.
    pub fn problems(&self) -> &[FileProblem] {
        &self.0
    }

    /// Formats the problems as compilers do: `FILE:LINE:COLUMN: message`, with a hint below.
    pub fn of_file(&self, file: &str) -> String {
        let count = self.0.len();
        let mut text = match count {
            1 => "there is 1 error in the fleet file; no rotation was started".to_owned(),
            _ => format!("there are {count} errors in the fleet file; no rotation was started"),
        };
        for problem in self.0.iter().take(LISTED_PROBLEMS) {
            text.push_str(&format!("\n{file}:{}: {}", problem.at, problem.message));
            if let Some(hint) = &problem.hint {
                text.push_str(&format!("\n  hint: {hint}"));
            }
        }
        if count > LISTED_PROBLEMS {
            text.push_str(&format!("\nand {} more", count - LISTED_PROBLEMS));
        }
        text
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of_file("fleet file"))
    }
}

impl std::error::Error for ConfigErrors {}

/// Collects the problems of one file while it is read.
#[derive(Debug)]
pub(super) struct ProblemList<'t> {
    text: &'t str,
    /// Byte offset of each line.
    line_starts: Vec<usize>,
    found: RefCell<Vec<FileProblem>>,
}

impl<'t> ProblemList<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            line_starts: std::iter::once(0).chain(breaks).collect(),
            found: RefCell::default(),
        }
    }

    /// Converts a byte offset.
    pub(super) fn position(&self, offset: usize) -> FilePosition {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|at| self.line_starts.get(at));
        let before = self.text.get(start.copied().unwrap_or(0)..offset);
        FilePosition {
            line: line.max(1),
            column: before.map_or(0, |text| text.chars().count()) + 1,
        }
    }

    pub(super) fn add(&self, span: &Range<usize>, message: impl Into<String>, hint: Hint<'_>) {
        self.add_at(self.position(span.start), message, hint);
    }

    pub(super) fn add_at(&self, at: FilePosition, message: impl Into<String>, hint: Hint<'_>) {
        self.found.borrow_mut().push(FileProblem {
            at,
            message: message.into(),
            hint: hint.map(str::to_owned),
        });
    }

    pub(super) fn into_found(self) -> Vec<FileProblem> {
        self.found.into_inner()
    }
}

/// How to fix a problem, if there is advice to give.
pub(super) type Hint<'h> = Option<&'h str>;

/// The known word closest to an unknown one, if any is close enough.
pub(super) fn closest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let longer = |other: &&&str| word.starts_with(**other) || other.starts_with(word);
    let likeness = |other: &str| strsim::damerau_levenshtein(word, other);
    let best = known.iter().min_by_key(|other| likeness(other))?;
    let is_like = likeness(best) <= (word.chars().count() / 3).max(1);
    let best = if is_like {
        Some(best)
    } else {
        known.iter().find(longer)
    };
    best.copied()
}
