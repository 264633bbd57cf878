//! Verification with a cached signing key, the server's hottest path.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot set up must stop"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use http::request::Parts;
use keywright_base::{Secret, Timestamp};
use keywright_sigv4::{
    PayloadClaim, PayloadHash, PresentedSignature, ServiceRules, SigningCredentials,
    SigningDialect, SigningKey, SigningTarget, sign,
};

const NOW: Timestamp = Timestamp::from_secs(1_789_132_519);

fn signed(
    target: &str,
    headers: &[(&'static str, &str)],
    rules: &ServiceRules,
) -> (Parts, SigningKey) {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned());
    let mut request = http::Request::builder().method("POST").uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).expect("a request").into_parts();
    let credentials = SigningCredentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret: &secret,
        session_token: None,
    };
    let target = SigningTarget {
        region: "us-east-1",
        service: rules.service,
    };
    sign(
        &mut parts,
        &credentials,
        &target,
        PayloadClaim::Undeclared,
        NOW,
    )
    .expect("signed");
    let key = SigningKey::derive(&secret, &NOW.scope_date(), "us-east-1", rules.service);
    (parts, key)
}

fn run(
    criterion: &mut Criterion,
    name: &str,
    parts: &Parts,
    key: &SigningKey,
    rules: &ServiceRules,
) {
    let body = PayloadHash::of(b"");
    let presented = PresentedSignature::parse(parts, NOW, rules).expect("presented");
    criterion.bench_function(&format!("{name}/parse"), |bench| {
        bench.iter(|| PresentedSignature::parse(parts, NOW, rules));
    });
    criterion.bench_function(&format!("{name}/verify"), |bench| {
        bench.iter(|| presented.verify(parts, key, body).expect("verified"));
    });
}

fn verify(criterion: &mut Criterion) {
    let iam = ServiceRules {
        dialect: SigningDialect::Query,
        service: "iam",
        home_region: "us-east-1",
    };
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    let headers = [("host", "localhost:9000"), ("content-type", form)];
    let (parts, key) = signed("/", &headers, &iam);
    run(criterion, "iam", &parts, &key, &iam);

    let s3 = ServiceRules {
        dialect: SigningDialect::S3,
        service: "s3",
        ..iam
    };
    let headers = [("host", "localhost:9000"), ("content-type", "text/plain")];
    let (parts, key) = signed(
        "/bucket/some/key%20name.txt?partNumber=3&uploadId=abc",
        &headers,
        &s3,
    );
    run(criterion, "s3", &parts, &key, &s3);
}

criterion_group!(benches, verify);
criterion_main!(benches);
