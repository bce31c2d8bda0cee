"""The keys of the check types ``http`` and ``https``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path  # noqa: TC003 - the configuration reads the type hints at run time
from typing import TYPE_CHECKING, Literal

from monitor.probes.http.json_expectation import parse_json_expectation
from monitor.probes.http.url import parse_url
from monitor.probes.settings import (
    CheckSettings,
    LowestVersion,
    any_value,
    ca_file_key,
    certificate_file_key,
    family_key,
    incomplete_certificate,
    incomplete_login,
    is_host,
    is_loopback,
    is_port,
    is_regex,
    key,
    key_file_key,
    lowest_version_key,
    password_file_key,
    source_key,
    user_key,
    verify_key,
    warn_days_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable


# --- what is expected of a response, parsed from the configuration ----------------------------------------------------

_CODES = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}): *(.*)")


def parse_status_range(text: str) -> range:
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
def parse_status_ranges(texts: tuple[str, ...]) -> tuple[range, ...]:
    """Read several; checks that accept the same statuses share them. Raises as ``parse_status_range`` does."""
    return tuple(parse_status_range(text) for text in texts)


def parse_header(text: str) -> tuple[bytes, bytes]:
    """Read ``Name: text`` into the name in small letters and the text; raises ``ValueError`` for anything else."""
    match = _HEADER.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return match[1].lower().encode(), match[2].strip().encode()


_OWN_HEADERS = frozenset(
    ("connection", "content-length", "cookie", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding")
)
"""Headers that the check itself sends, or that would make a request of another shape."""


def parse_request_header(text: str) -> tuple[str, str]:
    """Parse ``Name: text``, a header that may be sent; raises ``ValueError`` for anything else."""
    match = _HEADER.fullmatch(text)
    if match is None or match[1].lower() in _OWN_HEADERS or not text.isprintable():
        raise ValueError(text)
    return match[1], match[2].strip()


_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


def _is_url(scheme: str, text: str) -> bool:
    """Whether ``text`` is an absolute URL of that scheme, without user, password or white space."""
    if _UNPRINTABLE.search(text) or not re.match(rf"{scheme}://[^/\\]", text, re.IGNORECASE):
        return False
    try:
        url = parse_url(text)
    except ValueError:
        return False
    authority = re.split(r"[/\\?#]", text.partition("://")[2])[0]
    return "@" not in authority and is_host(url.host) and is_port(url.port)


def _is_http_url(text: str) -> bool:
    return _is_url("http", text)


def _is_https_url(text: str) -> bool:
    return _is_url("https", text)


def _all_parse(read: Callable[[str], object]) -> Callable[[tuple[str, ...]], bool]:
    def check(texts: tuple[str, ...]) -> bool:
        try:
            for text in texts:
                read(text)
        except ValueError:
            return False
        return True

    return check


def _are_codes(texts: tuple[str, ...]) -> bool:
    return bool(texts) and _all_parse(parse_status_range)(texts)


@dataclass(frozen=True, slots=True)
class HttpSettings(CheckSettings):
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
        doc="the request method",
        allowed='"GET", "HEAD", "OPTIONS" or "POST"',
        check=any_value,
    )
    headers: tuple[str, ...] = key(
        default=(),
        doc="headers that the request has besides its own, or instead of them, such as User-Agent",
        allowed='a list of headers like ["User-Agent: Mozilla/5.0"], without Host, Cookie and those of the connection',
        check=_all_parse(parse_request_header),
    )
    body: str | None = key(
        default=None,
        doc="what POST sends; Content-Type belongs in headers",
        allowed="a text that is not empty",
        check=bool,
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
        check=is_regex,
    )
    expect_headers: tuple[str, ...] = key(
        default=(),
        doc="headers that the answer must have, each with a text in it",
        allowed='a list of headers like ["Content-Type: text/html"]',
        check=_all_parse(parse_header),
    )
    expect_json: tuple[str, ...] = key(
        default=(),
        doc="what must stand where in a body of JSON",
        allowed='a list of paths and values like ["data.items[0].state = \\"ok\\"", "load < 4.5"]',
        check=_all_parse(parse_json_expectation),
    )
    address: str | None = key(
        default=None,
        doc="what to connect to instead of the URL's host, which is still asked for",
        allowed="an IPv4 address, an IPv6 address or a host name",
        check=is_host,
    )
    family: Literal["any", "4", "6"] = family_key()
    source: str | None = source_key()
    user: str | None = user_key()
    password_file: Path | None = password_file_key()  # noqa: RUF009 - it declares a field
    follow_redirects: bool = key(
        default=True,
        doc="whether up to 10 redirects are followed; the last answer's status counts",
        allowed="true or false",
        check=any_value,
    )

    def validate(self, address: str) -> tuple[str, str] | None:  # noqa: ARG002 - the URL says where
        """Say which key does not fit the others, and what is allowed."""
        for name in ("expect", "forbid", "expect_pattern", "expect_json"):
            if self.method == "HEAD" and getattr(self, name):
                return name, 'nothing where method = "HEAD": there is no body'
        if self.body is not None and self.method != "POST":
            return "body", 'nothing unless method = "POST"'
        url = parse_url(self.url)
        has_authorization = any(text.lower().startswith("authorization:") for text in self.headers)
        if has_authorization and self.user is not None:
            return "headers", "no Authorization beside user"
        if has_authorization and url.scheme == "http" and not is_loopback(self.address or url.host):
            return "headers", 'no Authorization where type = "http": it would travel in clear; use type = "https"'
        if self.user is not None and url.scheme == "http" and not is_loopback(self.address or url.host):
            return "user", 'nobody where type = "http": the password would travel in clear; use type = "https"'
        return incomplete_login(self.user, self.password_file)


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
    lowest_version: LowestVersion = lowest_version_key()  # noqa: RUF009 - it declares a field
    certificate_file: Path | None = certificate_file_key()  # noqa: RUF009 - it declares a field
    key_file: Path | None = key_file_key()  # noqa: RUF009 - it declares a field

    def validate(self, address: str) -> tuple[str, str] | None:
        """Say which key does not fit the others, and what is allowed."""
        return HttpSettings.validate(self, address) or incomplete_certificate(self.certificate_file, self.key_file)
