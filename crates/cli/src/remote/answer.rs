//! Reads an awsQuery answer: flat members, one list of flat structures, or an error.
//!
//! It deliberately knows no operation: what the members mean is the caller's business.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use quick_xml::{Reader, escape::resolve_xml_entity, events::Event};

/// Members of a structure by name.
pub(crate) type Row = BTreeMap<String, String>;

/// An answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Members that are no list.
    pub(crate) fields: Row,
    /// The structures of the list.
    pub(crate) rows: Vec<Row>,
}

/// Elements deeper than this are no answer of ours.
const DEPTH: usize = 16;

/// Reads a body. The element around the members and the request id are left out.
///
/// # Errors
/// When it is not such XML.
pub(crate) fn read(body: &str) -> anyhow::Result<Answer> {
    let mut reader = Reader::from_str(body);
    let mut answer = Answer::default();
    let mut open: Vec<String> = Vec::new();
    let mut text: Option<String> = None;
    loop {
        match reader.read_event().context("the answer is not XML")? {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                if name == "member" {
                    answer.rows.push(Row::new());
                }
                open.push(name);
                text = Some(String::new());
            }
            Event::Empty(_) => {}
            Event::Text(part) => push(&mut text, &part.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref()? {
                    Some(character) => character.to_string(),
                    None => entity(&reference.xml10_content())?.to_owned(),
                };
                push(&mut text, &character);
            }
            Event::End(_) => {
                let name = open.pop().unwrap_or_default();
                if let Some(text) = text.take() {
                    keep(&mut answer, &open, name, text);
                }
            }
            Event::Eof if open.is_empty() => return Ok(answer),
            Event::Eof => bail!("the answer is cut off"),
            _ => {}
        }
        if open.len() > DEPTH {
            bail!("the answer is nested too deeply");
        }
    }
}

fn push(text: &mut Option<String>, part: &str) {
    if let Some(text) = text {
        text.push_str(part);
    }
}

fn entity(name: &str) -> anyhow::Result<&'static str> {
    resolve_xml_entity(name).with_context(|| format!("the answer has an unknown entity &{name};"))
}

/// Keeps a leaf where it belongs.
fn keep(answer: &mut Answer, open: &[String], name: String, text: String) {
    let listed = open.last().is_some_and(|parent| parent == "member");
    match answer.rows.last_mut() {
        Some(row) if listed => {
            row.insert(name, text);
        }
        _ if name != "RequestId" && name != "member" && !open.is_empty() => {
            answer.fields.insert(name, text);
        }
        _ => {}
    }
}
