//! The kinds that a build can leave out, because their clients take long to compile.
//!
//! Invariant: a kind that is left out is still in the list of kinds. So its name is never unknown,
//! nothing is written elsewhere instead, and the error says which build has it.

use super::SinkKind;

pub(super) const KUBERNETES: SinkKind = SinkKind {
    prefix: "kubernetes",
    syntax: "NAMESPACE/NAME[?context=&restart=KIND/NAME,...][#ID,SECRET]",
    writes: "two fields of a Secret's data",
    #[cfg(feature = "kubernetes")]
    parse: super::kubernetes::parse,
    #[cfg(not(feature = "kubernetes"))]
    parse: |_| Err(left_out("kubernetes")),
};

pub(super) const GITHUB: SinkKind = SinkKind {
    prefix: "github",
    syntax: "OWNER/REPO[@ENVIRONMENT][#ID,SECRET | #NAME]",
    writes: "two secrets of GitHub Actions, or one with both as JSON",
    #[cfg(feature = "github")]
    parse: super::github::parse,
    #[cfg(not(feature = "github"))]
    parse: |_| Err(left_out("github")),
};

/// The kinds that this build leaves out, each with the name of its feature.
pub const LEFT_OUT: &[&str] = &[
    #[cfg(not(feature = "kubernetes"))]
    "kubernetes",
    #[cfg(not(feature = "github"))]
    "github",
];

#[cfg(not(all(feature = "kubernetes", feature = "github")))]
fn left_out(kind: &str) -> String {
    format!(
        "{kind}: this build has no {kind} destinations\n\
         hint: build with --features {kind} (or --features full, like packages)"
    )
}
