//! SSH public keys from upload to deletion.

use crate::testing::{
    TestInstallation, TestResponse,
    certificates::{in_form, ssh_rsa},
};

const MISSING: &str = "The Public Key with id APKAXXXXXXXXXXXXXXXXX cannot be found.";

fn bench() -> TestInstallation {
    let bench = TestInstallation::new();
    bench.root("Action=CreateUser&UserName=bob").ok();
    bench
}

fn upload(bench: &TestInstallation, user: &str, body: &str) -> TestResponse {
    let body = in_form(body);
    bench.root(&format!(
        "Action=UploadSSHPublicKey&UserName={user}&SSHPublicKeyBody={body}"
    ))
}

fn get(bench: &TestInstallation, id: &str, encoding: &str) -> TestResponse {
    bench.root(&format!(
        "Action=GetSSHPublicKey&UserName=bob&SSHPublicKeyId={id}&Encoding={encoding}"
    ))
}

#[test]
fn a_key_is_read_in_both_encodings_and_survives() {
    let mut bench = bench();
    let body = ssh_rsa(2048, 1);
    let made = upload(&bench, "BOB", &format!("{body} bob@there.example"));
    let id = made.value("SSHPublicKeyId");
    assert_eq!((id.len(), id.starts_with("APKA")), (21, true), "{id}");
    assert_eq!(made.value("UserName"), "bob", "as it is spelled");
    assert_eq!(made.value("Status"), "Active");
    assert_eq!(made.value("UploadDate"), bench.now().iso8601());
    assert_eq!(made.value("Fingerprint").len(), 47);
    assert_eq!(made.value("SSHPublicKeyBody"), body, "without the comment");
    for _ in 0..2 {
        let pem = get(&bench, &id, "PEM");
        assert_eq!(pem.value("Fingerprint"), made.value("Fingerprint"));
        let again = upload(&bench, "bob", &pem.value("SSHPublicKeyBody"));
        assert_eq!(again.code(), Some("DuplicateSSHPublicKey"), "the same key");
        assert_eq!(get(&bench, &id, "SSH").value("SSHPublicKeyBody"), body);
        bench.reopen();
    }
    bench
        .root("Action=UpdateUser&UserName=bob&NewUserName=rob")
        .ok();
    let listed = bench.root("Action=ListSSHPublicKeys&UserName=rob");
    assert_eq!(listed.values("SSHPublicKeyId"), [id]);
    assert_eq!(listed.values("UserName"), ["rob"], "follows the user");
    assert_eq!(listed.value("IsTruncated"), "false");
}

#[test]
fn status_and_deletion() {
    let mut bench = bench();
    let id = upload(&bench, "bob", &ssh_rsa(2048, 1)).value("SSHPublicKeyId");
    let update = |status| {
        format!("Action=UpdateSSHPublicKey&UserName=bob&SSHPublicKeyId={id}&Status={status}")
    };
    for status in ["Inactive", "Inactive", "Active", "Inactive"] {
        bench.root(&update(status)).ok();
        bench.reopen();
        let listed = bench.root("Action=ListSSHPublicKeys&UserName=bob");
        assert_eq!(listed.values("Status"), [status]);
    }
    let text = "The status Expired cannot be set on an SSH public key.";
    bench.root(&update("Expired")).refused("InvalidInput", text);
    let text = "Cannot delete entity, must remove referenced objects first.";
    let delete_user = "Action=DeleteUser&UserName=bob";
    bench.root(delete_user).refused("DeleteConflict", text);
    let delete = format!("Action=DeleteSSHPublicKey&UserName=bob&SSHPublicKeyId={id}");
    bench.root(&delete).ok();
    assert_eq!(bench.root(&delete).code(), Some("NoSuchEntity"));
    bench.reopen();
    let listed = bench.root("Action=ListSSHPublicKeys&UserName=bob");
    assert!(listed.ok().contains("<SSHPublicKeys/>"), "{listed:?}");
    bench.root(delete_user).ok();
}

#[test]
fn five_keys_are_the_most_of_a_user() {
    let bench = bench();
    bench.root("Action=CreateUser&UserName=ann").ok();
    for seed in 1..=5 {
        upload(&bench, "bob", &ssh_rsa(2048, seed)).ok();
    }
    let text = "Cannot exceed quota for SSHPublicKeysPerUser: 5";
    upload(&bench, "bob", &ssh_rsa(2048, 6)).refused("LimitExceeded", text);
    upload(&bench, "ann", &ssh_rsa(2048, 1)).ok();
    let first = bench.root("Action=ListSSHPublicKeys&UserName=bob&MaxItems=3");
    assert_eq!(first.values("SSHPublicKeyId").len(), 3);
    let marker = first.value("Marker");
    let rest = format!("Action=ListSSHPublicKeys&UserName=bob&Marker={marker}");
    assert_eq!(bench.root(&rest).values("SSHPublicKeyId").len(), 2);
    let other = format!("Action=ListSSHPublicKeys&UserName=ann&Marker={marker}");
    bench
        .root(&other)
        .refused("ValidationError", "Invalid Marker.");
}

#[test]
fn what_is_refused() {
    let bench = bench();
    let user = "The user with name eve cannot be found.";
    let id = "SSHPublicKeyId=APKAXXXXXXXXXXXXXXXXX";
    let ann = "Action=CreateUser&UserName=ann";
    bench.root(ann).ok();
    let anns = upload(&bench, "ann", &ssh_rsa(2048, 1)).value("SSHPublicKeyId");
    let duplicate = "The SSH public key is already associated with the specified IAM user.";
    upload(&bench, "ann", &ssh_rsa(2048, 1)).refused("DuplicateSSHPublicKey", duplicate);
    let unrecognized = "Invalid public key uploaded.";
    upload(&bench, "bob", "none").refused("UnrecognizedPublicKeyEncoding", unrecognized);
    let invalid = "The public key is malformed, is not an RSA key, or is shorter than 2048 bits.";
    upload(&bench, "bob", &ssh_rsa(1024, 1)).refused("InvalidPublicKey", invalid);
    upload(&bench, "eve", &ssh_rsa(2048, 1)).refused("NoSuchEntity", user);
    for (action, more) in [
        ("GetSSHPublicKey", "&Encoding=SSH"),
        ("UpdateSSHPublicKey", "&Status=Active"),
        ("DeleteSSHPublicKey", ""),
    ] {
        let form = |user: &str, id: &str| format!("Action={action}&UserName={user}&{id}{more}");
        bench
            .root(&form("bob", id))
            .refused("NoSuchEntity", MISSING);
        bench.root(&form("eve", id)).refused("NoSuchEntity", user);
        let other = bench.root(&form("bob", &format!("SSHPublicKeyId={anns}")));
        assert_eq!(
            other.code(),
            Some("NoSuchEntity"),
            "{action} of another user"
        );
    }
    let encoding = get(&bench, "APKAXXXXXXXXXXXXXXXXX", "DER");
    assert_eq!(encoding.code(), Some("ValidationError"));
    assert!(
        bench.root("Action=ListSSHPublicKeys").is_success(),
        "root has none"
    );
}
