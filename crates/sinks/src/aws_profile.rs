//! A profile in AWS's shared credentials file.
//!
//! Invariants: The file is read as botocore reads it, the library under the AWS CLI and boto3.
//! Indentation decides whether a line is a setting or continues the one before. Quotes and comments
//! after a value are part of the value. A duplicate section or setting makes the whole file
//! invalid. A write changes nothing but the two values of one profile; a file where that is
//! impossible is rejected.

use std::{ops::Range, path::PathBuf};

use keywright_base::Secret;
use keywright_rotation::{
    model::{KeyId, KeyPair},
    ports::MissingTarget,
};

use super::{
    document::{DocumentFormat, DocumentView},
    text::{LineSpan, at_line, edited, is_id, line_end, lines, pair_of, similar, unmarked_text},
};

const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
/// Settings that mark credentials as temporary.
const TOKENS: [&str; 2] = ["aws_session_token", "aws_security_token"];

/// The section whose settings apply to every profile.
const DEFAULT: &str = "DEFAULT";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AwsProfile(String);

/// The path where the AWS CLI looks for the file.
pub(super) fn usual_file() -> Option<PathBuf> {
    let payload = variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    let payload = payload.and_then(|path| std::path::absolute(path).ok());
    payload.or_else(|| Some(home()?.join(".aws/credentials")))
}

pub(super) fn home() -> Option<PathBuf> {
    variable("HOME").map(PathBuf::from)
}

/// An environment variable of the system or of AWS. `None` if it is empty or not UTF-8.
pub fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "AWS's and the system's variables, read where every AWS client reads them"
    )]
    let value = std::env::var(name).ok();
    value.filter(|value| !value.is_empty())
}

impl AwsProfile {
    pub(super) fn new(name: &str) -> Result<Self, String> {
        let bad = |c: char| c.is_control() || matches!(c, '[' | ']');
        if name.is_empty() || name.trim() != name || name.contains(bad) || name == DEFAULT {
            return Err(format!("{name} is not a valid profile name"));
        }
        Ok(Self(name.to_owned()))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    fn absent(&self, sections: &[ProfileSection]) -> Option<MissingTarget> {
        let names = sections.iter().map(|section| section.name.as_str());
        (!sections.is_empty()).then(|| MissingTarget {
            what: format!("there is no profile {}", self.0),
            similar: similar(&self.0, names),
        })
    }
}

/// A section, as botocore sees it.
struct ProfileSection {
    name: String,
    /// Start of the line after the header.
    head_end: usize,
    /// Whether the header line has a line ending.
    head_ended: bool,
    options: Vec<ProfileSetting>,
}

struct ProfileSetting {
    /// In lower case.
    name: String,
    /// Including continuation lines.
    value: String,
    /// The part of the value on the first line.
    place: Range<usize>,
    /// The white space before the name.
    indent: String,
}

impl ProfileSection {
    fn option(&self, name: &str) -> Option<&ProfileSetting> {
        self.options.iter().find(|option| option.name == name)
    }
}

/// Parses the file like Python's `configparser` with botocore's options, and like botocore's own
/// check of nested settings.
fn parse(text: &str) -> Result<Vec<ProfileSection>, String> {
    let mut parser = ProfileParser {
        text,
        sections: Vec::new(),
        indent_before: 0,
        goes_on: false,
    };
    for line in lines(text) {
        parser.line(&line)?;
    }
    for section in &mut parser.sections {
        section.options.iter_mut().try_for_each(|option| {
            option.value.truncate(option.value.trim_end().len());
            check_nested(text, option)
        })?;
    }
    Ok(parser.sections)
}

struct ProfileParser<'a> {
    text: &'a str,
    sections: Vec<ProfileSection>,
    /// The indentation of the last line that was not a continuation.
    indent_before: usize,
    /// Whether a line may continue the last setting.
    goes_on: bool,
}

