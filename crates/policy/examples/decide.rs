//! Decides requests by a policy in a standalone program: no server, no I/O, no account.
//!
//! `cargo run -p keywright-policy --example decide`

use std::{error::Error, io::Write, sync::Arc};

use keywright_policy::{
    AccessRequest, ContextMap, Decision, DocumentKind, Policy, PolicySet, PolicySource,
    PrincipalRef, evaluate, lint, validate,
};

/// Every user may read under a prefix of their own name, over TLS only.
const POLICY: &str = r#"{
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::reports/${aws:username}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "true"}}
    }
}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();

    // Once per document. `validate` returns AWS's errors for storing it; `lint` gives advice.
    let document = validate(POLICY, DocumentKind::Inline)?;
    writeln!(out, "{} findings", lint(POLICY, DocumentKind::Inline).len())?;
    let policy = Arc::new(Policy::compile(&document));
    let policies = PolicySet::new(vec![(PolicySource::Inline, policy)]);

    // Once per request.
    let bob = PrincipalRef::User {
        account: "123456789012".parse()?,
        arn: "arn:aws:iam::123456789012:user/bob",
        id: "AIDACKCEVSQ6C2EXAMPLE",
        name: "bob",
    };
    for (secure, resource) in [
        ("true", "arn:aws:s3:::reports/bob/q3.csv"),
        ("false", "arn:aws:s3:::reports/bob/q3.csv"),
        ("true", "arn:aws:s3:::reports/ann/q3.csv"),
    ] {
        let context = ContextMap::default().with("aws:SecureTransport", secure);
        let request = AccessRequest::new(bob, "s3:GetObject", resource, &context);
        match evaluate(&policies, None, &request) {
            Decision::Allow => writeln!(out, "allowed: {resource}, TLS {secure}")?,
            Decision::Deny(reason) => {
                let why = reason.sentence("s3:GetObject");
                writeln!(out, "denied:  {resource}, TLS {secure}, {why}")?;
            }
        }
    }
    Ok(())
}
