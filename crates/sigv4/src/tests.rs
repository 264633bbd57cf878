//! Shared test fixtures: AWS's published key, requests from text, and service rules.

#![expect(
    clippy::too_many_lines,
    clippy::string_slice,
    reason = "tables have a row for each case; the texts are ASCII"
)]

mod canonical;
mod chunks;
mod examples;
mod order;
mod round_trip;
mod texts;
mod v2;

use http::request::Parts;
use keywright_base::{Secret, Timestamp};

use crate::{
    PresentedSignature, ServiceRules, SignatureFault, SigningCredentials, SigningDialect,
    SigningTarget,
};

pub(crate) const ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const NOW: &str = "20260911T131519Z";

pub(crate) const IAM: ServiceRules = ServiceRules {
    dialect: SigningDialect::Query,
    service: "iam",
    home_region: "us-east-1",
};
pub(crate) const S3: ServiceRules = ServiceRules {
    dialect: SigningDialect::S3,
    service: "s3",
    home_region: "us-east-1",
};

/// The secret of AWS's published examples for S3.
pub(crate) fn secret() -> Secret<String> {
    Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned())
}

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse_amz_date(text).unwrap()
}

/// Builds a request from a request line and headers, one header per line.
pub(crate) fn request(line: &str, headers: &str) -> Parts {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = http::Request::builder().method(method).uri(target);
    for header in headers.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = header.trim_start().split_once(':').unwrap();
        request = request.header(name, value.trim_start());
    }
    request.body(()).unwrap().into_parts().0
}

pub(crate) fn credentials(secret: &Secret<String>) -> SigningCredentials<'_> {
    SigningCredentials {
        access_key_id: ID,
        secret,
        session_token: None,
    }
}

pub(crate) const fn target(rules: &ServiceRules) -> SigningTarget {
    SigningTarget {
        region: "eu-west-1",
        service: rules.service,
    }
}

pub(crate) fn parse(
    parts: &Parts,
    rules: &ServiceRules,
) -> Result<PresentedSignature, SignatureFault> {
    PresentedSignature::parse(parts, at(NOW), rules)
}
