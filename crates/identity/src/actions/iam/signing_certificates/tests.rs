//! Signing certificates from upload to deletion.

use crate::testing::{
    TestInstallation, TestKeys, TestResponse,
    certificates::{TestCertificate, in_form},
};

fn upload(bench: &TestInstallation, keys: &TestKeys, user: &str, body: &str) -> TestResponse {
    let body = in_form(body);
    bench.call(
        keys,
        &format!("Action=UploadSigningCertificate{user}&CertificateBody={body}"),
    )
}

#[test]
fn a_user_and_root_have_two_each() {
    let mut bench = TestInstallation::new();
    let bob = bench.user("bob", &["IAMFullAccess"]);
    let root = bench.root.clone();
    let summary = |bench: &TestInstallation| {
        let answer = bench.root("Action=GetAccountSummary");
        let (_, rest) = answer
            .ok()
            .split_once("AccountSigningCertificatesPresent")
            .unwrap();
        rest.split("<value>").nth(1).unwrap().starts_with('1')
    };
    for (keys, name) in [(&bob, "bob"), (&root, "root")] {
        assert!(!summary(&bench));
        for number in 1..=2 {
            let body = TestCertificate::new(&format!("{name}{number}.example")).certificate;
            let end = "-----END CERTIFICATE-----";
            let with_more = body.replace(end, &format!("{end}SECRET"));
            let made = upload(&bench, keys, "", &with_more);
            let id = made.value("CertificateId");
            assert_eq!(id.len(), 32, "{id}");
            assert!(
                id.bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            );
            assert_eq!(made.value("UserName"), name);
            assert_eq!(made.value("Status"), "Active");
            assert_eq!(made.value("UploadDate"), bench.now().iso8601());
            assert_eq!(made.value("CertificateBody"), body.trim_end());
        }
        let third = upload(
            &bench,
            keys,
            "",
            &TestCertificate::new("3.example").certificate,
        );
        third.refused(
            "LimitExceeded",
            "Cannot exceed quota for CertificatesPerUser: 2",
        );
        bench.reopen();
        let listed = bench.call(keys, "Action=ListSigningCertificates");
        assert_eq!(listed.values("UserName"), [name, name]);
        assert_eq!(listed.values("CertificateBody").len(), 2);
    }
    assert!(summary(&bench), "root has some");
}

#[test]
fn status_and_deletion() {
    let mut bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=bob").ok();
    let body = TestCertificate::new("bob.example").certificate;
    let root = bench.root.clone();
    let id = upload(&bench, &root, "&UserName=bob", &body).value("CertificateId");
    let update = |status| {
        format!("Action=UpdateSigningCertificate&UserName=bob&CertificateId={id}&Status={status}")
    };
    for status in ["Inactive", "Active", "Inactive"] {
        bench.root(&update(status)).ok();
        bench.reopen();
        let listed = bench.root("Action=ListSigningCertificates&UserName=bob");
        assert_eq!(listed.values("Status"), [status]);
    }
    let text = "The status Expired cannot be set on a signing certificate.";
    bench.root(&update("Expired")).refused("InvalidInput", text);
    let text = "Cannot delete entity, must delete signing certificates first.";
    let delete_user = "Action=DeleteUser&UserName=bob";
    bench.root(delete_user).refused("DeleteConflict", text);
    let delete = format!("Action=DeleteSigningCertificate&UserName=bob&CertificateId={id}");
    bench.root(&delete).ok();
    bench.reopen();
    let missing = format!("The Certificate with id {id} cannot be found.");
    bench.root(&delete).refused("NoSuchEntity", &missing);
    upload(&bench, &root, "&UserName=bob", &body).ok();
}

#[test]
fn what_is_refused() {
    let bench = TestInstallation::new();
    let root = bench.root.clone();
    bench.root("Action=CreateUser&UserName=bob").ok();
    let (bob, eve) = ("&UserName=bob", "&UserName=eve");
    let body = TestCertificate::new("bob.example").certificate;
    let missing_user = "The user with name eve cannot be found.";
    upload(&bench, &root, eve, &body).refused("NoSuchEntity", missing_user);
    let malformed = "Certificate invalid-certificate-body is malformed.";
    let answer = upload(&bench, &root, bob, "invalid-certificate-body");
    answer.refused("MalformedCertificate", malformed);
    let key = TestCertificate::new("k.example").private_key;
    for text in [&format!("{body}{body}"), &format!("text\n{body}"), &key] {
        let answer = upload(&bench, &root, bob, text);
        answer.refused("MalformedCertificate", "Certificate body is malformed.");
    }
    let invalid = "The certificate has expired or is not valid yet.";
    for years in [[2020, 2026], [2027, 2030]] {
        let body = TestCertificate::of_years("bob.example", years).certificate;
        upload(&bench, &root, bob, &body).refused("InvalidCertificate", invalid);
    }
    upload(&bench, &root, "", &body).ok();
    let duplicate = "The same certificate is associated with an IAM user in the account.";
    let spelled = body.replace('\n', "\r\n");
    upload(&bench, &root, bob, &spelled).refused("DuplicateCertificate", duplicate);
    let id = "CertificateId=NONEXISTENTCERTID12345678901";
    let missing = "The Certificate with id NONEXISTENTCERTID12345678901 cannot be found.";
    for form in [
        format!("Action=UpdateSigningCertificate&{id}&Status=Active"),
        format!("Action=DeleteSigningCertificate&{id}"),
    ] {
        bench
            .root(&format!("{form}{bob}"))
            .refused("NoSuchEntity", missing);
        bench
            .root(&format!("{form}{eve}"))
            .refused("NoSuchEntity", missing_user);
    }
    let listed = bench.root(&format!("Action=ListSigningCertificates{eve}"));
    listed.refused("NoSuchEntity", missing_user);
}
