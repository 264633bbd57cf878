//! Server certificates from upload to deletion.

use keywright_base::{AccountId, limits};

use crate::testing::{
    ACCOUNT, TestInstallation, TestResponse,
    certificates::{TestCertificate, in_form},
};

fn upload(
    bench: &TestInstallation,
    name: &str,
    pair: (&TestCertificate, &TestCertificate),
    more: &str,
) -> TestResponse {
    let (certificate, key) = (in_form(&pair.0.certificate), in_form(&pair.1.private_key));
    bench.root(&format!(
        "Action=UploadServerCertificate&ServerCertificateName={name}&CertificateBody={certificate}\
         &PrivateKey={key}{more}"
    ))
}

fn get(bench: &TestInstallation, name: &str) -> TestResponse {
    bench.root(&format!(
        "Action=GetServerCertificate&ServerCertificateName={name}"
    ))
}

#[test]
fn a_certificate_is_read_without_its_key_and_survives() {
    let mut bench = TestInstallation::new();
    let authority = TestCertificate::new("authority.example");
    let pair = authority.issue("www.example");
    let chain = in_form(&authority.certificate);
    let more = format!(
        "&CertificateChain={chain}&Path=/web/&Tags.member.1.Key=team&Tags.member.1.Value=red"
    );
    let made = upload(&bench, "www", (&pair, &pair), &more);
    let id = made.value("ServerCertificateId");
    assert_eq!((id.len(), id.starts_with("ASCA")), (21, true), "{id}");
    let arn = format!("arn:aws:iam::{ACCOUNT}:server-certificate/web/www");
    for (element, value) in [
        ("Arn", arn.as_str()),
        ("Path", "/web/"),
        ("ServerCertificateName", "www"),
        ("UploadDate", &bench.now().iso8601()),
        ("Expiration", "2029-01-01T00:00:00Z"),
        ("Key", "team"),
    ] {
        assert_eq!(made.value(element), value, "{element}");
    }
    for _ in 0..2 {
        let read = get(&bench, "WWW");
        let stored = |pem: &str| pem.trim_end().to_owned();
        assert_eq!(read.value("CertificateBody"), stored(&pair.certificate));
        assert_eq!(
            read.value("CertificateChain"),
            stored(&authority.certificate)
        );
        assert_eq!(read.value("ServerCertificateId"), id);
        assert_eq!(read.value("Value"), "red");
        assert!(!read.ok().contains("PRIVATE KEY"), "{read:?}");
        assert!(!made.ok().contains("PRIVATE KEY"), "{made:?}");
        bench.reopen();
    }
    let summary = bench.root("Action=GetAccountSummary");
    let count = "<key>ServerCertificates</key><value>1</value>";
    assert!(summary.ok().contains(count), "{summary:?}");
}

/// Whatever else the text contains may be a private key.
#[test]
fn nothing_but_the_certificates_is_stored() {
    let bench = TestInstallation::new();
    let authority = TestCertificate::new("authority.example");
    let mut pair = authority.issue("www.example");
    let plain = pair.certificate.clone();
    let with_more = |pem: &str| {
        let end = "-----END CERTIFICATE-----";
        format!("\r\n{}\t\n", pem.replace(end, &format!("{end}SECRET")))
    };
    pair.certificate = with_more(&plain);
    let chain = with_more(&authority.certificate) + &authority.certificate;
    let more = format!("&CertificateChain={}", in_form(&chain));
    upload(&bench, "www", (&pair, &pair), &more).ok();
    let read = get(&bench, "www");
    assert_eq!(read.value("CertificateBody"), plain.trim_end());
    let twice = format!("{0}{0}", authority.certificate);
    assert_eq!(read.value("CertificateChain"), twice.trim_end());
}

