//! awsQuery and XML for IAM and STS: shapes generated from the operation models, two hand-written
//! codecs (the request decoder and the response writer) and the error envelope. Also the routes of
//! S3.
//!
//! Floor 1. Invariant: everything that AWS's clients match on is written once, here or in
//! `generated/`. The crate is pure: it makes no decisions and keeps no state.

mod answer;
mod constraint;
mod form;
mod generated;
mod operation;
mod pattern;
mod read;
mod route;
mod xml;

#[cfg(test)]
mod tests;

pub use answer::{answer, error_answer, percent_encode_document};
pub use constraint::Constraints;
pub use form::{Form, MalformedForm};
pub use generated::{iam, keywright, s3, sts};
pub use operation::{
    ErrorShape, Operation, OperationShape, Pagination, Service, operation, operations,
};
pub use read::{Decode, DecodeFault};
pub use route::{Level, Route};
pub use xml::{Encode, Xml};

/// Imports for the generated files.
mod prelude {
    pub(crate) use std::collections::BTreeMap;

    pub(crate) use keywright_base::{Secret, Timestamp};

    pub(crate) use crate::{
        constraint::{Constraints, optional, required},
        form::{FormScope, MalformedForm},
        operation::{Operation, OperationShape, Pagination, Service},
        read::{Decode, Read},
        xml::{Encode, Write, Xml},
    };
}
