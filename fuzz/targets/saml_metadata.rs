//! Metadata of SAML providers: no text may panic its reader.
#![no_main]

use keywright_identity::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| fuzzing::saml_metadata(text));
