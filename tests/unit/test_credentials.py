"""Certificates as Key Vault gives them, and what is no certificate."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from ticket_engine.oauth.credentials import read_certificate

ENDS = datetime(2027, 5, 1, 12, tzinfo=UTC)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def certificate(key: Key) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ticket-engine")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(ENDS - timedelta(days=365)).not_valid_after(ENDS)
    return builder.sign(key, hashes.SHA256())


def pem(key: Key, issued: x509.Certificate) -> str:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + issued.public_bytes(serialization.Encoding.PEM)).decode()


def archive(key: Key | None, issued: x509.Certificate) -> str:
    return base64.b64encode(
        pkcs12.serialize_key_and_certificates(b"ticket-engine", key, issued, None, serialization.NoEncryption())
    ).decode()


@pytest.mark.parametrize("form", [pem, archive])
def test_both_forms_of_key_vault_give_key_certificate_and_end(form: object) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public, ends_at = read_certificate(form(key, certificate(key)))  # type: ignore[operator]
    assert private.startswith("-----BEGIN PRIVATE KEY-----")
    assert public.startswith("-----BEGIN CERTIFICATE-----")
    assert ends_at == ENDS


def test_a_certificate_without_an_rsa_key_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issued = certificate(key)
    for text in (pem(key, issued), archive(None, issued)):
        with pytest.raises(ValueError, match="no certificate with an RSA key"):
            read_certificate(text)


@pytest.mark.parametrize("text", ["a client secret!", "YWJj", "-----BEGIN NOTHING-----"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own message
        read_certificate(text)
