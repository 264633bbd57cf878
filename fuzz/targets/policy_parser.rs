//! Policy documents: no text may panic the parser, the validator or the evaluator, and nothing that
//! was not allowed by a statement is allowed.
#![no_main]

use std::sync::Arc;

use keywright_base::AccountId;
use keywright_policy::{
    ContextMap, Decision, DocumentKind, Policy, PolicySet, PrincipalRef, AccessRequest, PolicySource, evaluate, parse,
    size_without_whitespace, validate,
};
use libfuzzer_sys::fuzz_target;

const KINDS: [DocumentKind<'static>; 5] = [
    DocumentKind::Managed,
    DocumentKind::Inline,
    DocumentKind::Session,
    DocumentKind::Trust,
    DocumentKind::Bucket { bucket: "photos" },
];

fuzz_target!(|text: &str| {
    for kind in KINDS {
        if let Err(violation) = validate(text, kind) {
            let _ = violation.to_string();
        }
    }
    let _ = size_without_whitespace(text);
    let Ok(document) = parse(text) else {
        return;
    };
    let policy = Arc::new(Policy::compile(&document));
    let account = AccountId::new(123_456_789_012).expect("twelve digits");
    let set = PolicySet::new(vec![(PolicySource::Inline, Arc::clone(&policy))]);
    let context = ContextMap::default();
    let request = AccessRequest {
        principal: PrincipalRef::User {
            account,
            arn: "arn:aws:iam::123456789012:user/bob",
            id: "AIDACKCEVSQ6C2EXAMPLE",
            name: "bob",
        },
        action: "s3:GetObject",
        resource: "arn:aws:s3:::photos/2026/cat.jpg",
        owner: Some(account),
        context: &context,
    };
    let allowed = evaluate(&set, None, &request) == Decision::Allow;
    assert!(!allowed || text.contains("Allow"), "allowed by no Allow");
    let _ = evaluate(&PolicySet::default(), Some(&policy), &request);
});
