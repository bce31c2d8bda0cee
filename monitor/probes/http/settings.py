"""The keys of the check types ``http`` and ``https``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the configuration reads the type hints at run time
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from monitor.probes.expression import is_expression
from monitor.probes.http_wanted import header_expected, place, status_range
from monitor.probes.settings import anything, family_key, is_host, is_loopback, is_port, key
from monitor.probes.wire_settings import (
    ca_file_key,
    half_a_login,
    password_file_key,
    user_key,
    verify_key,
    warn_days_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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


def _all_read(read: Callable[[str], object]) -> Callable[[tuple[str, ...]], bool]:
    def check(texts: tuple[str, ...]) -> bool:
        try:
            for text in texts:
                read(text)
        except ValueError:
            return False
        return True

    return check


def _are_codes(texts: tuple[str, ...]) -> bool:
    return bool(texts) and _all_read(status_range)(texts)


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
    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = key(
        default="GET",
        doc="what is asked; POST sends no body",
        allowed='"GET", "HEAD", "OPTIONS" or "POST"',
        check=anything,
    )
    forbid: str | None = key(
        default=None,
        doc="a text that must not stand there",
        allowed="a text that is not empty",
        check=bool,
    )
    expect_pattern: str | None = key(
        default=None,
        doc="a regular expression that must be found there, within a quarter of a second",
        allowed="a regular expression",
        check=is_expression,
    )
    expect_headers: tuple[str, ...] = key(
        default=(),
        doc="headers that the answer must have, each with a text in it",
        allowed='a list of headers like ["Content-Type: text/html"]',
        check=_all_read(header_expected),
    )
    expect_json: tuple[str, ...] = key(
        default=(),
        doc="what must stand where in a body of JSON",
        allowed='a list of paths and values like ["data.items[0].state = \\"ok\\""]',
        check=_all_read(place),
    )
    address: str | None = key(
        default=None,
        doc="what to connect to instead of the URL's host, which is still asked for",
        allowed="an IPv4 address, an IPv6 address or a host name",
        check=is_host,
    )
    family: Literal["any", "4", "6"] = family_key()
    user: str | None = user_key()
    password_file: Path | None = password_file_key()  # noqa: RUF009 - it declares a field
    follow_redirects: bool = key(
        default=True,
        doc="whether up to 10 redirects are followed; the last answer's status counts",
        allowed="true or false",
        check=anything,
    )

    def together(self, address: str) -> tuple[str, str] | None:  # noqa: ARG002 - the URL says where
        """Say which key does not fit the others, and what is allowed."""
        for name in ("expect", "forbid", "expect_pattern", "expect_json"):
            if self.method == "HEAD" and getattr(self, name):
                return name, 'nothing where method = "HEAD": there is no body'
        parts = urlsplit(self.url)
        if self.user is not None and parts.scheme == "http" and not is_loopback(self.address or parts.hostname or ""):
            return "user", 'nobody where type = "http": the password would travel in clear; use type = "https"'
        return half_a_login(self.user, self.password_file)


@dataclass(frozen=True, slots=True)
class HttpsSettings(HttpSettings):
    """The keys of type ``https``."""

    url: str = key(
        doc="the page to get",
        allowed='a URL like "https://www.example.com/path", without user and password',
        check=_is_https_url,
    )
    verify_certificate: bool = verify_key()
    ca_file: Path | None = ca_file_key()  # noqa: RUF009 - it declares a field
    warn_days: tuple[int, ...] = warn_days_key()
