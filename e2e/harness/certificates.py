"""Certificates that sign themselves, and the metadata of a SAML provider with one."""

import subprocess
from pathlib import Path
from typing import NamedTuple

TEMPLATE = Path(__file__).parent.with_name("scripts") / "saml_metadata.xml"


class Pair(NamedTuple):
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


def make_pair(folder: Path) -> Pair:
    """A certificate of a new key, made in this folder."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-subj", "/CN=www.example", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return Pair(certificate.read_text(), key.read_text())


def saml_metadata(pair: Pair) -> str:
    """The metadata of an identity provider that signs with this key."""
    certificate = "".join(pair.certificate.splitlines()[1:-1])
    return TEMPLATE.read_text().replace("CERTIFICATE", certificate)
