//! The crate's tests, through its public functions only: cases as data, and properties.

mod actions;
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
