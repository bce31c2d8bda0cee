"""How a check type declares its keys, so that the configuration decodes them without knowing the type.

The settings of a type are a frozen dataclass. A field without a default must be given. Its type is one of ``str``,
``int``, ``bool``, ``Path`` (relative to the file it stands in), ``Duration`` (written in seconds), a ``Literal`` of
texts, a ``tuple`` of one of these with ``...``, or one of these with ``| None``. What two keys must be together is
asked by ``validate``: a method that gets the server's address and gives the key at fault and what is allowed, or None.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import Field, dataclass, field, fields
from pathlib import Path  # noqa: TC003 - the configuration reads the type hints at run time
from typing import TYPE_CHECKING, Any, Literal, NewType

if TYPE_CHECKING:
    from collections.abc import Callable

Duration = NewType("Duration", int)
"""Milliseconds, written in the configuration as seconds (``2.5``)."""

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_MAX_PORT = 65535
_MAX_NAME_LENGTH = 253

_REQUIRED: Any = object()


def key(*, default: Any = _REQUIRED, doc: str, allowed: str, check: Callable[[Any], bool]) -> Any:
    """Declare one key of a check type: its default, one line of help, what is allowed in words, and the test of it.

    The metadata of the field carries ``doc``, ``allowed`` and ``check``; ``check(value)`` is asked only about values
    of the declared type other than None, after a ``Path`` was made absolute.
    """
    metadata = {"doc": doc, "allowed": allowed, "check": check}
    if default is _REQUIRED:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def is_host(text: str) -> bool:
    """Whether ``text`` is an IPv4 address, an IPv6 address (a scope allowed) or a host name that could be looked up."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _is_name(text)
    return not (address.is_unspecified or address.is_multicast or text == "255.255.255.255")


def _is_name(text: str) -> bool:
    bare = text.removesuffix(".")
    if not bare or len(bare) > _MAX_NAME_LENGTH:
        return False
    labels = bare.split(".")
    # a last label that is a number is a mistyped IPv4 address: the resolver would read "10.1" as 10.0.0.1
    return all(_LABEL.fullmatch(label) for label in labels) and not _NUMBER.fullmatch(labels[-1])


def is_loopback(name: str) -> bool:
    """Say whether a host is this very machine, by its name alone: nothing is resolved."""
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_port(number: int) -> bool:
    """Whether ``number`` can be connected to: 1 to 65535."""
    return 1 <= number <= _MAX_PORT


def host_key() -> Any:
    """Declare the key ``host``, that every type without a ``url`` has."""
    return key(
        default=None,
        doc="what to probe; the server's address unless given",
        allowed="an IPv4 address, an IPv6 address or a host name",
        check=is_host,
    )


def port_key(default: int) -> Any:
    """Declare the key ``port`` with the type's own port."""
    return key(default=default, doc="the port to connect to", allowed="a port, 1 to 65535", check=is_port)


def family_key() -> Any:
    """Declare the key ``family``: which addresses of a name are tried."""
    return key(
        default="any",
        doc="which of a name's addresses are tried: IPv4 only, IPv6 only, or both, the first to answer",
        allowed='"any", "4" or "6"',
        check=any_value,
    )


def source_key() -> Any:
    """Declare the key ``source``: the monitor's own address."""
    return key(
        default=None,
        doc="the address of this machine to connect from; the system's choice unless given",
        allowed="an IPv4 or IPv6 address of this machine",
        check=_is_unicast_ip,
    )


def family_of_source(source: str) -> str:
    """Return the ``family`` of addresses that can be connected to from a source address."""
    return "6" if ":" in source else "4"


def _is_unicast_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return is_host(text)


def flag_key(*, default: bool, doc: str) -> Any:
    """Declare a key that is ``true`` or ``false``."""
    return key(default=default, doc=doc, allowed="true or false", check=any_value)


def duration_key(minimum: int, maximum: int, doc: str) -> Any:
    """Declare an optional key in seconds; the bounds are milliseconds."""
    return key(
        default=None,
        doc=doc,
        allowed=f"seconds from {minimum / 1000:g} to {maximum / 1000:g}, to the millisecond",
        check=lambda length: minimum <= length <= maximum,
    )


