//! JSON output.

use std::io::{self, Write};

use keywright_aws::printable_json;
use serde::Serialize;

/// Writes a JSON document with a line break. What a terminal would interpret is escaped: texts in
/// it may come from a server or a file.
pub(crate) fn write(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(document)?;
    writeln!(out, "{}", printable_json(&text))
}
