//! SAML responses: no text may panic what reads and verifies them, none is verified without the
//! provider's key, and canonical XML stays as it is. The seeds have no valid signature.
#![no_main]

use keywright_identity::fuzzing;
use libfuzzer_sys::fuzz_target;

const METADATA: &str = include_str!("../../crates/identity/src/saml/tests/signxml_metadata.xml");

fuzz_target!(|text: &str| fuzzing::saml_response(text, METADATA));
