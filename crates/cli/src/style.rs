//! Colours of what people read. They only repeat what the words say: without a terminal, and with
//! `NO_COLOR`, the writers of `anstream` leave them out.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// What a person must look at.
pub(crate) const HELD: Style = AnsiColor::Red.on_default().bold();
/// What a person should know before going on.
pub(crate) const CAUTION: Style = AnsiColor::Yellow.on_default().bold();
/// What is over, and well.
pub(crate) const DONE: Style = AnsiColor::Green.on_default();
/// The first line of a table or of a plan.
pub(crate) const HEADING: Style = Style::new().bold();
/// What to do next.
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();

/// A text in a style.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
