"""Validators: one function for each kind of value in the configuration.

A validator takes a TOML value and returns what the program keeps, or raises ValueRejected with a description of the
allowed values. ``true`` is never a number. Ids and words are interned, because thousands of entries repeat them.
Durations are seconds in the file and whole milliseconds from here on.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from decimal import Decimal
from sys import intern
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import SplitResult, urlsplit

from monitor.config.faults import ValueRejected
from monitor.domain_names import ascii_domain
from monitor.probes.settings import is_host

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.model import Millis

Validator: TypeAlias = "Callable[[object], object]"

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MONEY = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_REACH = re.compile(r"tcp:([0-9]{1,5})")
_FIRST_DAY, _LAST_DAY = dt.date(1970, 1, 1), dt.date(2999, 12, 31)
_LONGEST_PATH = 1000
HIGHEST_PORT = 65535


def text(max_length: int = 200) -> Validator:
    """Return the validator for one line of text: not blank, no line breaks, no control characters."""
    allowed = f"one line of text, 1 to {max_length} characters"

    def read(value: object) -> str:
        if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > max_length:
            raise ValueRejected(allowed)
        return value.strip()

    return read


def identifier(value: object) -> str:
    """Validate an id or a service's name; it appears in labels, file names and URLs."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise ValueRejected("1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first, no spaces")
    return intern(value)


def reference(value: object) -> str:
    """Validate a reference to another entry; whether that exists is checked later, over all files."""
    if not isinstance(value, str) or not value:
        raise ValueRejected("an id in quotes")
    return intern(value)


def boolean(value: object) -> bool:
    """Validate true or false."""
    if not isinstance(value, bool):
        raise ValueRejected("true or false")
    return value


def integer(minimum: int, maximum: int) -> Validator:
    """Return the validator for whole numbers from ``minimum`` to ``maximum``, both included."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise ValueRejected(f"a whole number from {minimum} to {maximum}")
        return value

    return read


def seconds(minimum: Millis, maximum: Millis) -> Validator:
    """Return the validator for durations from ``minimum`` to ``maximum`` milliseconds, written in seconds."""
    allowed = f"seconds from {format_seconds(minimum)} to {format_seconds(maximum)}, to the millisecond"

    def read(value: object) -> Millis:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueRejected(allowed)
        # check the bounds first: a huge number cannot be converted to text, and NaN is never within them
        if not minimum <= value * 1000 <= maximum:
            raise ValueRejected(allowed)
        # the shortest decimal of the float is what the file says
        length = Decimal(str(value)) * 1000
        if length != int(length):
            raise ValueRejected(allowed)
        return int(length)

    return read


def format_seconds(length: Millis) -> str:
    """Return milliseconds as seconds: ``60``, ``5.5``."""
    return format(Decimal(length).scaleb(-3).normalize(), "f")


def choice(*names: str) -> Validator:
    """Return the validator for one of a few words."""
    quoted = [f'"{name}"' for name in names]
    allowed = " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueRejected(allowed)
        return intern(value)

    return read


def list_of(validator: Validator, noun: str, min_items: int = 0) -> Validator:
    """Return the validator for lists of at least ``min_items`` different ``noun``; it reports every bad item."""
    several = f"a list of {noun}" + (f", at least {min_items}" if min_items else "")

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list) or len(value) < min_items:
            raise ValueRejected(several)
        items: list[object] = []
        bad: list[tuple[object, str]] = []
        for given in value:
            try:
                item = validator(given)
            except ValueRejected as rejection:
                bad.append((given, rejection.allowed))
                continue
            if item in items:
                bad.append((given, f"{several}, each once"))
            items.append(item)
        if bad:
            raise ValueRejected(several, tuple(bad))
        return tuple(items)

    return read


def path(value: object) -> str:
    """Validate a path; the caller joins it to the folder of the file that names it."""
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > _LONGEST_PATH:
        raise ValueRejected("a path in quotes, relative to this file or absolute")
    return value


def date(value: object) -> dt.date:
    """Validate a day: a TOML date, not text and without a time."""
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime) or not _FIRST_DAY <= value <= _LAST_DAY:
        raise ValueRejected("a date from 1970 to 2999, without quotes and without a time, such as 2026-01-31")
    return value


def money(value: object) -> Decimal:
    """Validate an amount: a positive decimal in quotes with at most two places; a TOML float would not be exact."""
    if not isinstance(value, str) or not _MONEY.fullmatch(value) or not Decimal(value):
        raise ValueRejected('a positive amount in quotes, at most 2 decimals, such as "49.90"')
    return Decimal(value)


def currency(value: object) -> str:
    """Validate a currency code."""
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueRejected('a currency of three capital letters (ISO 4217), such as "USD" or "TRY"')
    return value


def reach(value: object) -> str:
    """Validate how a server is reached: ``icmp`` or ``tcp:PORT``."""
    if value == "icmp":
        return "icmp"
    found = _REACH.fullmatch(value) if isinstance(value, str) else None
    if not found or not 1 <= int(found[1]) <= HIGHEST_PORT:
        raise ValueRejected('"icmp", or "tcp:PORT" with a port from 1 to 65535, such as "tcp:22"')
    return f"tcp:{int(found[1])}"


def timezone(value: object) -> str:
    """Validate the name of a time zone."""
    # few commands get here; the list of all zones is only needed for a wrong name
    from difflib import get_close_matches  # noqa: PLC0415
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones  # noqa: PLC0415

    allowed = 'the name of a time zone, such as "Europe/Istanbul"'
    if not isinstance(value, str) or not value:
        raise ValueRejected(allowed)
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # ValueError and OSError: the name is a folder of the zone database or not a relative path
        meant = get_close_matches(value, sorted(available_timezones()), n=1, cutoff=0.8)
        raise ValueRejected(f'{allowed}; did you mean "{meant[0]}"?' if meant else allowed) from None
    return value


# --- hosts, URLs, listen addresses and e-mail addresses ---------------------------------------------------------------

_HOST = re.compile(r"[A-Za-z0-9.:_-]+(%[A-Za-z0-9._-]{1,15})?")
_HEXADECIMAL_END = re.compile(r"(^|\.)0[xX][0-9A-Fa-f]*\.?$")
_HOST_PORT = re.compile(r"(\[([0-9A-Fa-f:.]+)\]|[^\[\]:]+):([0-9]{1,5})")
_LOCAL_PART = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_DOMAIN = re.compile(r"\w([\w-]{0,61}\w)?(\.\w([\w-]{0,61}\w)?)*")
_SENDER = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<address>[^<>]+)>")
_LONGEST_LOCAL_PART, _LONGEST_EMAIL, _LONGEST_SENDER, _LONGEST_URL = 64, 254, 320, 2000
_EMAIL_EXPECTED = "an e-mail address, such as it@example.com"


class ListenAddress(NamedTuple):
    """The address on which a socket listens; an IPv6 host has no brackets here."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def browser_address(self) -> str:
        """The address that a browser on this machine can open: "any address" becomes loopback."""
        loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
        return str(ListenAddress(loopback.get(self.host, self.host), self.port))


