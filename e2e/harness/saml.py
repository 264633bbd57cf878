"""A SAML identity provider: its metadata, and responses whose assertion is signed with RSA.

What is signed is written in canonical form to begin with, so that no library is needed for it.
"""

import base64
import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ENTITY = "https://idp.example/saml"
ENDPOINT = "https://signin.aws.amazon.com/saml"
AWS = "https://aws.amazon.com/SAML/Attributes"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"


def instant(seconds: int) -> str:
    """So many seconds from now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class SamlProvider:
    """An identity provider with a key of its own."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp.example")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(datetime.datetime(2026, 1, 1))
            .not_valid_after(datetime.datetime(2036, 1, 1))
            .sign(self.key, hashes.SHA256())
        )
        der = certificate.public_bytes(serialization.Encoding.DER)
        self.certificate = base64.b64encode(der).decode()
        self.count = 0

    def metadata(self) -> str:
        text = f"""<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ENTITY}">
  <md:IDPSSODescriptor protocolSupportEnumeration="{PROTOCOL}">
    <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data>
      <ds:X509Certificate>{self.certificate}</ds:X509Certificate>
    </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
        Location="https://idp.example/sso"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>"""
        return text.ljust(1000)

    def assertion(self, attributes: dict[str, list[str]]) -> str:
        """An assertion in canonical form, without a signature.

        It is dated a little ahead: a server that has just started accepts none from before.
        """
        self.count += 1
        now, later = instant(58), instant(250)
        values = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{v}</saml:AttributeValue>" for v in values)
            + "</saml:Attribute>"
            for name, values in attributes.items()
        )
        return (
            f'<saml:Assertion xmlns:saml="{ASSERTION}" ID="_a{self.count}" IssueInstant="{now}"'
            f' Version="2.0"><saml:Issuer>{ENTITY}</saml:Issuer><saml:Subject><saml:NameID>'
            "ann@example.com</saml:NameID><saml:SubjectConfirmation"
            ' Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData'
            f' NotOnOrAfter="{later}" Recipient="{ENDPOINT}"></saml:SubjectConfirmationData>'
            f'</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotOnOrAfter="{later}">'
            "<saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience>"
            "</saml:AudienceRestriction></saml:Conditions><saml:AttributeStatement>"
            f"{values}</saml:AttributeStatement></saml:Assertion>"
        )

    def signed(self, assertion: str) -> str:
        """The assertion with its signature."""
        digest = base64.b64encode(hashlib.sha256(assertion.encode()).digest()).decode()
        identifier = assertion.split('ID="')[1].split('"')[0]
        empty = "></ds:{0}>".format
        info = (
            f'<ds:SignedInfo xmlns:ds="{DSIG}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"'
            + empty("CanonicalizationMethod")
            + '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"'
            + empty("SignatureMethod")
            + f'<ds:Reference URI="#{identifier}"><ds:Transforms>'
            + f'<ds:Transform Algorithm="{DSIG}enveloped-signature"'
            + empty("Transform")
            + f'<ds:Transform Algorithm="{EXCLUSIVE}"'
            + empty("Transform")
            + "</ds:Transforms>"
            + '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"'
            + empty("DigestMethod")
            + f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        )
        value = self.key.sign(info.encode(), padding.PKCS1v15(), hashes.SHA256())
        value = base64.b64encode(value).decode()
        signature = (
            f'<ds:Signature xmlns:ds="{DSIG}">{info}<ds:SignatureValue>{value}'
            "</ds:SignatureValue></ds:Signature>"
        )
        return assertion.replace("</saml:Issuer>", f"</saml:Issuer>{signature}", 1)

    def response(self, content: str) -> str:
        """The Base64 of a response with this content."""
        text = (
            f'<samlp:Response xmlns:samlp="{PROTOCOL}" ID="_r{self.count}" Version="2.0">'
            "<samlp:Status><samlp:StatusCode"
            ' Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
            f"{content}</samlp:Response>"
        )
        return base64.b64encode(text.encode()).decode()
