"""A certificate authority for one start: its key is never written, and ends with the process."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from controller.errors import MissingExtraError
from controller.executors.cluster.links.encryption.credentials import Credentials, host_name

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

LIFETIME = datetime.timedelta(days=397)
"""Time after which a cluster has to be started anew."""
CLOCK_ERROR = datetime.timedelta(days=1)
"""Time by which the clocks of hosts may differ."""


class Authority:
    """Issues credentials to the ends of one cluster. Raises MissingExtraError."""

    def __init__(self) -> None:
        try:
            self._key = _new_key()
        except ImportError as error:
            raise MissingExtraError("cryptography", "cluster") from error
        self._certificate = _authority_certificate(self._key)

    def issue(self, name: str) -> Credentials:
        """Credentials of the end of that name."""
        key = _new_key()
        certificate = _end_certificate(name, key, self._key)
        return Credentials(name, _pem(self._certificate), _pem(certificate), _key_pem(key))


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _authority_certificate(key: EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    builder = _begun("authority", key)
    only_signs = x509.BasicConstraints(ca=True, path_length=0)
    return builder.add_extension(only_signs, critical=True).sign(key, SHA256())


def _end_certificate(
    name: str, key: EllipticCurvePrivateKey, signs_with: EllipticCurvePrivateKey
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    named = x509.SubjectAlternativeName([x509.DNSName(host_name(name))])
    builder = _begun(name, key).add_extension(named, critical=False)
    signs_nothing = x509.BasicConstraints(ca=False, path_length=None)
    return builder.add_extension(signs_nothing, critical=True).sign(signs_with, SHA256())


def _begun(name: str, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    """A certificate of the authority's that lacks only its purpose."""
    from cryptography import x509

    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        issuer_name=_named("authority"),
        subject_name=_named(name),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - CLOCK_ERROR,
        not_valid_after=now + LIFETIME,
    )


def _named(name: str) -> x509.Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _key_pem(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
