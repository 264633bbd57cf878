//! Colours of the text output. They only repeat what the words say: without a terminal, or with
//! `NO_COLOR`, the writers of `anstream` drop them.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use crate::remote::printable;

/// Needs a person's attention.
pub(crate) const HELD: Style = AnsiColor::Red.on_default().bold();
/// A warning before going on.
pub(crate) const CAUTION: Style = AnsiColor::Yellow.on_default().bold();
/// Finished successfully.
pub(crate) const DONE: Style = AnsiColor::Green.on_default();
/// The heading of a table or a plan.
pub(crate) const HEADING: Style = Style::new().bold();
/// The next step.
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();

/// Formats a line in a style. Escapes of its own would end the style, so it has none.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{}{style:#}", printable(&text.to_string()))
}
