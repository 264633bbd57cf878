//! The name of a file destination: `KIND:FILE[?after=COMMAND][#FIELDS]`, with one KIND per format.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use keywright_base::{Clock, Secret};
use keywright_rotation::{model::KeyPair, ports::Sink};

use super::{
    ParsedDestination, SinkKind, absolute,
    after::{AfterHook, followed},
    aws_profile::{self, AwsProfile},
    csv::CsvFormat,
    document::{DocumentFormat, DocumentView},
    dotenv::DotenvFormat,
    file::FileSink,
    json::JsonFormat,
    quoted::{QuotedPart, part},
};

pub(super) const AWS_PROFILE: SinkKind = SinkKind {
    prefix: "aws-profile",
    syntax: "NAME[@FILE]",
    writes: "two values of a profile in AWS's shared credentials file",
    parse: |text| LocalFile::parse("aws-profile", text),
};

pub(super) const DOTENV: SinkKind = SinkKind {
    prefix: "dotenv",
    syntax: "FILE[#ID,SECRET]",
    writes: "two environment variables",
    parse: |text| LocalFile::parse("dotenv", text),
};

pub(super) const JSON: SinkKind = SinkKind {
    prefix: "json",
    syntax: "FILE[#/ID,/SECRET]",
    writes: "two members of a JSON document, by JSON pointers",
    parse: |text| LocalFile::parse("json", text),
};

pub(super) const CSV: SinkKind = SinkKind {
    prefix: "csv",
    syntax: "FILE",
    writes: "the one row of a .csv file as downloaded from the console",
    parse: |text| LocalFile::parse("csv", text),
};

/// A file on this machine.
#[derive(Debug)]
struct LocalFile(FileName);

impl LocalFile {
    fn parse(kind: &str, text: &str) -> Result<Box<dyn ParsedDestination>, String> {
        let file = FileName::new(kind, text)?;
        let path = absolute(&file.path)?;
        Ok(Box::new(Self(FileName { path, ..file })))
    }
}

impl fmt::Display for LocalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.to_string();
        f.write_str(name.split_once(':').map_or("", |(_, rest)| rest))
    }
}

#[async_trait]
impl ParsedDestination for LocalFile {
    fn public(&self) -> String {
        Self(self.0.public()).to_string()
    }

    fn backend(&self) -> String {
        let folder = Path::new(&self.0.path).parent();
        folder.map_or_else(String::new, |folder| folder.display().to_string())
    }

    async fn open(&self, name: String, _: &Arc<dyn Clock>) -> Result<Box<dyn Sink>, String> {
        let path = PathBuf::from(&self.0.path);
        let sink = FileSink::new(name, path, self.0.format.clone());
        Ok(followed(Box::new(sink), &self.0, None))
    }
}

const AFTER: &str = "?after=";

/// The format of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileFormat {
    AwsProfile(AwsProfile),
    Dotenv(DotenvFormat),
    Json(JsonFormat),
    Csv,
}

impl FileFormat {
    fn format(&self) -> &dyn DocumentFormat {
        match self {
            Self::AwsProfile(format) => format,
            Self::Dotenv(format) => format,
            Self::Json(format) => format,
            Self::Csv => &CsvFormat,
        }
    }
}

impl DocumentFormat for FileFormat {
    fn look(&self, content: Option<&[u8]>) -> Result<DocumentView, String> {
        self.format().look(content)
    }

    fn put(&self, content: Option<&[u8]>, pair: &KeyPair) -> Result<Secret<Vec<u8>>, String> {
        self.format().put(content, pair)
    }

    fn same(&self, one: &[u8], other: &[u8]) -> bool {
        self.format().same(one, other)
    }
}

/// A file, its format, and the command that runs after it was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) format: FileFormat,
    pub(super) path: String,
    pub(super) after: Option<AfterHook>,
}

pub(super) const KINDS: [&str; 4] = ["aws-profile", "dotenv", "json", "csv"];

impl FileName {
    /// The same without the arguments of the command.
    pub(super) fn public(&self) -> Self {
        let after = self.after.as_ref().map(AfterHook::public);
        Self {
            after,
            ..self.clone()
        }
    }

    /// Parses the part after `KIND:`. The path stays as it was written.
    pub(super) fn new(kind: &str, text: &str) -> Result<Self, String> {
        let (name, text) = match kind {
            "aws-profile" => {
                let (name, rest) = part(text, &["@", AFTER])?;
                (Some(name), rest)
            }
            _ => (None, text),
        };
        let (path, rest) = match (&name, text.strip_prefix('@')) {
            (Some(_), None) => {
                let usual = aws_profile::usual_file();
                let usual = usual.ok_or("there is no home folder: HOME is not set")?;
                (usual.to_string_lossy().into_owned(), text)
            }
            (Some(_), Some(text)) => part(text, &[AFTER])?,
            (None, _) if kind == "csv" => part(text, &[AFTER])?,
            (None, _) => part(text, &[AFTER, "#"])?,
        };
        let with_fields = matches!(kind, "dotenv" | "json");
        let (after, rest) = match rest.strip_prefix(AFTER) {
            Some(line) => {
                let (line, rest) = part(line, if with_fields { &["#"] } else { &[] })?;
                (Some(AfterHook::new(&line)?), rest)
            }
            None => (None, rest),
        };
        let fields = rest.strip_prefix('#');
        let format = match name {
            Some(name) => FileFormat::AwsProfile(AwsProfile::new(&name)?),
            None if kind == "dotenv" => FileFormat::Dotenv(DotenvFormat::new(fields)?),
            None if kind == "json" => FileFormat::Json(JsonFormat::new(fields)?),
            None => FileFormat::Csv,
        };
        Ok(Self {
            format,
            path,
            after,
        })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: &dyn fmt::Display = match &self.format {
            FileFormat::AwsProfile(profile) => {
                let (text, ends) = (profile.name(), &["@", AFTER][..]);
                write!(f, "aws-profile:{}@", QuotedPart { text, ends })?;
                &""
            }
            FileFormat::Dotenv(names) => {
                f.write_str("dotenv:")?;
                names
            }
            FileFormat::Json(pointers) => {
                f.write_str("json:")?;
                pointers
            }
            FileFormat::Csv => {
                f.write_str("csv:")?;
                &""
            }
        };
        let with_fields = matches!(self.format, FileFormat::Dotenv(_) | FileFormat::Json(_));
        let fields_end: &[&str] = if with_fields { &["#"] } else { &[] };
        let ends: &[&str] = if with_fields { &[AFTER, "#"] } else { &[AFTER] };
        let text = &self.path;
        write!(f, "{}", QuotedPart { text, ends })?;
        if let Some(after) = &self.after {
            let (text, ends) = (after.line(), fields_end);
            write!(f, "{AFTER}{}", QuotedPart { text, ends })?;
        }
        write!(f, "{fields}")
    }
}