def host(value: object) -> str:
    """Validate the address of one machine: IPv4, IPv6 (without brackets) or a host name."""
    if not isinstance(value, str) or not _is_host(value):
        raise ValueRejected(
            "the address of one machine: IPv4, IPv6 without brackets, or a host name; no URL, port or network"
        )
    return value


def listen_address(value: object) -> ListenAddress:
    """Validate ``host:port``, the host being an address of this machine or its name."""
    found = _HOST_PORT.fullmatch(value) if isinstance(value, str) else None
    if found:
        name, number = found[2] or found[1], int(found[3])
        if 1 <= number <= HIGHEST_PORT and _can_be_bound(name, bracketed=bool(found[2])):
            return ListenAddress(name, number)
    raise ValueRejected('"HOST:PORT", such as "127.0.0.1:9809" or "[::1]:9809", the port from 1 to 65535')


def public_url(value: object) -> str:
    """Validate the public address of the pages; a slash is added at its end, so that paths can follow."""
    if not isinstance(value, str) or not is_url(value, "http", "https") or "?" in value:
        raise ValueRejected('an http or https URL without login, "?" and "#", such as "https://sla.example.com/"')
    return value if value.endswith("/") else value + "/"


def email(value: object) -> str:
    """Validate one bare e-mail address."""
    if not isinstance(value, str) or not _is_email(value):
        raise ValueRejected(_EMAIL_EXPECTED)
    return value


def sender(value: object) -> str:
    """Validate ``Name <address>`` or a bare address; the name may be quoted."""
    if isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST_SENDER:
        found = _SENDER.fullmatch(value.strip())
        if _is_email(found["address"] if found else value.strip()) and (not found or _is_display_name(found["name"])):
            return value.strip()
    raise ValueRejected('an e-mail address, or a name with one, such as "SLA <sla@example.com>"')


def is_url(value: str, *schemes: str) -> bool:
    """Whether this is a URL of one of these schemes with a host, without login, fragment or characters to escape."""
    if len(value) > _LONGEST_URL or not re.fullmatch(r"[!-~]+", value) or "#" in value:
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and _has_plain_host(parts)
    except ValueError:
        return False


def _has_plain_host(parts: SplitResult) -> bool:
    """Whether the URL has a valid host and no login; raises ValueError for an invalid port."""
    return "@" not in parts.netloc and parts.port != 0 and _is_host(parts.hostname or "")


def _is_host(name: str) -> bool:
    # the resolver reads "0x7f.1" as 127.0.0.1, so names with a hexadecimal end are refused
    return bool(_HOST.fullmatch(name)) and not _HEXADECIMAL_END.search(name) and is_host(name)


def _can_be_bound(name: str, *, bracketed: bool) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return not bracketed and _is_host(name)
    return bracketed == (address.version == 6) and not address.is_multicast  # noqa: PLR2004 - IPv6


def _is_email(address: str) -> bool:
    local, at, domain = address.rpartition("@")
    if not at or len(local) > _LONGEST_LOCAL_PART or len(address) > _LONGEST_EMAIL or not address.isprintable():
        return False
    if not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return False
    try:
        ascii_domain(domain)
    except ValueError:
        return False
    return True


def _is_display_name(name: str) -> bool:
    """Whether a sender's name is plain or quoted as a whole, so that a header cannot contain two addresses."""
    if name.startswith('"'):
        return re.fullmatch(r'"[^"\\]+"', name) is not None
    return not re.search(r'[",;:@()\[\]\\]', name)
