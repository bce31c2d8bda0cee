"""The keys of the check types ``http`` and ``https``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path  # noqa: TC003 - the configuration reads the type hints at run time
from urllib.parse import urlsplit

from monitor.probes.settings import is_host, is_port, key

_CODES = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


def _is_url(scheme: str, text: str) -> bool:
    """Whether ``text`` is an absolute URL of that scheme, without user, password or white space."""
    if _UNPRINTABLE.search(text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme != scheme or "@" in parts.netloc or parts.hostname is None:
        return False
    return is_host(_ascii(parts.hostname)) and (port is None or is_port(port))


def _ascii(name: str) -> str:
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _is_http_url(text: str) -> bool:
    return _is_url("http", text)


def _is_https_url(text: str) -> bool:
    return _is_url("https", text)


def status_range(text: str) -> range:
    """Read ``"204"`` or ``"200-299"``, both ends included; raises ``ValueError`` for anything else."""
    match = _CODES.fullmatch(text)
    if match is None:
        raise ValueError(text)
    first = int(match[1])
    last = int(match[2] or match[1])
    if last < first:
        raise ValueError(text)
    return range(first, last + 1)


@lru_cache
def status_ranges(texts: tuple[str, ...]) -> tuple[range, ...]:
    """Read several; checks that accept the same statuses share them. Raises as ``status_range`` does."""
    return tuple(status_range(text) for text in texts)


def _are_codes(texts: tuple[str, ...]) -> bool:
    try:
        return bool(status_ranges(texts))
    except ValueError:
        return False


def _anything(_value: object) -> bool:
    return True


def _is_readable(path: Path) -> bool:
    try:
        return "-----BEGIN CERTIFICATE-----" in path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The keys of type ``http``."""

    url: str = key(
        doc="the page to get",
        allowed='a URL like "http://www.example.com/path", without user and password',
        check=_is_http_url,
    )
    status: tuple[str, ...] = key(
        default=("200-399",),
        doc="the statuses that are ok",
        allowed='a list of statuses and ranges like ["200-299", "404"]',
        check=_are_codes,
    )
    expect: str | None = key(
        default=None,
        doc="a text that must stand in the first 1 MiB of the body",
        allowed="a text that is not empty",
        check=bool,
    )
    follow_redirects: bool = key(
        default=True,
        doc="whether up to 10 redirects are followed; the last answer's status counts",
        allowed="true or false",
        check=_anything,
    )


@dataclass(frozen=True, slots=True)
class HttpsSettings(HttpSettings):
    """The keys of type ``https``."""

    url: str = key(
        doc="the page to get",
        allowed='a URL like "https://www.example.com/path", without user and password',
        check=_is_https_url,
    )
    verify_certificate: bool = key(
        default=True,
        doc="whether the certificate must be in force, trusted and made out to the URL's host",
        allowed="true or false",
        check=_anything,
    )
    ca_file: Path | None = key(  # noqa: RUF009 - it declares a field
        default=None,
        doc="the authorities that are trusted, as PEM; the system's unless given",
        allowed="a readable file of PEM certificates, relative to this file",
        check=_is_readable,
    )
