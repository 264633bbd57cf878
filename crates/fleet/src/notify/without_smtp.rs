//! E-mail in a build that leaves it out. A fleet file that asks for it is rejected, so that no
//! notice is lost silently.

use std::sync::Arc;

use super::Channel;

const LEFT_OUT: &str = "this build sends no e-mail\n\
                        hint: build with --features smtp (or --features full, like packages)";

pub(super) fn parse(_: &str) -> Result<Arc<dyn Channel>, String> {
    Err(LEFT_OUT.to_owned())
}

pub(super) fn parse_implicit(_: &str) -> Result<Arc<dyn Channel>, String> {
    Err(LEFT_OUT.to_owned())
}
