//! The crate's tests: data-driven cases and properties, through public functions only.

mod actions;
mod ambiguous;
mod corpus;
mod every;
mod explain;
mod guides;
mod implied;
mod lint;
mod managed;
mod properties;
mod shortcut;
mod steps;