impl ProfileParser<'_> {
    fn line(&mut self, line: &LineSpan) -> Result<(), String> {
        let whole = self.text.get(line.start..line.end).unwrap_or_default();
        let value = whole.trim();
        if value.starts_with(['#', ';']) {
            return Ok(());
        }
        let indent = whole.chars().take_while(|c| c.is_whitespace()).count();
        let last = self.sections.last_mut();
        let option = last.and_then(|last| last.options.last_mut());
        let option = option.filter(|_| self.goes_on);
        match option {
            Some(option) if value.is_empty() => option.value.push('\n'),
            Some(option) if indent > self.indent_before => {
                option.value.push('\n');
                option.value.push_str(value);
            }
            _ if value.is_empty() => {}
            _ => {
                self.indent_before = indent;
                return self.fresh(line, whole);
            }
        }
        Ok(())
    }

    /// Parses a line that is not a continuation.
    fn fresh(&mut self, line: &LineSpan, whole: &str) -> Result<(), String> {
        let bad = |why: &str| at_line(self.text, line.start, why);
        if let Some(name) = head(whole.trim()) {
            if self.sections.iter().any(|section| section.name == name) {
                return Err(bad(&format!("section [{name}] is defined twice")));
            }
            self.sections.push(ProfileSection {
                name: name.to_owned(),
                head_end: line.next,
                head_ended: line.next > line.end,
                options: Vec::new(),
            });
            self.goes_on = false;
            return Ok(());
        }
        let Some(section) = self.sections.last_mut() else {
            return Err(bad("a setting before the first section"));
        };
        let setting = setting(whole, line.start);
        let setting = setting.ok_or_else(|| bad("neither a profile header nor a setting"))?;
        if section.option(&setting.name).is_some() {
            return Err(bad(&format!("{} is defined twice", setting.name)));
        }
        section.options.push(setting);
        self.goes_on = true;
        Ok(())
    }
}

/// A value that starts with a line break must consist of nested settings, or botocore rejects the
/// whole file.
fn check_nested(text: &str, option: &ProfileSetting) -> Result<(), String> {
    let nested = option.value.strip_prefix('\n');
    let mut nested = nested.into_iter().flat_map(str::lines);
    if nested.any(|line| !line.trim().is_empty() && !line.contains('=')) {
        let why = format!("a nested line of {} is not a setting", option.name);
        return Err(at_line(text, option.place.start, &why));
    }
    Ok(())
}

/// The name in a section header.
fn head(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('[')?;
    let name = inner.get(..inner.rfind(']')?)?;
    (!name.is_empty()).then_some(name)
}

/// Parses a setting. The first `=` or `:` ends its name.
fn setting(line: &str, start: usize) -> Option<ProfileSetting> {
    let space = line.len() - line.trim_start().len();
    let at = line.find(['=', ':'])?;
    let name = line.get(space..at)?.trim_end();
    let after = line.get(at + 1..)?;
    let value = after.trim();
    let from = if value.is_empty() {
        line.len()
    } else {
        at + 1 + after.len() - after.trim_start().len()
    };
    (!name.is_empty()).then(|| ProfileSetting {
        name: name.to_lowercase(),
        value: value.to_owned(),
        place: start + from..start + from + value.len(),
        indent: line.get(..space).unwrap_or_default().to_owned(),
    })
}

/// Checks that a value can be replaced without affecting anything else.
fn check(text: &str, option: &ProfileSetting) -> Result<(), String> {
    let why = if option.value.contains('\n') {
        "continues on the next line"
    } else if option.value.starts_with(['"', '\'']) {
        "is in quotes, which the AWS CLI treats as part of the value"
    } else if option.value.contains(char::is_whitespace) {
        "contains a space; the AWS CLI does not support comments after a value"
    } else {
        return Ok(());
    };
    let why = format!("{} {why}", option.name);
    Err(at_line(text, option.place.start, &why))
}

