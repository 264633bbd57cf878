//! What bash reads from a file that is sourced, as far as that is known without running it.
//!
//! Invariant: a command that could set a variable in a way that is not understood ends the
//! analysis; it is never skipped.

use super::reading::{AssignedValue, Assignment, ParseStop, ParsedFile};

/// Reads the file like `source` in bash.
pub(super) fn read(text: &str) -> ParsedFile {
    let mut lexer = BashLexer { text, at: 0 };
    let mut assignments = Vec::new();
    let mut stop = None;
    while stop.is_none() && lexer.at < text.len() {
        let at = lexer.at;
        match lexer.command() {
            Ok((words, CommandEnd::Alone)) => stop = run(at, words, &mut assignments),
            // It runs in a subshell.
            Ok((_, CommandEnd::Beside)) => {}
            Err(why) => stop = Some(why),
        }
    }
    ParsedFile { assignments, stop }
}

/// Whether a command runs alone, or in a subshell (in a pipeline or in the background).
#[derive(PartialEq, Eq)]
enum CommandEnd {
    Alone,
    Beside,
}

struct BashWord {
    at: usize,
    /// The text without quotes; `None` if it is computed.
    text: Option<String>,
    /// The assignment, if the word is one.
    assigns: Option<Assignment>,
}

/// Commands whose arguments declare variables.
const DECLARING: [&str; 4] = ["export", "declare", "typeset", "readonly"];
/// Commands after which no variable is certain.
const OPAQUE: [&str; 8] = [
    ".", "source", "eval", "exec", "exit", "return", "read", "trap",
];
/// Words that begin or end a compound command.
const RESERVED: [&str; 18] = [
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac",
    "function", "select", "{", "}", "!", "[[",
];

/// Records what a command assigns.
fn run(at: usize, words: Vec<BashWord>, found: &mut Vec<Assignment>) -> Option<ParseStop> {
    let name_at = words.iter().position(|word| word.assigns.is_none());
    let Some(name_at) = name_at else {
        found.extend(words.into_iter().filter_map(|word| word.assigns));
        return None;
    };
    let name = words.get(name_at)?.text.clone();
    let arguments = words.into_iter().skip(name_at + 1);
    let Some(name) = name else {
        return Some(ParseStop::unclear(at, "a command name is computed"));
    };
    if name_at == 0 && RESERVED.contains(&name.as_str()) {
        return Some(ParseStop::unclear(at, "there is a compound command"));
    }
    if OPAQUE.contains(&name.as_str()) {
        return Some(ParseStop::unclear(
            at,
            "there is a command that may set any variable",
        ));
    }
    if name == "unset" {
        found.extend(arguments.filter_map(|word| {
            Some(Assignment {
                name: word.text?,
                at: word.at,
                value: AssignedValue::Unknown,
            })
        }));
        return None;
    }
    if !DECLARING.contains(&name.as_str()) {
        return None;
    }
    for word in arguments {
        match (word.assigns, word.text.as_deref()) {
            (Some(assignment), _) => found.push(assignment),
            (None, Some(option)) if option.starts_with(['-', '+']) => {
                let plain = |c: char| matches!(c, '-' | 'x' | 'r' | 'g');
                if !option.chars().all(plain) {
                    return Some(ParseStop::unclear(
                        word.at,
                        "there is an unsupported option",
                    ));
                }
            }
            (None, Some(_)) => {}
            (None, None) => {
                return Some(ParseStop::unclear(word.at, "a variable name is computed"));
            }
        }
    }
    None
}

struct BashLexer<'a> {
    text: &'a str,
    at: usize,
}

#[derive(Default)]
struct WordBuilder {
    text: String,
    /// Whether part of the word is computed.
    computed: bool,
    /// Whether quotes or escapes make the source differ from the value.
    quoted: bool,
    /// The inner range, if one quoted string is the whole value.
    inner: Option<(usize, usize)>,
    /// The end of the variable name, if the word is an assignment.
    equals: Option<usize>,
}

