"""What a value may be: one function for each kind of value in the configuration.

A kind takes what TOML gave and returns what the program keeps, or raises Refused with what is allowed, in the words of
a message. ``true`` is never a number. What may stand in thousands of places, ids and words, is kept once. Lengths of
time are seconds in the file and whole milliseconds from here on.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from sys import intern
from typing import TYPE_CHECKING, TypeAlias

from monitor.config.faults import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.model import Millis

Kind: TypeAlias = "Callable[[object], object]"

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MONEY = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_REACH = re.compile(r"tcp:([0-9]{1,5})")
_FIRST_DAY, _LAST_DAY = dt.date(1970, 1, 1), dt.date(2999, 12, 31)
_LONGEST_PATH = 1000
HIGHEST_PORT = 65535


def text(longest: int = 200) -> Kind:
    """Return the kind of one line of text that says something: no line breaks, no control characters."""
    allowed = f"one line of text, 1 to {longest} characters"

    def read(value: object) -> str:
        if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > longest:
            raise Refused(allowed)
        return value.strip()

    return read


def identifier(value: object) -> str:
    """Read an id or a service's name: it stands in labels, file names and addresses of pages."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise Refused("1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first, no spaces")
    return intern(value)


def reference(value: object) -> str:
    """Read the id of something else; whether it exists is asked when everything is read."""
    if not isinstance(value, str) or not value:
        raise Refused("an id in quotes")
    return intern(value)


def flag(value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise Refused("true or false")
    return value


def whole(least: int, most: int) -> Kind:
    """Return the kind of whole numbers from ``least`` to ``most``, both included."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Refused(f"a whole number from {least} to {most}")
        return value

    return read


def seconds(least: Millis, most: Millis) -> Kind:
    """Return the kind of lengths from ``least`` to ``most`` milliseconds, both included, written in seconds."""
    allowed = f"seconds from {seconds_text(least)} to {seconds_text(most)}, to the millisecond"

    def read(value: object) -> Millis:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Refused(allowed)
        # within bounds first: what is far outside may be too long to be written; what is no number is never within
        if not least <= value * 1000 <= most:
            raise Refused(allowed)
        # the shortest decimal that TOML's float stands for is what was written
        length = Decimal(str(value)) * 1000
        if length != int(length):
            raise Refused(allowed)
        return int(length)

    return read


def seconds_text(length: Millis) -> str:
    """Return milliseconds as the seconds that are written for them: ``60``, ``5.5``."""
    return format(Decimal(length).scaleb(-3).normalize(), "f")


def choice(*names: str) -> Kind:
    """Return the kind that is one of a few words."""
    quoted = [f'"{name}"' for name in names]
    allowed = " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in names:
            raise Refused(allowed)
        return intern(value)

    return read


def list_of(kind: Kind, what: str, least: int = 0) -> Kind:
    """Return the kind of lists of ``what``, each once, at least ``least`` of them; every bad item is named."""
    several = f"a list of {what}" + (f", at least {least}" if least else "")

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list) or len(value) < least:
            raise Refused(several)
        items: list[object] = []
        bad: list[tuple[object, str]] = []
        for given in value:
            try:
                item = kind(given)
            except Refused as refused:
                bad.append((given, refused.allowed))
                continue
            if item in items:
                bad.append((given, f"{several}, each once"))
            items.append(item)
        if bad:
            raise Refused(several, tuple(bad))
        return tuple(items)

    return read


def path(value: object) -> str:
    """Read a path as it is written; who reads it joins it to the folder of its file."""
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > _LONGEST_PATH:
        raise Refused("a path in quotes, relative to this file or absolute")
    return value


def day(value: object) -> dt.date:
    """Read a day: TOML's own date, not a text and without a time."""
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime) or not _FIRST_DAY <= value <= _LAST_DAY:
        raise Refused("a date from 1970 to 2999, without quotes and without a time, such as 2026-01-31")
    return value


def money(value: object) -> Decimal:
    """Read an amount: a positive decimal in quotes, at most two decimals; a TOML float would not be exact."""
    if not isinstance(value, str) or not _MONEY.fullmatch(value) or not Decimal(value):
        raise Refused('a positive amount in quotes, at most 2 decimals, such as "49.90"')
    return Decimal(value)


def currency(value: object) -> str:
    """Read a currency's code."""
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise Refused('a currency of three capital letters (ISO 4217), such as "USD" or "TRY"')
    return value


def reach(value: object) -> str:
    """Read how a server is reached: ``icmp`` or ``tcp:PORT``."""
    if value == "icmp":
        return "icmp"
    found = _REACH.fullmatch(value) if isinstance(value, str) else None
    if not found or not 1 <= int(found[1]) <= HIGHEST_PORT:
        raise Refused('"icmp", or "tcp:PORT" with a port from 1 to 65535, such as "tcp:22"')
    return f"tcp:{int(found[1])}"


def zone(value: object) -> str:
    """Read a time zone's name from the zone database."""
    # the database is on the disk; a configuration names one zone, and only a wrong name needs them all
    from difflib import get_close_matches  # noqa: PLC0415
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones  # noqa: PLC0415

    allowed = 'the name of a time zone, such as "Europe/Istanbul"'
    if not isinstance(value, str) or not value:
        raise Refused(allowed)
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # a name can also be a folder of the database, or no path at all
        meant = get_close_matches(value, sorted(available_timezones()), n=1, cutoff=0.8)
        raise Refused(f'{allowed}; did you mean "{meant[0]}"?' if meant else allowed) from None
    return value
