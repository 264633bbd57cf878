//! The `.csv` file that AWS's console lets people download, with one key in it.
//!
//! It protects one rule: a file with several rows is nobody's in particular, and is refused. Heads
//! are read in any case, with or without a byte-order mark and a `User Name` column.

use csv::{ReaderBuilder, StringRecord, Terminator, WriterBuilder};
use keywright_base::Secret;
use keywright_rotation::model::{KeyId, Pair};

use super::{
    aws_profile::{split_mark, text},
    document::Format,
};

/// The file itself says everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Csv;

const ID: &str = "Access key ID";
const SECRET: &str = "Secret access key";

/// The head, the row, and the columns of the pair.
type Table = (StringRecord, StringRecord, usize, usize);

fn parse(content: &str) -> Result<Table, String> {
    let mut reader = ReaderBuilder::new()
        .flexible(false)
        .from_reader(content.as_bytes());
    // Errors of the reader quote fields.
    let bad = |_| "it is not a table with a head".to_owned();
    let head = reader.headers().map_err(bad)?.clone();
    let column = |name: &str| {
        let position = head
            .iter()
            .position(|cell| cell.trim().eq_ignore_ascii_case(name));
        position.ok_or_else(|| format!("it has no column {name}"))
    };
    let (id, secret) = (column(ID)?, column(SECRET)?);
    let mut rows = reader.into_records();
    match (rows.next(), rows.next()) {
        (None, _) => Ok((head.clone(), head.iter().map(|_| "").collect(), id, secret)),
        (Some(row), None) => Ok((head, row.map_err(bad)?, id, secret)),
        (Some(_), Some(_)) => Err("it has several rows".to_owned()),
    }
}

impl Format for Csv {
    fn find(&self, content: &[u8]) -> Result<Option<Pair>, String> {
        let (_, content) = split_mark(text(content)?);
        let (_, row, id, secret) = parse(content)?;
        let cell = |at| {
            let cell = row.get(at).map(str::trim).unwrap_or_default();
            (!cell.is_empty()).then(|| cell.to_owned())
        };
        Ok(cell(id).zip(cell(secret)).map(|(id, secret)| Pair {
            id: KeyId(id),
            secret: Secret::new(secret),
        }))
    }

    fn put(&self, content: Option<&[u8]>, pair: &Pair) -> Result<Vec<u8>, String> {
        let usual = format!("{ID},{SECRET}\n");
        let content = content.map(text).transpose()?.unwrap_or(&usual);
        let (mark, content) = split_mark(content);
        let (head, row, id, secret) = parse(content)?;
        let end = if content.contains("\r\n") {
            Terminator::CRLF
        } else {
            Terminator::Any(b'\n')
        };
        let mut writer = WriterBuilder::new()
            .terminator(end)
            .from_writer(mark.as_bytes().to_vec());
        let row = row.iter().enumerate().map(|(at, cell)| match at {
            at if at == id => pair.id.0.as_str(),
            at if at == secret => pair.secret.expose(),
            _ => cell,
        });
        let written = writer
            .write_record(&head)
            .and_then(|()| writer.write_record(row));
        written.map_err(|_| "it cannot be written".to_owned())?;
        let mut new = writer
            .into_inner()
            .map_err(|_| "it cannot be written".to_owned())?;
        if !content.ends_with('\n') {
            while new.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
                new.pop();
            }
        }
        Ok(new)
    }
}
