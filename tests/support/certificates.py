"""Certificates for tests, through python3-cryptography: an authority, and what it issues."""

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = ("localhost", "127.0.0.1")
SINCE, UNTIL = datetime.datetime(2020, 1, 1), datetime.datetime(2049, 12, 31)
EXPIRED = datetime.datetime(2021, 2, 3, 4, 5, 6)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(text):
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _write(path, pem):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)


class Authority:
    """Writes NAME.pem (its own, and one for each issue()) and NAME.key into its folder."""

    def __init__(self, folder, name="ca"):
        self.folder, self.subject, self.key = folder, _name(f"Provost test {name}"), ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(self.subject, self.key, SINCE, UNTIL)
        self.file = self._save(name, builder.add_extension(x509.BasicConstraints(True, None), critical=True), self.key)

    def _builder(self, subject, key, since, until):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.subject).public_key(key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(since).not_valid_after(until))

    def _save(self, name, builder, key):
        path = os.path.join(self.folder, name)
        _write(path + ".pem", builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        _write(path + ".key", key_pem(key))
        return path + ".pem"

    def issue(self, name, names=HERE, since=SINCE, until=UNTIL):
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(name), key, since, until)
        return self._save(name, builder.add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), critical=False), key)
