//! Parses an awsQuery response into a tree, for the few with lists in lists.
//!
//! It knows no operation. Invariant: nesting is limited so that the stack cannot overflow. The size
//! of a response is limited where it is received.

use quick_xml::{Reader, escape::resolve_xml_entity, events::Event};

/// No response of IAM nests deeper than this.
const DEPTH: usize = 32;

/// An element of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseTree {
    /// Its name without a namespace.
    pub name: String,
    /// Its text, if it has no elements.
    pub text: String,
    /// Its elements, in order.
    pub elements: Vec<Self>,
}

impl ResponseTree {
    /// The first element of this name.
    pub fn element(&self, name: &str) -> Option<&Self> {
        self.elements.iter().find(|it| it.name == name)
    }

    /// The text of the first element of this name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.element(name).map(|it| it.text.as_str())
    }
}

/// Parses a body and returns the element with the result: the first one in the response.
///
/// # Errors
/// If the body is not such XML.
pub(crate) fn read(body: &str) -> Result<ResponseTree, String> {
    let not_xml = || "the answer is not XML".to_owned();
    let mut reader = Reader::from_str(body);
    // The last one is open, and the first one contains the document.
    let mut open = vec![ResponseTree::default()];
    loop {
        match reader.read_event().map_err(|_| not_xml())? {
            Event::Start(start) => open.push(ResponseTree {
                name: start.local_name().as_ref().to_owned(),
                ..ResponseTree::default()
            }),
            Event::Empty(start) => {
                let parent = open.last_mut().ok_or_else(not_xml)?;
                parent.elements.push(ResponseTree {
                    name: start.local_name().as_ref().to_owned(),
                    ..ResponseTree::default()
                });
            }
            Event::Text(part) => {
                let current = open.last_mut().ok_or_else(not_xml)?;
                current.text.push_str(&part.xml10_content());
            }
            Event::GeneralRef(reference) => {
                let current = open.last_mut().ok_or_else(not_xml)?;
                match reference.resolve_char_ref().map_err(|_| not_xml())? {
                    Some(character) => current.text.push(character),
                    None => {
                        let entity = resolve_xml_entity(&reference.xml10_content());
                        current.text.push_str(entity.ok_or_else(not_xml)?);
                    }
                }
            }
            Event::End(_) => {
                let mut closed = open.pop().ok_or_else(not_xml)?;
                if !closed.elements.is_empty() {
                    closed.text.clear();
                }
                let parent = open.last_mut().ok_or_else(not_xml)?;
                parent.elements.push(closed);
            }
            Event::Eof => break,
            _ => {}
        }
        if open.len() > DEPTH {
            return Err("the answer is nested too deeply".to_owned());
        }
    }
    let mut document = open.pop().filter(|_| open.is_empty());
    let response = document.as_mut().and_then(|it| it.elements.pop());
    let result = response.and_then(|response| response.elements.into_iter().next());
    result.ok_or_else(|| "the answer is cut off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn answers_are_read() {
        let body = "<R xmlns=\"x\"> <Result>\n<Users><member><Name>a&amp;b&#10;c</Name><Tags/>\
            </member><member/></Users></Result><ResponseMetadata><RequestId>1</RequestId>\
            </ResponseMetadata></R>";
        let result = read(body).unwrap();
        assert_eq!(result.name, "Result");
        let users = result.element("Users").unwrap();
        assert_eq!(users.elements.len(), 2);
        assert_eq!(users.elements[0].text_of("Name"), Some("a&b\nc"));
        assert_eq!(users.elements[0].text_of("Tags"), Some(""));
        assert_eq!(users.elements[0].text_of("Path"), None);
        for bad in [
            "",
            "<a><b>",
            "<a></b>",
            "<a>&what;</a>",
            "<a></a>",
            &"<a>".repeat(100),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