#[test]
fn the_private_key_is_stored_sealed() {
    let bench = TestInstallation::new();
    let pair = TestCertificate::new("www.example");
    upload(&bench, "www", (&pair, &pair), "").ok();
    let account: AccountId = ACCOUNT.parse().unwrap();
    let (mut records, middle) = (0, pair.private_key.lines().nth(1).unwrap());
    let load = bench.identity().store().load(account, &mut |record| {
        records += usize::from(record.kind == "server-certificate");
        let body = String::from_utf8_lossy(&record.body);
        assert!(!body.contains(middle), "{}", record.kind);
    });
    load.unwrap();
    assert_eq!(records, 1);
    let cell = bench.identity().ledger().account(account).unwrap();
    let snapshot = cell.snapshot();
    let certificate = snapshot.server_certificate("www").unwrap();
    let place = super::ServerCertificate::place(&certificate.id);
    let sealed = certificate.private_key.as_bytes();
    let opened = bench.identity().vault.open(place, sealed).unwrap();
    assert_eq!(opened.expose(), pair.private_key.as_bytes());
}

#[test]
fn renaming_moving_and_deleting() {
    let mut bench = TestInstallation::new();
    let pair = TestCertificate::new("www.example");
    for name in ["a", "b"] {
        upload(&bench, name, (&pair, &pair), "").ok();
    }
    let update = |name: &str, more: &str| {
        format!("Action=UpdateServerCertificate&ServerCertificateName={name}{more}")
    };
    for (name, new) in [("a", "b"), ("a", "B"), ("a", "A")] {
        let text = format!("The Server Certificate with name {new} already exists.");
        let form = update(name, &format!("&NewServerCertificateName={new}"));
        bench.root(&form).refused("EntityAlreadyExists", &text);
    }
    let more = "&NewServerCertificateName=c&NewPath=/new/";
    bench.root(&update("a", more)).ok();
    bench.root(&update("c", "")).ok();
    bench.reopen();
    let listed = |prefix: &str| {
        let form = format!("Action=ListServerCertificates{prefix}");
        bench.root(&form).values("ServerCertificateName")
    };
    assert_eq!(listed(""), ["b", "c"]);
    assert_eq!(listed("&PathPrefix=/new"), ["c"]);
    assert_eq!(listed("&MaxItems=1"), ["b"]);
    assert_eq!(get(&bench, "c").value("Path"), "/new/");
    let delete = "Action=DeleteServerCertificate&ServerCertificateName=c";
    bench.root(delete).ok();
    let missing = "The Server Certificate with name c cannot be found.";
    bench.root(delete).refused("NoSuchEntity", missing);
    get(&bench, "c").refused("NoSuchEntity", missing);
    bench
        .root(&update("c", more))
        .refused("NoSuchEntity", missing);
    bench.reopen();
    let listed = bench.root("Action=ListServerCertificates");
    assert_eq!(listed.values("ServerCertificateName"), ["b"]);
}

#[test]
fn what_is_refused() {
    let bench = TestInstallation::new();
    let authority = TestCertificate::new("authority.example");
    let pair = authority.issue("www.example");
    let other = TestCertificate::new("other.example");
    let expired = TestCertificate::of_years("old.example", [2020, 2026]);
    let chain = |certificates: &[&TestCertificate]| {
        let texts = certificates.iter().map(|it| it.certificate.as_str());
        format!("&CertificateChain={}", in_form(&texts.collect::<String>()))
    };
    let broken = |index: i32| {
        format!(
            "Unable to validate certificate chain. The certificate chain must start with the \
             immediate signing certificate, followed by any intermediaries in order. The index \
             within the chain of the invalid certificate is: {index}"
        )
    };
    let mismatch = "The public key certificate and the private key do not match.";
    upload(&bench, "www", (&pair, &other), "").refused("KeyPairMismatch", mismatch);
    for (certificate, more, index) in [
        (&expired, String::new(), -1),
        (&pair, chain(&[&other]), -1),
        (&pair, chain(&[&authority, &other]), 0),
        (&pair, "&CertificateChain=none".to_owned(), 0),
    ] {
        let answer = upload(&bench, "www", (certificate, certificate), &more);
        answer.refused("MalformedCertificate", &broken(index));
    }
    let fitting = "-".repeat(limits::CERTIFICATE_CHAIN_BYTES);
    let answer = upload(
        &bench,
        "www",
        (&pair, &pair),
        &format!("&CertificateChain={fitting}"),
    );
    answer.refused("MalformedCertificate", &broken(0));
    let answer = upload(
        &bench,
        "www",
        (&pair, &pair),
        &format!("&CertificateChain={fitting}-"),
    );
    let long = "The certificate chain must not be longer than 65536 bytes.";
    answer.refused("InvalidInput", long);
    let unreadable = "Unable to parse certificate. Please ensure the certificate is in PEM format.";
    for (body, key, text) in [
        ("none", &*pair.private_key, unreadable),
        (&pair.certificate, "none", "Invalid Private Key."),
    ] {
        let form = format!(
            "Action=UploadServerCertificate&ServerCertificateName=www&CertificateBody={}\
             &PrivateKey={}",
            in_form(body),
            in_form(key)
        );
        bench.root(&form).refused("MalformedCertificate", text);
    }
    let listed = bench.root("Action=ListServerCertificates");
    assert!(listed.values("Arn").is_empty(), "nothing was stored");
}