impl<'a> BashLexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    /// Reads the words up to the end of the command.
    fn command(&mut self) -> Result<(Vec<BashWord>, CommandEnd), ParseStop> {
        let mut words = Vec::new();
        let mut redirected = false;
        loop {
            let Some(c) = self.peek() else {
                return Ok((words, CommandEnd::Alone));
            };
            match c {
                ' ' | '\t' => self.bump(),
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                '\n' | ';' => {
                    self.bump();
                    return Ok((words, CommandEnd::Alone));
                }
                '&' | '|' => {
                    let doubled = self.rest().starts_with("&&") || self.rest().starts_with("||");
                    self.at += if doubled { 2 } else { 1 };
                    if doubled {
                        // Whether the next command runs is unknown.
                        return Err(ParseStop::unclear(
                            self.at,
                            "one command depends on another",
                        ));
                    }
                    return Ok((words, CommandEnd::Beside));
                }
                '#' => {
                    let rest = self.rest();
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                '(' | ')' => return Err(ParseStop::failing(self.at, "there is a parenthesis")),
                '<' | '>' => {
                    if self.rest().starts_with("<<") {
                        return Err(ParseStop::unclear(self.at, "there is a here-document"));
                    }
                    self.bump();
                    redirected = true;
                }
                _ => {
                    let word = self.word()?;
                    if !std::mem::take(&mut redirected) {
                        words.push(word);
                    }
                }
            }
        }
    }

    fn word(&mut self) -> Result<BashWord, ParseStop> {
        let start = self.at;
        let mut draft = WordBuilder::default();
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '\'' | '"' => self.quote(c, &mut draft)?,
                '\\' => {
                    draft.quoted = true;
                    self.bump();
                    let escaped = self.peek();
                    self.bump();
                    draft.text.extend(escaped.filter(|c| *c != '\n'));
                }
                '$' | '`' => self.computed(c, &mut draft)?,
                c => {
                    if c == '=' && draft.equals.is_none() && !draft.quoted && !draft.computed {
                        draft.equals = is_name(&draft.text).then_some(self.at);
                    }
                    draft.text.push(c);
                    self.bump();
                }
            }
        }
        Ok(self.finish(start, draft))
    }

    fn finish(&self, start: usize, draft: WordBuilder) -> BashWord {
        let assigns = draft.equals.map(|equals| {
            let whole = self.text.get(start..equals).unwrap_or_default();
            let raw = self.text.get(equals + 1..self.at).unwrap_or_default();
            let meant = draft.text.get(whole.len() + 1..).unwrap_or_default();
            let inner = draft
                .inner
                .filter(|(from, to)| *from == equals + 2 && to + 1 == self.at);
            let value = match inner {
                _ if draft.computed || whole.ends_with('+') => AssignedValue::Unknown,
                Some((from, to)) if self.text.get(from..to) == Some(meant) => {
                    AssignedValue::literal(meant, from)
                }
                None if raw == meant => AssignedValue::literal(meant, equals + 1),
                _ => AssignedValue::Unknown,
            };
            Assignment {
                name: whole.trim_end_matches('+').to_owned(),
                at: start,
                value,
            }
        });
        BashWord {
            at: start,
            text: (!draft.computed).then_some(draft.text),
            assigns,
        }
    }

    fn quote(&mut self, quote: char, draft: &mut WordBuilder) -> Result<(), ParseStop> {
        let open = self.at;
        draft.quoted = true;
        self.bump();
        let from = self.at;
        loop {
            let Some(c) = self.peek() else {
                return Err(ParseStop::failing(open, "there is an unclosed quote"));
            };
            match c {
                c if c == quote => break,
                '\\' if quote == '"' => {
                    self.bump();
                    let escaped = self.peek();
                    self.bump();
                    match escaped {
                        Some('\n') => {}
                        Some(c @ ('$' | '`' | '"' | '\\')) => draft.text.push(c),
                        other => draft.text.extend(std::iter::once('\\').chain(other)),
                    }
                }
                '$' | '`' if quote == '"' => self.computed(c, draft)?,
                c => {
                    draft.text.push(c);
                    self.bump();
                }
            }
        }
        draft.inner = Some((from, self.at));
        self.bump();
        Ok(())
    }

    /// Skips an expansion. Only its end matters.
    fn computed(&mut self, sign: char, draft: &mut WordBuilder) -> Result<(), ParseStop> {
        let at = self.at;
        draft.computed = true;
        self.bump();
        let (open, close) = match (sign, self.peek()) {
            ('`', _) => (None, '`'),
            (_, Some('(')) => (Some('('), ')'),
            (_, Some('{')) => (Some('{'), '}'),
            _ => return Ok(()),
        };
        let mut depth = usize::from(open.is_none());
        loop {
            let Some(c) = self.peek() else {
                return Err(ParseStop::failing(at, "there is an unclosed expansion"));
            };
            if matches!(c, '\'' | '"' | '\n') {
                return Err(ParseStop::unclear(at, "there is an unsupported expansion"));
            }
            self.bump();
            if Some(c) == open {
                depth += 1;
            } else if c == close {
                depth -= 1;
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// Whether the text is a variable name, possibly followed by the `+` of `+=`.
fn is_name(text: &str) -> bool {
    let name = text.strip_suffix('+').unwrap_or(text);
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(good) && !name.starts_with(|c: char| c.is_ascii_digit())
}
