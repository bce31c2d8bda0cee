"""Cookies along the redirects of one attempt (RFC 6265, sections 5.1 to 5.4).

``http.cookiejar`` does not fit: it follows older rules, by which it keeps cookies that browsers delete (it reads a year
``70`` as 2070), and needs the requests of ``urllib``.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

from monitor.probes.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.probes.http.url import Url

MAX_COOKIES = 180
"""As many as Chromium keeps for a site."""
MAX_COOKIE_SIZE = 4096
"""Bytes of name and value; a longer cookie is ignored, as browsers do."""
_BLANKS = b" \t"
_NEVER = float("inf")


class _Cookie(NamedTuple):
    name: bytes
    value: bytes
    domain: str
    is_host_only: bool
    path: str
    is_secure: bool
    expires: float
    """Seconds of the Unix epoch."""

    def is_for(self, url: Url) -> bool:
        """Whether a request for that URL has the cookie."""
        is_of_host = url.host == self.domain or (not self.is_host_only and _is_within(url.host, self.domain))
        return is_of_host and _path_matches(url.path, self.path) and (not self.is_secure or _is_trusted(url))


class CookieJar:
    """The cookies of one attempt."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[bytes, str, str], _Cookie] = {}
        """By name, domain and path, the oldest first."""

    def store(self, headers: Iterable[bytes], url: Url, now: float) -> None:
        """Store what the response to a request for ``url`` sets at ``now``, in seconds of the Unix epoch."""
        for header in headers:
            cookie = _parse_cookie(header, url, now)
            if cookie is None:
                continue
            key = (cookie.name, cookie.domain, cookie.path)
            if cookie.expires <= now:
                self._cookies.pop(key, None)
            elif key in self._cookies or len(self._cookies) < MAX_COOKIES:
                self._cookies[key] = cookie

    def header(self, url: Url, now: float) -> bytes:
        """Return the value of the header ``Cookie`` of a request for ``url``; empty where it has none."""
        found = [each for each in self._cookies.values() if each.expires > now and each.is_for(url)]
        found.sort(key=lambda each: -len(each.path))
        return b"; ".join(each.name + b"=" + each.value if each.name else each.value for each in found)


def _parse_cookie(header: bytes, url: Url, now: float) -> _Cookie | None:
    """Parse a header ``Set-Cookie``; None where browsers ignore it."""
    pair, *rest = header.split(b";")
    name, equals, value = pair.partition(b"=")
    if not equals:
        name, value = b"", name
    name, value = name.strip(_BLANKS), value.strip(_BLANKS)
    if not name + value or len(name) + len(value) > MAX_COOKIE_SIZE or any(byte in _CONTROLS for byte in name + value):
        return None
    attributes = {}
    for attribute in rest:
        key, _, text = attribute.partition(b"=")
        attributes[key.strip(_BLANKS).lower()] = text.strip(_BLANKS).decode("latin-1")  # the last of its name counts
    domain = attributes.get(b"domain", "").removeprefix(".").lower()
    path = attributes.get(b"path", "")
    cookie = _Cookie(
        name,
        value,
        domain=domain or url.host,
        is_host_only=not domain,
        path=path if path.startswith("/") else url.path[: url.path.rfind("/")] or "/",
        is_secure=b"secure" in attributes,
        expires=_expiry(attributes, now),
    )
    return cookie if _may_be_set(cookie, url) else None


_CONTROLS = frozenset((*range(9), *range(10, 0x20), 0x7F))


def _may_be_set(cookie: _Cookie, url: Url) -> bool:
    # a name without a dot is a top-level domain: such a cookie would go to everybody
    is_for_domain = "." in cookie.domain and _is_within(url.host, cookie.domain)
    if url.host != cookie.domain and not is_for_domain:
        return False
    prefix = cookie.name[:9].lower()
    if prefix.startswith(b"__host-") and not (cookie.is_host_only and cookie.path == "/" and cookie.is_secure):
        return False
    if prefix == b"__secure-" and not cookie.is_secure:
        return False
    return not cookie.is_secure or _is_trusted(url)


def _expiry(attributes: dict[bytes, str], now: float) -> float:
    seconds = attributes.get(b"max-age", "")
    if seconds.removeprefix("-").isdecimal() and seconds.isascii():
        return now + int(seconds[:12]) if int(seconds[:12]) > 0 else 0
    moment = parse_date(attributes.get(b"expires", ""))
    return _NEVER if moment is None else moment


_DATE_PARTS = re.compile(r"[0-9A-Za-z:]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIRST_YEAR, _CENTURY, _TURN = 1601, 100, 70


def parse_date(text: str) -> float | None:
    """Parse the date of a cookie, in any of its many formats (5.1.1); None where it is none."""
    time = day = month = year = None
    for part in _DATE_PARTS.findall(text[:200]):
        if time is None and (time := _TIME.match(part)):
            continue
        if day is None and (day := _DAY.match(part)):
            continue
        if month is None and part[:3].lower() in _MONTHS:
            month = _MONTHS.index(part[:3].lower()) + 1
        elif year is None:
            year = _YEAR.match(part)
    if time is None or day is None or month is None or year is None:
        return None
    full_year = int(year[1])
    if full_year < _CENTURY:
        full_year += 1900 if full_year >= _TURN else 2000
    try:
        moment = dt.datetime(full_year, month, int(day[1]), int(time[1]), int(time[2]), int(time[3]), tzinfo=dt.UTC)
    except ValueError:
        return None
    return moment.timestamp() if full_year >= _FIRST_YEAR else None


def _is_within(host: str, domain: str) -> bool:
    """Whether a name lies below a domain; an address does not."""
    if not host.endswith(f".{domain}"):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _path_matches(path: str, of_cookie: str) -> bool:
    return path == of_cookie or (
        path.startswith(of_cookie) and (of_cookie.endswith("/") or path[len(of_cookie)] == "/")
    )


def _is_trusted(url: Url) -> bool:
    """Whether nobody on the way can read what is sent: browsers count this machine itself."""
    return url.scheme == "https" or is_loopback(url.host)
