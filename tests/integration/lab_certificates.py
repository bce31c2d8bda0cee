"""Certificates that are right, and those that are wrong in every way that a check tells apart."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from pathlib import Path

NAME = "www.lab.test"
ADDRESS = "127.0.0.1"
VALID = "right"
DEFECTS = ("expired", "early", "self-signed", "incomplete", "other name")
"""Over; not yet in force; signed by itself; without the authority in between; made out to somebody else."""
_DAY = dt.timedelta(days=1)


class Certificates:
    """One of each, as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca = folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        now = dt.datetime.now(dt.UTC)
        between = trustme.CA(parent_cert=authority).issue_cert(ADDRESS, NAME)
        over = authority.issue_cert(ADDRESS, NAME, not_before=now - 9 * _DAY, not_after=now - _DAY)
        early = authority.issue_cert(ADDRESS, NAME, not_before=now + _DAY, not_after=now + 9 * _DAY)
        for how, leaf, whole in (
            (VALID, authority.issue_cert(ADDRESS, NAME), True),
            ("expired", over, True),
            ("early", early, True),
            ("incomplete", between, False),
            ("other name", authority.issue_cert("other.lab.test"), True),
        ):
            chain = leaf.cert_chain_pems if whole else leaf.cert_chain_pems[:1]
            self._write(how, b"".join(each.bytes() for each in chain), leaf.private_key_pem.bytes())
        self._write("self-signed", *_self_signed(now))

    def files_of(self, defect: str) -> tuple[Path, Path]:
        """Give the files of a certificate and its key."""
        name = defect.replace(" ", "-")
        return self._folder / f"{name}.pem", self._folder / f"{name}.key"

    def _write(self, defect: str, certificate: bytes, key: bytes) -> None:
        for file, text in zip(self.files_of(defect), (certificate, key), strict=True):
            file.write_bytes(text)
            file.chmod(0o644)  # servers give up root before they read it


def _self_signed(now: dt.datetime) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    names = [x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address(ADDRESS))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 9 * _DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), secret
