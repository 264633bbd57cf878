//! The `.csv` file that AWS's console offers for download, with one access key.
//!
//! Invariant: a file with several rows is rejected, since nothing says which row is meant. Header
//! names match in any case, with or without a byte-order mark and a `User Name` column.

use csv::{ReaderBuilder, StringRecord, Terminator, WriterBuilder};
use keywright_base::Secret;
use keywright_rotation::model::KeyPair;

use super::{
    document::{DocumentFormat, DocumentView},
    text::{edited, pair_of, split_mark, text},
};

/// The format has no options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CsvFormat;

const ID: &str = "Access key ID";
const SECRET: &str = "Secret access key";

/// The header, the row, and the columns of ID and secret.
type CsvTable = (StringRecord, StringRecord, usize, usize);

fn parse(content: &str) -> Result<CsvTable, String> {
    let mut reader = ReaderBuilder::new()
        .flexible(false)
        .from_reader(content.as_bytes());
    // The reader's errors quote fields.
    let bad = |_| "it is not a table with a header row".to_owned();
    let head = reader.headers().map_err(bad)?.clone();
    let column = |name: &str| {
        let position = head
            .iter()
            .position(|cell| cell.trim().eq_ignore_ascii_case(name));
        position.ok_or_else(|| format!("line 1: it has no column {name}"))
    };
    let (id, secret) = (column(ID)?, column(SECRET)?);
    let mut rows = reader.into_records();
    match (rows.next(), rows.next()) {
        (None, _) => Ok((head.clone(), head.iter().map(|_| "").collect(), id, secret)),
        (Some(row), None) => Ok((head, row.map_err(bad)?, id, secret)),
        (Some(_), Some(_)) => Err("line 3: it has more than one row".to_owned()),
    }
}

fn pair(row: &StringRecord, id: usize, secret: usize) -> Result<Option<KeyPair>, String> {
    let cell = |at| row.get(at).map(str::trim);
    pair_of((ID, cell(id)), (SECRET, cell(secret)))
}

/// Replaces both values in the text. Each must occur exactly once.
fn replaced(content: &str, old: &KeyPair, new: &KeyPair) -> Result<String, String> {
    let mut edits = Vec::new();
    let values = [
        (old.id.0.as_str(), new.id.0.as_str()),
        (old.secret.expose(), new.secret.expose()),
    ];
    for (old, new) in values {
        let mut places = content.match_indices(old);
        let (Some((at, _)), None) = (places.next(), places.next()) else {
            return Err(
                "its values do not appear exactly once, in the form in which they are read"
                    .to_owned(),
            );
        };
        edits.push((at..at + old.len(), new.to_owned()));
    }
    Ok(edited(content, edits))
}

/// Writes the pair into the empty row.
fn filled(
    content: &str,
    (head, row, id, secret): &CsvTable,
    pair: &KeyPair,
) -> Result<String, String> {
    let end = if content.contains("\r\n") {
        Terminator::CRLF
    } else {
        Terminator::Any(b'\n')
    };
    let mut writer = WriterBuilder::new().terminator(end).from_writer(Vec::new());
    let row = row.iter().enumerate().map(|(at, cell)| match at {
        at if at == *id => pair.id.0.as_str(),
        at if at == *secret => pair.secret.expose(),
        _ => cell,
    });
    let bad = "it cannot be written";
    let written = writer
        .write_record(head)
        .and_then(|()| writer.write_record(row));
    written.map_err(|_| bad)?;
    let new = writer.into_inner().map_err(|_| bad)?;
    let mut new = String::from_utf8(new).map_err(|_| bad)?;
    if !content.ends_with('\n') {
        new.truncate(new.trim_end_matches(['\r', '\n']).len());
    }
    Ok(new)
}

impl DocumentFormat for CsvFormat {
    fn look(&self, content: Option<&[u8]>) -> Result<DocumentView, String> {
        let Some(content) = content else {
            return Ok(DocumentView::default());
        };
        let (_, content) = split_mark(text(content)?);
        let (_, row, id, secret) = parse(content)?;
        Ok(DocumentView {
            pair: pair(&row, id, secret)?,
            ..DocumentView::default()
        })
    }

    fn put(&self, content: Option<&[u8]>, new: &KeyPair) -> Result<Secret<Vec<u8>>, String> {
        let usual = format!("{ID},{SECRET}\n");
        let content = content.map(text).transpose()?.unwrap_or(&usual);
        let (mark, content) = split_mark(content);
        let table = parse(content)?;
        let text = match pair(&table.1, table.2, table.3)? {
            Some(old) => replaced(content, &old, new)?,
            None => filled(content, &table, new)?,
        };
        Ok(Secret::new(format!("{mark}{text}").into_bytes()))
    }
}
