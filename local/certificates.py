"""Real X.509 certificates, made on the spot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The PEM texts that UploadServerCertificate takes."""

    body: str
    private_key: str
    chain: str | None = None


def make_certificate(
    common_name: str, not_before: datetime, not_after: datetime, *, with_chain: bool = False
) -> CertificateFiles:
    """Return a self-signed certificate valid between two moments (aware datetimes)."""
    body = _sign(common_name, not_before, not_after)
    chain = _sign("Local AWS Root", not_before, not_after) if with_chain else None
    key = _key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return CertificateFiles(body, key.decode(), chain)


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _sign(common_name: str, not_before: datetime, not_after: datetime) -> str:
    if not_before.tzinfo is None or not_after.tzinfo is None:
        raise ValueError("not_before and not_after need a time zone")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .sign(_key(), hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
