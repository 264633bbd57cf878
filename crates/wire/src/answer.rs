//! Complete responses: success and error envelopes, and the encoding of documents in them.

use keywright_base::WireError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    answer_text::{AnswerText, Encode},
    operation::{Operation, Protocol, Service},
};

/// The body of a success response. Operations without output have no `Result` element.
/// In JSON they have no body at all.
pub fn answer<O: Encode>(operation: &Operation, output: &O, request_id: &str) -> String {
    let protocol = operation.service.protocol();
    let mut xml = AnswerText::new(protocol);
    if protocol == Protocol::Json {
        if operation.has_output {
            xml.raw("{");
            output.encode(&mut xml);
            xml.raw("}");
        }
        return xml.finish();
    }
    let (name, namespace) = (operation.name, operation.service.namespace());
    for part in ["<", name, "Response xmlns=\"", namespace, "\">"] {
        xml.raw(part);
    }
    if operation.has_output {
        for part in ["<", name, "Result>"] {
            xml.raw(part);
        }
        output.encode(&mut xml);
        for part in ["</", name, "Result>"] {
            xml.raw(part);
        }
    }
    xml.open("ResponseMetadata");
    xml.element("RequestId", request_id);
    xml.close("ResponseMetadata");
    for part in ["</", name, "Response>"] {
        xml.raw(part);
    }
    xml.finish()
}

/// The body of an error response. A few of AWS's errors have no message.
pub fn error_answer(service: Service, error: &WireError, request_id: &str) -> String {
    let protocol = service.protocol();
    if protocol == Protocol::Json {
        return json_error(error);
    }
    let mut xml = AnswerText::new(protocol);
    xml.raw(&format!(
        "<ErrorResponse xmlns=\"{}\">",
        service.namespace()
    ));
    xml.open("Error");
    // Who caused it.
    let kind = if error.status >= 500 {
        "Receiver"
    } else {
        "Sender"
    };
    xml.element("Type", kind);
    xml.element("Code", &error.code);
    if let Some(message) = &error.message {
        xml.element("Message", message);
    }
    xml.close("Error");
    xml.element("RequestId", request_id);
    xml.close("ErrorResponse");
    xml.finish()
}

fn json_error(error: &WireError) -> String {
    let mut json = AnswerText::new(Protocol::Json);
    json.raw("{");
    json.element("__type", &error.code);
    if let Some(message) = &error.message {
        json.element("Message", message);
    }
    for (name, value) in &error.extra {
        json.element(name, value);
    }
    json.raw("}");
    json.finish()
}

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Encodes a policy document for a response: RFC 3986 percent-encoding, a space as `%20`.
pub fn percent_encode_document(document: &str) -> String {
    utf8_percent_encode(document, UNRESERVED).to_string()
}