def any_value(_value: object) -> bool:
    """Allow every value of the declared type."""
    return True


# --- regular expressions ----------------------------------------------------------------------------------------------


def regex_module() -> Any:
    """Return the module that they are written for."""
    import regex  # noqa: PLC0415 - who has no pattern does not wait for it

    return regex


def is_regex(text: str) -> bool:
    """Whether ``text`` is a regular expression that can be searched for."""
    regex = regex_module()
    try:
        regex.compile(text.encode())
    except (regex.error, ValueError, RecursionError, OverflowError):
        return False
    return bool(text)


# --- keys of every check type -----------------------------------------------------------------------------------------

MIN_TIMEOUT, MAX_TIMEOUT = 10, 60_000
MAX_RETRIES = 10
MAX_RETRY_WAIT = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSettings:
    """The keys that every check type has; each type's settings inherit them."""

    timeout: Duration | None = duration_key(  # noqa: RUF009 - it declares a field
        MIN_TIMEOUT, MAX_TIMEOUT, "how long one attempt may take; as in [monitor] unless given"
    )
    retries: int | None = key(
        default=None,
        doc="how many attempts follow the first while none succeeded; as in [monitor] unless given",
        allowed=f"a whole number from 0 to {MAX_RETRIES}",
        check=lambda number: 0 <= number <= MAX_RETRIES,
    )
    retry_wait: Duration | None = duration_key(  # noqa: RUF009 - it declares a field
        0, MAX_RETRY_WAIT, "the time from a failed attempt to the next; as in [monitor] unless given"
    )
    slower_than: Duration | None = duration_key(  # noqa: RUF009 - it declares a field
        1, MAX_TIMEOUT, "the latency above which an answer is slow; never unless given"
    )
    slow_is: Literal["warning", "fail"] = key(
        default="warning",
        doc="what a slow answer is: a warning that changes no figure, or a failure",
        allowed='"warning" or "fail"',
        check=any_value,
    )
    invert: bool = flag_key(default=False, doc="whether the check is ok if the server fails it, and fails if it is ok")

    def validate_common(self) -> tuple[str, str] | None:
        """Return the key that does not fit the others by a rule of all types, and what is allowed."""
        if self.slow_is == "fail" and self.slower_than is None:
            return "slower_than", 'the latency above which an answer fails, where slow_is = "fail"'
        if self.invert and self.slower_than is not None:
            return "slower_than", "nothing where invert = true: a failure has no latency"
        source: str | None = getattr(self, "source", None)
        if source is not None and getattr(self, "family", "any") not in ("any", family_of_source(source)):
            return "family", f'"any" or "{family_of_source(source)}", the family of source'
        return None


def settings_fields(settings: type) -> list[Field[Any]]:
    """Return the fields that are keys: those of the type first, then those that every type has."""
    common = {field.name for field in fields(CheckSettings)}
    return sorted((field for field in fields(settings) if field.init), key=lambda field: field.name in common)


# --- keys that check types over a TCP connection share ----------------------------------------------------------------

MAX_WARN_DAYS = 365
WARN_DAYS = (21, 7, 1)
_MAX_USER_LENGTH = 200


def is_ca_file(path: Path) -> bool:
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
        check=is_ca_file,
    )


