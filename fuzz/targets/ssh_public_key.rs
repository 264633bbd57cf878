//! Uploaded keys and certificates: no text may panic their readers, and what they accept is read
//! again as it is stored and returned.
#![no_main]

use keywright_identity::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    fuzzing::ssh_public_key(text);
    fuzzing::certificates(text);
});
