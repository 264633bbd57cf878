"""The other credentials of users, and certificates and SAML providers of the account, with boto3
and the AWS CLI: from creation to deletion, and what keeps a user from deletion."""

import json
import subprocess

import pytest
from botocore.exceptions import ClientError

from harness.certificates import make_pair, saml_metadata
from harness.clients import download

REFERENCED = "Cannot delete entity, must remove referenced objects first."
SIGNING = "Cannot delete entity, must delete signing certificates first."


def run(*command, stdin=None):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A certificate signed by itself and its private key."""
    return make_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture
def user(root, name):
    root.iam.create_user(UserName=name)
    return name


def refused(call, code, message, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message)


def test_ssh_public_keys(root, user, tmp_path):
    key = tmp_path / "key"
    run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-C", "me", "-f", str(key))
    line = key.with_suffix(".pub").read_text()
    made = root.iam.upload_ssh_public_key(UserName=user, SSHPublicKeyBody=line)["SSHPublicKey"]
    printed = run("ssh-keygen", "-l", "-E", "md5", "-f", str(key.with_suffix(".pub")))
    assert f"MD5:{made['Fingerprint']}" in printed
    which = {"UserName": user, "SSHPublicKeyId": made["SSHPublicKeyId"]}
    pem = root.iam.get_ssh_public_key(**which, Encoding="PEM")["SSHPublicKey"]
    converted = tmp_path / "key.pem"
    converted.write_text(pem["SSHPublicKeyBody"] + "\n")
    back = run("ssh-keygen", "-i", "-m", "PKCS8", "-f", str(converted))
    assert back.split() == line.split()[:2]
    root.iam.update_ssh_public_key(**which, Status="Inactive")
    [listed] = root.iam.list_ssh_public_keys(UserName=user)["SSHPublicKeys"]
    assert listed["Status"] == "Inactive"
    refused(root.iam.delete_user, "DeleteConflict", REFERENCED, UserName=user)
    root.iam.delete_ssh_public_key(**which)
    root.iam.delete_user(UserName=user)


def test_signing_certificates(root, user, pair):
    made = root.iam.upload_signing_certificate(UserName=user, CertificateBody=pair[0])
    which = {"UserName": user, "CertificateId": made["Certificate"]["CertificateId"]}
    root.iam.update_signing_certificate(**which, Status="Inactive")
    [listed] = root.iam.list_signing_certificates(UserName=user)["Certificates"]
    assert (listed["Status"], listed["CertificateBody"] + "\n") == ("Inactive", pair[0])
    refused(root.iam.delete_user, "DeleteConflict", SIGNING, UserName=user)
    root.iam.delete_signing_certificate(**which)
    root.iam.delete_user(UserName=user)


def test_service_specific_credentials(root, user):
    create = root.iam.create_service_specific_credential
    made = create(UserName=user, ServiceName="codecommit.amazonaws.com")
    made = made["ServiceSpecificCredential"]
    account = root.sts.get_caller_identity()["Account"]
    assert made["ServiceUserName"] == f"{user}-at-{account}"
    which = {
        "UserName": user,
        "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"],
    }
    reset = root.iam.reset_service_specific_credential(**which)["ServiceSpecificCredential"]
    assert reset["ServicePassword"] != made["ServicePassword"]
    key = create(UserName=user, ServiceName="bedrock.amazonaws.com", CredentialAgeDays=30)
    assert key["ServiceSpecificCredential"]["ServiceCredentialSecret"].startswith("ABSK")
    listed = root.iam.list_service_specific_credentials(UserName=user)
    assert len(listed["ServiceSpecificCredentials"]) == 2
    refused(root.iam.delete_user, "DeleteConflict", REFERENCED, UserName=user)
    for credential in listed["ServiceSpecificCredentials"]:
        root.iam.delete_service_specific_credential(
            UserName=user,
            ServiceSpecificCredentialId=credential["ServiceSpecificCredentialId"],
        )
    root.iam.delete_user(UserName=user)


def test_server_certificates_with_the_cli(server, root, aws, name, pair, tmp_path):
    aws.configure(download(server.root, tmp_path / "root.csv"))
    files = {}
    for kind, text in zip(("body", "key"), pair, strict=True):
        files[kind] = tmp_path / kind
        files[kind].write_text(text)

    def cli(action, *options):
        return aws("iam", action, "--server-certificate-name", *options)

    made = cli(
        *("upload-server-certificate", name, "--path", "/web/"),
        *("--certificate-body", f"file://{files['body']}"),
        *("--private-key", f"file://{files['key']}"),
        *("--tags", "Key=team,Value=red"),
    )["ServerCertificateMetadata"]
    assert made["Arn"].endswith(f":server-certificate/web/{name}")
    read = cli("get-server-certificate", name)["ServerCertificate"]
    assert read["CertificateBody"].strip() == pair[0].strip()
    assert "PRIVATE KEY" not in json.dumps(read)
    cli("update-server-certificate", name, "--new-server-certificate-name", f"{name}-new")
    [listed] = root.iam.list_server_certificates(PathPrefix="/web/")[
        "ServerCertificateMetadataList"
    ]
    assert listed["ServerCertificateName"] == f"{name}-new"
    cli("delete-server-certificate", f"{name}-new")
    refused(
        root.iam.get_server_certificate,
        "NoSuchEntity",
        f"The Server Certificate with name {name} cannot be found.",
        ServerCertificateName=name,
    )


def test_saml_providers(root, name, pair):
    document = saml_metadata(pair)
    made = root.iam.create_saml_provider(Name=name, SAMLMetadataDocument=document)
    arn = made["SAMLProviderArn"]
    root.iam.update_saml_provider(
        SAMLProviderArn=arn, AddPrivateKey=pair[1], AssertionEncryptionMode="Required"
    )
    read = root.iam.get_saml_provider(SAMLProviderArn=arn)
    assert read["SAMLMetadataDocument"] == document
    assert read["AssertionEncryptionMode"] == "Required"
    assert len(read["PrivateKeyList"]) == 1
    assert read["ValidUntil"].year == read["CreateDate"].year + 100
    assert arn in [listed["Arn"] for listed in root.iam.list_saml_providers()["SAMLProviderList"]]
    root.iam.delete_saml_provider(SAMLProviderArn=arn)
    refused(
        root.iam.get_saml_provider,
        "NoSuchEntity",
        f"Manifest not found for arn {arn}",
        SAMLProviderArn=arn,
    )