LowestVersion = Literal["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]


def lowest_version_key() -> Any:
    """Declare the key ``lowest_version``."""
    return key(
        default="TLSv1.2",
        doc="the lowest version of TLS that the server may agree on",
        allowed='"TLSv1", "TLSv1.1", "TLSv1.2" or "TLSv1.3"',
        check=any_value,
    )


def certificate_file_key() -> Any:
    """Declare the key ``certificate_file``."""
    return key(
        default=None,
        doc="the certificate that the monitor presents if the server asks for one, as PEM, with its chain",
        allowed="a readable file of PEM certificates, relative to this file",
        check=is_ca_file,
    )


def key_file_key() -> Any:
    """Declare the key ``key_file``."""
    return key(
        default=None,
        doc="the private key of certificate_file, as PEM without a passphrase; in certificate_file unless given",
        allowed="a path in quotes, relative to this file or absolute",
        check=any_value,
    )


def incomplete_certificate(certificate_file: Path | None, key_file: Path | None) -> tuple[str, str] | None:
    """Say which file is missing, and what is allowed; None where none is."""
    if key_file is not None and certificate_file is None:
        return "certificate_file", "the certificate that key_file is the key of"
    return None


def warn_days_key() -> Any:
    """Declare the key ``warn_days``."""
    return key(
        default=WARN_DAYS,
        doc="how many days before the certificate expires mails tell of it, once each; none: []",
        allowed=f"a list of days like [21, 7, 1], each from 0 to {MAX_WARN_DAYS}",
        check=lambda days: all(0 <= day <= MAX_WARN_DAYS for day in days),
    )


def user_key() -> Any:
    """Declare the key ``user``."""
    return key(
        default=None,
        doc="who logs in; without it no login is tried",
        allowed="one line of text, 1 to 200 characters",
        check=lambda text: bool(text) and text.isprintable() and len(text) <= _MAX_USER_LENGTH,
    )


def password_file_key() -> Any:
    """Declare the key ``password_file``."""
    return key(
        default=None,
        doc="the file, or the systemd credential of its name, with the password of user",
        allowed="a path in quotes, relative to this file or absolute",
        check=any_value,
    )


IN_CLEAR = "where a login leaves this machine: the password would travel in clear"
"""Why a key must be what keeps a login to another machine from being read on the way."""


def incomplete_login(user: str | None, password_file: Path | None) -> tuple[str, str] | None:
    """Say which of the two is missing, and what is allowed; None where neither is, or both are."""
    if user is not None and password_file is None:
        return "password_file", "the file that holds the password of user"
    if password_file is not None and user is None:
        return "user", "the name that password_file holds the password of"
    return None


@dataclass(frozen=True, slots=True)
class HostSettings(CheckSettings):
    """Where to connect to; each type has a port of its own by default."""

    host: str | None = host_key()
    port: int = port_key(80)
    family: Literal["any", "4", "6"] = family_key()
    source: str | None = source_key()


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
    lowest_version: LowestVersion = lowest_version_key()  # noqa: RUF009 - it declares a field
    certificate_file: Path | None = certificate_file_key()  # noqa: RUF009 - it declares a field
    key_file: Path | None = key_file_key()  # noqa: RUF009 - it declares a field

    def validate(self, address: str) -> tuple[str, str] | None:  # noqa: ARG002 - some ask it
        """Say which key does not fit the others, and what is allowed."""
        return incomplete_certificate(self.certificate_file, self.key_file)


@dataclass(frozen=True, slots=True)
class LoginSettings(TlsSettings):
    """Who logs in, where a login is to be tried."""

    user: str | None = user_key()
    password_file: Path | None = password_file_key()  # noqa: RUF009 - it declares a field

    def validate(self, address: str) -> tuple[str, str] | None:
        """Say which key does not fit the others on a server of that address, and what is allowed."""
        return incomplete_login(self.user, self.password_file) or TlsSettings.validate(self, address)

    def _is_exposed(self, address: str) -> bool:
        """Whether a login leaves this machine."""
        return self.user is not None and not is_loopback(self.host or address)


@dataclass(frozen=True, slots=True)
class StarttlsSettings(LoginSettings):
    """The same, where a conversation in clear can be upgraded."""

    starttls: bool = flag_key(default=False, doc="whether the connection must be upgraded to TLS")

    def validate(self, address: str) -> tuple[str, str] | None:
        """Say which key does not fit the others on a server of that address, and what is allowed."""
        if self._is_exposed(address) and not self.starttls:
            return "starttls", f"true {IN_CLEAR}"
        return LoginSettings.validate(self, address)


@dataclass(frozen=True, slots=True)
class ClearOrTlsSettings(LoginSettings):
    """The same, where TLS is spoken from the first byte or not at all."""

    tls: bool = flag_key(default=False, doc="whether TLS is spoken from the first byte")

    def validate(self, address: str) -> tuple[str, str] | None:
        """Say which key does not fit the others on a server of that address, and what is allowed."""
        if self._is_exposed(address) and not self.tls:
            return "tls", f"true {IN_CLEAR}"
        return LoginSettings.validate(self, address)
