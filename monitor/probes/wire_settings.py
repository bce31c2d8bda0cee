"""The keys that check types over a TCP connection share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the configuration reads the type hints at run time
from typing import Any, Literal

from monitor.probes.settings import anything, family_key, flag_key, host_key, is_host, is_loopback, key, port_key

MOST_WARN_DAYS = 365
WARN_DAYS = (21, 7, 1)
_LONGEST_USER = 200


def is_authorities(path: Path) -> bool:
    """Whether there are PEM certificates in that file."""
    try:
        return "-----BEGIN CERTIFICATE-----" in path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def verify_key() -> Any:
    """Declare the key ``verify_certificate``."""
    return flag_key(default=True, doc="whether the certificate must be in force, trusted and made out to the name")


def ca_file_key() -> Any:
    """Declare the key ``ca_file``."""
    return key(
        default=None,
        doc="the authorities that are trusted, as PEM; the system's unless given",
        allowed="a readable file of PEM certificates, relative to this file",
        check=is_authorities,
    )


def warn_days_key() -> Any:
    """Declare the key ``warn_days``."""
    return key(
        default=WARN_DAYS,
        doc="how many days before the certificate expires mails tell of it, once each; none: []",
        allowed=f"a list of days like [21, 7, 1], each from 0 to {MOST_WARN_DAYS}",
        check=lambda days: all(0 <= day <= MOST_WARN_DAYS for day in days),
    )


def user_key() -> Any:
    """Declare the key ``user``."""
    return key(
        default=None,
        doc="who logs in; without it no login is tried",
        allowed="one line of text, 1 to 200 characters",
        check=lambda text: bool(text) and text.isprintable() and len(text) <= _LONGEST_USER,
    )


def password_file_key() -> Any:
    """Declare the key ``password_file``."""
    return key(
        default=None,
        doc="the file, or the systemd credential of its name, with the password of user",
        allowed="a path in quotes, relative to this file or absolute",
        check=anything,
    )


IN_CLEAR = "where a login leaves this machine: the password would travel in clear"
"""Why a key must be what keeps a login to another machine from being read on the way."""


def half_a_login(user: str | None, password_file: Path | None) -> tuple[str, str] | None:
    """Say which of the two is missing, and what is allowed; None where neither is, or both are."""
    if user is not None and password_file is None:
        return "password_file", "the file that holds the password of user"
    if password_file is not None and user is None:
        return "user", "the name that password_file holds the password of"
    return None


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Where to connect to; each type has a port of its own by default."""

    host: str | None = host_key()
    port: int = port_key(80)
    family: Literal["any", "4", "6"] = family_key()


@dataclass(frozen=True, slots=True)
class TlsSettings(HostSettings):
    """What a certificate must be."""

    server_name: str | None = key(
        default=None,
        doc="the name that TLS asks for and the certificate must be made out to; the host unless given",
        allowed="an address or a host name",
        check=is_host,
    )
    verify_certificate: bool = verify_key()
    ca_file: Path | None = ca_file_key()  # noqa: RUF009 - it declares a field
    warn_days: tuple[int, ...] = warn_days_key()


@dataclass(frozen=True, slots=True)
class LoginSettings(TlsSettings):
    """Who logs in, where a login is to be tried."""

    user: str | None = user_key()
    password_file: Path | None = password_file_key()  # noqa: RUF009 - it declares a field

    def together(self, address: str) -> tuple[str, str] | None:  # noqa: ARG002 - some ask it
        """Say which key does not fit the others on a server of that address, and what is allowed."""
        return half_a_login(self.user, self.password_file)

    def _is_exposed(self, address: str) -> bool:
        """Whether a login leaves this machine."""
        return self.user is not None and not is_loopback(self.host or address)


@dataclass(frozen=True, slots=True)
class StarttlsSettings(LoginSettings):
    """The same, where a conversation in clear can be upgraded."""

    starttls: bool = flag_key(default=False, doc="whether the connection must be upgraded to TLS")

    def together(self, address: str) -> tuple[str, str] | None:
        """Say which key does not fit the others on a server of that address, and what is allowed."""
        if self._is_exposed(address) and not self.starttls:
            return "starttls", f"true {IN_CLEAR}"
        return LoginSettings.together(self, address)


@dataclass(frozen=True, slots=True)
class ClearOrTlsSettings(LoginSettings):
    """The same, where TLS is spoken from the first byte or not at all."""

    tls: bool = flag_key(default=False, doc="whether TLS is spoken from the first byte")

    def together(self, address: str) -> tuple[str, str] | None:
        """Say which key does not fit the others on a server of that address, and what is allowed."""
        if self._is_exposed(address) and not self.tls:
            return "tls", f"true {IN_CLEAR}"
        return LoginSettings.together(self, address)
