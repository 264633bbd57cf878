//! The crate's tests, through its public functions only: cases as data, and properties.

mod corpus;
mod explain;
mod properties;
