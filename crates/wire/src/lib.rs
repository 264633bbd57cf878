//! The protocols of IAM, STS and the extension (awsQuery) and of Organizations (AWS JSON 1.1):
//! shapes generated from the operation models, hand-written codecs (the request decoders and the
//! response writer) and the error envelopes. Also the routes of S3.
//!
//! Floor 1. Invariant: everything that AWS's clients match on is written once, here or in
//! `generated/`. The crate is pure: it makes no decisions and keeps no state.

mod answer;
mod answer_text;
mod constraint;
mod form;
mod generated;
mod json;
mod operation;
mod pattern;
mod read;
mod route;

#[cfg(test)]
mod tests;

pub use answer::{answer, error_answer, percent_encode_document};
pub use answer_text::{AnswerText, Encode};
pub use constraint::{Constraints, InvalidMember};
pub use form::{Form, MalformedForm};
pub use generated::{iam, keywright, organizations, s3, sts};
pub use operation::{
    ErrorShape, Operation, OperationShape, Pagination, Protocol, Service, operation, operations,
};
pub use read::{Decode, DecodeFault};
pub use route::{Level, Route};

/// Imports for the generated files.
mod prelude {
    pub(crate) use std::collections::BTreeMap;

    pub(crate) use keywright_base::{Secret, Timestamp};

    pub(crate) use crate::{
        answer_text::{AnswerText, Encode, Write},
        constraint::{Constraints, optional, required},
        form::{FormScope, MalformedForm},
        operation::{Operation, OperationShape, Pagination, Service},
        read::{Decode, Read},
    };
}