#[test]
fn twenty_certificates_with_names_of_their_own() {
    let bench = TestInstallation::new();
    let pair = TestCertificate::new("www.example");
    for number in 1..=20 {
        upload(&bench, &format!("n{number}"), (&pair, &pair), "").ok();
    }
    let taken = "The Server Certificate with name N1 already exists.";
    upload(&bench, "N1", (&pair, &pair), "").refused("EntityAlreadyExists", taken);
    let full = "Cannot exceed quota for ServerCertificatesPerAccount: 20";
    upload(&bench, "n21", (&pair, &pair), "").refused("LimitExceeded", full);
}

#[test]
fn tags_differ_in_case() {
    let mut bench = TestInstallation::new();
    let pair = TestCertificate::new("www.example");
    upload(&bench, "www", (&pair, &pair), "").ok();
    let form =
        |action: &str, more: &str| format!("Action={action}&ServerCertificateName=www{more}");
    let tags =
        "&Tags.member.1.Key=k&Tags.member.1.Value=1&Tags.member.2.Key=K&Tags.member.2.Value=2";
    bench.root(&form("TagServerCertificate", tags)).ok();
    bench.reopen();
    let listed = bench.root(&form("ListServerCertificateTags", ""));
    assert_eq!(listed.values("Key"), ["K", "k"]);
    let untag = form("UntagServerCertificate", "&TagKeys.member.1=k");
    bench.root(&untag).ok();
    let listed = bench.root(&form("ListServerCertificateTags", ""));
    assert_eq!(listed.values("Value"), ["2"]);
    let reserved = "&Tags.member.1.Key=aws:k&Tags.member.1.Value=1";
    let text = "Tag keys beginning with aws: are reserved for system use.";
    let answer = bench.root(&form("TagServerCertificate", reserved));
    answer.refused("InvalidInput", text);
    let missing = "Action=TagServerCertificate&ServerCertificateName=none";
    let answer = bench.root(&format!("{missing}{tags}"));
    assert_eq!(answer.code(), Some("NoSuchEntity"));
}

#[test]
fn a_grant_is_for_names_and_paths() {
    let bench = TestInstallation::new();
    let pair = TestCertificate::new("www.example");
    upload(&bench, "www", (&pair, &pair), "&Path=/web/").ok();
    let ann = bench.user("ann", &[]);
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"iam:*","Resource":
           "arn:aws:iam::{ACCOUNT}:server-certificate/web/*"}}}}"#
    );
    let put = "Action=PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument=";
    bench.root(&format!("{put}{}", in_form(&policy))).ok();
    let update = "Action=UpdateServerCertificate&ServerCertificateName=www";
    let moved = bench.call(&ann, &format!("{update}&NewPath=/other/"));
    assert_eq!(
        moved.code(),
        Some("AccessDenied"),
        "the new name is not granted"
    );
    bench
        .call(&ann, &format!("{update}&NewServerCertificateName=ftp"))
        .ok();
    let text = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: \
         iam:GetServerCertificate on resource: server certificate none because no identity-based \
         policy allows the iam:GetServerCertificate action"
    );
    let get = "Action=GetServerCertificate&ServerCertificateName=none";
    bench.call(&ann, get).refused("AccessDenied", &text);
}
