"""Certificates of apps that speak TLS, made for the test."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LOCALHOST = x509.DNSName("localhost")


class Authority:
    """It signs what a test wants; ``file`` is its own certificate."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self._key = directory, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            **dict.fromkeys(("key_cert_sign", "crl_sign"), True),
            **dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment"), False),
            **dict.fromkeys(("data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False),
        )
        made = (
            self._built(self._name, self._key, days=1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        )
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def server(self, *names: x509.GeneralName, days: int = 1) -> ssl.SSLContext:
        """Of a server whose certificate names these, for so many days from now on."""
        key = ec.generate_private_key(ec.SECP256R1())
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = (
            self._built(x509.Name([]), key, days)
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file = self._directory / f"{made.serial_number}.pem"
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, form, none) + made.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _built(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        first, last = sorted([now - timedelta(hours=1), now + timedelta(days=days)])
        number = x509.random_serial_number()
        return x509.CertificateBuilder(self._name, subject, key.public_key(), number, first, last)
