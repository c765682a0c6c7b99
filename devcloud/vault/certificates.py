"""Self-signed certificates with their private key, in the two forms of Key Vault."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

_PLAIN = serialization.NoEncryption()


def self_signed(name: str, ends_at: datetime, *, pem: bool) -> tuple[str, str, datetime]:
    """The private form (PEM, or PKCS #12 in base 64), the public certificate (PEM) and its end."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(ends_at - timedelta(days=3650)).not_valid_after(ends_at)
    certificate = builder.sign(key, hashes.SHA256())
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    if not pem:
        archive = pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, None, _PLAIN)
        return base64.b64encode(archive).decode(), public, certificate.not_valid_after_utc
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, _PLAIN)
    return private.decode() + public, public, certificate.not_valid_after_utc
