//! Parses an awsQuery response: flat fields, one list of flat structures, or an error.
//!
//! It knows no operation. The meaning of the fields is up to the caller. Invariant: names and IDs
//! contain nothing that a terminal interprets; a response with such a name is rejected.

use std::collections::BTreeMap;

use quick_xml::{Reader, escape::resolve_xml_entity, events::Event};

use crate::printable::is_plain;

/// Fields of a structure by name.
pub type ResponseRow = BTreeMap<String, String>;

/// A parsed response.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct QueryResponse {
    /// Fields that are not lists.
    pub fields: ResponseRow,
    /// The structures of the list.
    pub rows: Vec<ResponseRow>,
}

/// No response of ours nests deeper than this.
const DEPTH: usize = 16;

/// Fields whose values are names and IDs, in which no service of ours or AWS's allows control
/// characters.
const NAMES: [&str; 15] = [
    "AccessKeyId",
    "Account",
    "Arn",
    "GroupName",
    "Path",
    "PolicyArn",
    "PolicyName",
    "PrincipalArn",
    "Region",
    "RoleName",
    "RotationId",
    "SecretAccessKey",
    "ServiceName",
    "UserId",
    "UserName",
];

/// Parses a body. The wrapper elements and the request ID are left out.
///
/// # Errors
/// If the body is not such XML, or has a name that cannot be one.
pub(crate) fn read(body: &str) -> Result<QueryResponse, String> {
    let mut reader = Reader::from_str(body);
    let mut answer = QueryResponse::default();
    let mut open: Vec<String> = Vec::new();
    let mut text: Option<String> = None;
    loop {
        match reader.read_event().map_err(|_| "the answer is not XML")? {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                if name == "member" {
                    answer.rows.push(ResponseRow::new());
                }
                open.push(name);
                text = Some(String::new());
            }
            Event::Empty(_) => {}
            Event::Text(part) => push(&mut text, &part.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = match reference
                    .resolve_char_ref()
                    .map_err(|_| "the answer is not XML")?
                {
                    Some(character) => character.to_string(),
                    None => entity(&reference.xml10_content())?.to_owned(),
                };
                push(&mut text, &character);
            }
            Event::End(_) => {
                let name = open.pop().unwrap_or_default();
                if let Some(text) = text.take() {
                    if NAMES.contains(&name.as_str()) && !is_plain(&text) {
                        return Err(format!("the answer has an impossible {name}"));
                    }
                    keep(&mut answer, &open, name, text);
                }
            }
            Event::Eof if open.is_empty() => return Ok(answer),
            Event::Eof => return Err("the answer is cut off".to_owned()),
            _ => {}
        }
        if open.len() > DEPTH {
            return Err("the answer is nested too deeply".to_owned());
        }
    }
}

fn push(text: &mut Option<String>, part: &str) {
    if let Some(text) = text {
        text.push_str(part);
    }
}

fn entity(name: &str) -> Result<&'static str, String> {
    resolve_xml_entity(name).ok_or_else(|| format!("the answer has an unknown entity &{name};"))
}

/// Stores a leaf element in its field or row.
fn keep(answer: &mut QueryResponse, open: &[String], name: String, text: String) {
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

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn answers_are_read() {
        let body = "<R xmlns=\"x\"><Result><AccessKeyId>AKIAX</AccessKeyId><Total>3</Total>\
            <Attempts><member><SourceAddress>192.0.2.7</SourceAddress>\
            <UserAgent>a&amp;b &lt;&#27;[2J&gt;</UserAgent></member></Attempts></Result>\
            <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></R>";
        let answer = read(body).unwrap();
        let fields: Vec<_> = answer
            .fields
            .iter()
            .map(|(n, t)| format!("{n}={t}"))
            .collect();
        assert_eq!(fields, ["AccessKeyId=AKIAX", "Total=3"]);
        assert_eq!(answer.rows.len(), 1);
        assert_eq!(answer.rows[0]["UserAgent"], "a&b <\u{1b}[2J>");
        let error = "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code>\
            <Message>gone</Message></Error><RequestId>1</RequestId></ErrorResponse>";
        let fields = read(error).unwrap().fields;
        assert_eq!(
            (&*fields["Code"], &*fields["Message"]),
            ("NoSuchEntity", "gone")
        );
        for (name, allowed) in [("UserName", false), ("UserAgent", true), ("Value", true)] {
            for hostile in ["a&#27;[31m", "a&#155;31m", "a&#10;b", "a\u{202e}b"] {
                let body = format!("<R><U><{name}>{hostile}</{name}></U></R>");
                assert_eq!(read(&body).is_ok(), allowed, "{body}");
            }
        }
        for bad in ["<a><b>", "<a></b>", "<a>&what;</a>", &"<a>".repeat(100)] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