impl AwsProfile {
    fn find<'a>(
        &self,
        text: &str,
        sections: &'a [ProfileSection],
    ) -> Result<Option<&'a ProfileSection>, String> {
        let everywhere = sections.iter().find(|section| section.name == DEFAULT);
        let everywhere = everywhere.into_iter().flat_map(|section| &section.options);
        let keys = [ID, SECRET, TOKENS[0], TOKENS[1]];
        if let Some(option) = { everywhere }.find(|option| keys.contains(&option.name.as_str())) {
            let why = format!("{} in [{DEFAULT}] applies to every profile", option.name);
            return Err(at_line(text, option.place.start, &why));
        }
        let Some(section) = sections.iter().find(|section| section.name == self.0) else {
            return Ok(None);
        };
        let token = TOKENS.into_iter().find_map(|name| section.option(name));
        if let Some(token) = token {
            let why = format!("profile {} holds temporary credentials", self.0);
            return Err(at_line(text, token.place.start, &why));
        }
        for name in [ID, SECRET] {
            if let Some(option) = section.option(name) {
                check(text, option)?;
            }
        }
        Ok(Some(section))
    }

    fn edits(&self, text: &str, section: Option<&ProfileSection>, pair: &KeyPair) -> Vec<TextEdit> {
        let end = section.map_or_else(|| line_end(text), |section| end_of_head(text, section));
        let indent = section
            .and_then(|section| section.options.first())
            .map_or("", |option| option.indent.as_str());
        let mut edits: Vec<TextEdit> = Vec::new();
        let mut added = String::new();
        for (name, value) in [(ID, &pair.id.0), (SECRET, pair.secret.expose())] {
            match section.and_then(|section| section.option(name)) {
                Some(option) => edits.push((option.place.clone(), value.clone())),
                None => added.push_str(&format!("{indent}{name} = {value}{end}")),
            }
        }
        if added.is_empty() {
            return edits;
        }
        let (at, before) = match section {
            Some(section) if section.head_ended => (section.head_end, String::new()),
            Some(section) => (section.head_end, end.to_owned()),
            None => (text.len(), new_head(text, &self.0, end)),
        };
        edits.push((at..at, format!("{before}{added}")));
        edits
    }
}

type TextEdit = (Range<usize>, String);

fn end_of_head<'a>(text: &'a str, section: &ProfileSection) -> &'a str {
    let before = text.get(..section.head_end).unwrap_or_default();
    let ends = ["\r\n", "\n", "\r"];
    let end = ends.into_iter().find(|end| before.ends_with(end));
    end.unwrap_or_else(|| line_end(text))
}

/// The header of a new profile at the end of a file.
fn new_head(text: &str, name: &str, end: &str) -> String {
    let gap = match text {
        "" => "",
        text if text.ends_with(['\r', '\n']) => end,
        _ => &format!("{end}{end}"),
    };
    format!("{gap}[{name}]{end}")
}

/// All settings in the file except the key pair of one profile.
fn others<'a>(
    sections: &'a [ProfileSection],
    profile: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    let all = sections.iter().flat_map(|section| {
        let options = section.options.iter();
        options.map(|option| {
            (
                section.name.as_str(),
                option.name.as_str(),
                option.value.as_str(),
            )
        })
    });
    all.filter(move |(section, name, _)| *section != profile || (*name != ID && *name != SECRET))
}

impl DocumentFormat for AwsProfile {
    fn look(&self, content: Option<&[u8]>) -> Result<DocumentView, String> {
        let text = unmarked_text(content.unwrap_or_default())?;
        let sections = parse(text)?;
        let section = self.find(text, &sections)?;
        let value = |name| Some(section?.option(name)?.value.as_str());
        let pair = pair_of((ID, value(ID)), (SECRET, value(SECRET)))?;
        let profiles = sections.iter().filter(|section| section.name != self.0);
        let others = profiles.filter_map(|section| {
            let id = &section.option(ID)?.value;
            is_id(id).then(|| (format!("profile {}", section.name), KeyId(id.clone())))
        });
        Ok(DocumentView {
            pair,
            absent: match section {
                Some(_) => None,
                None => self.absent(&sections),
            },
            others: others.collect(),
        })
    }

    fn put(&self, content: Option<&[u8]>, pair: &KeyPair) -> Result<Secret<Vec<u8>>, String> {
        let text = unmarked_text(content.unwrap_or_default())?;
        let sections = parse(text)?;
        let edits = self.edits(text, self.find(text, &sections)?, pair);
        let new = edited(text, edits);
        if !others(&parse(&new)?, &self.0).eq(others(&sections, &self.0)) {
            let why = "a key pair cannot be written there without changing how the rest of the \
                       file is read";
            return Err(why.to_owned());
        }
        Ok(Secret::new(new.into_bytes()))
    }
}
