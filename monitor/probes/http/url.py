"""URLs as browsers read them (https://url.spec.whatwg.org/): what they send is what the author of a link wrote.

Nothing is decoded or quoted anew. Only characters that cannot stand in a request are percent-encoded, as the bytes that
they are; backslashes are slashes; ``.`` and ``..`` are resolved.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from monitor.domain_names import ascii_domain

DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTHORITY = re.compile(r"[/\\]{2,}")
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::([0-9]*))?")
_HOST_AND_PORT = re.compile(r"([^:]*)(?::([0-9]*))?")
_SCOPE = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_FORBIDDEN_IN_HOST = re.compile(r"[\x00-\x20#%/:<>?@\[\\\]^`{|}\x7f]")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_IPV4 = re.compile(r"(?:(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?!\Z)|\.?\Z)){1,4}")
_BREAKS = str.maketrans("", "", "\t\n\r")
_CONTROLS_AND_BLANK = "".join(map(chr, range(0x21)))
_ENCODED_IN_PATH = re.compile(r"[^!$%&\'()*+,\-./0-9:;=@A-Z\[\]_a-z|~]")
_ENCODED_IN_QUERY = re.compile(r"[^!$%&()*+,\-./0-9:;=?@A-Z\[\\\]^_`a-z{|}~]")
_HERE = re.compile(r"\.|%2e", re.IGNORECASE)
_UP = re.compile(r"(?:\.|%2e){2}", re.IGNORECASE)


class Url(NamedTuple):
    """A URL of the schemes ``http`` and ``https``, without user, password and fragment."""

    scheme: str
    host: str
    """An address, with its scope where it has one, or a name in ASCII."""
    port: int
    path: str
    query: str
    """With its question mark; empty where there is none."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self[:3]

    @property
    def target(self) -> str:
        """What is asked for, in ASCII."""
        return self.path + self.query

    @property
    def authority(self) -> str:
        """Host and port, as a request names them: without a scope, which means something on this machine only."""
        host = self.host.partition("%")[0].rstrip(".")
        name = f"[{host}]" if ":" in host else host
        return name if self.port == DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"

    def __str__(self) -> str:
        host = f"[{self.host.replace('%', '%25')}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


def location_text(location: bytes) -> str:
    """Return the text of a header ``Location``; its bytes beyond ASCII are percent-encoded, in whatever encoding."""
    if location.isascii():
        return location.decode("ascii")
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in location)  # noqa: PLR2004 - ASCII


def parse_url(text: str, base: Url | None = None) -> Url:
    """Parse a URL, relative to ``base`` where there is one. Raises ``ValueError`` where no request can be made of it.

    Abbreviated IPv4 addresses (``127.1``) are read where there is a base: in a configuration they are mistakes.
    """
    text = text.strip(_CONTROLS_AND_BLANK).translate(_BREAKS).partition("#")[0]
    named = _SCHEME.match(text)
    scheme = named[1].lower() if named else base.scheme if base else ""
    if scheme not in DEFAULT_PORTS:
        raise ValueError(text)
    rest = text[named.end() :] if named else text
    if base is not None and scheme == base.scheme and not _AUTHORITY.match(rest):
        return _join(base, rest)
    if base is None and not rest.startswith(("//", "\\\\", "/\\", "\\/")):
        raise ValueError(text)
    authority, rest = _split(rest.lstrip("/\\"), r"[/\\?]")
    host, port = _parse_authority(authority.rpartition("@")[2], is_abbreviable=base is not None)
    path, query = _split(rest, r"\?")
    return Url(scheme, host, DEFAULT_PORTS[scheme] if port is None else port, _parse_path(path), _parse_query(query))


def _split(text: str, at: str) -> tuple[str, str]:
    """Split before the first place that matches."""
    found = re.search(at, text)
    return (text, "") if found is None else (text[: found.start()], text[found.start() :])


def _join(base: Url, rest: str) -> Url:
    path, query = _split(rest, r"\?")
    if not path:
        return base._replace(query=_parse_query(query) if query else base.query)
    if path[0] not in "/\\":
        path = base.path.rpartition("/")[0] + "/" + path
    return base._replace(path=_parse_path(path), query=_parse_query(query))


# --- the parts --------------------------------------------------------------------------------------------------------


def _parse_authority(text: str, *, is_abbreviable: bool) -> tuple[str, int | None]:
    found = _BRACKETED.fullmatch(text) or _HOST_AND_PORT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    host = _parse_ipv6(found[1]) if text.startswith("[") else _parse_name(found[1], is_abbreviable=is_abbreviable)
    if not found[2]:
        return host, None
    digits = found[2].lstrip("0") or "0"
    if len(digits) > len(str(_MAX_PORT)) or int(digits) > _MAX_PORT:
        raise ValueError(text)
    return host, int(digits)


def _parse_ipv6(text: str) -> str:
    bare, percent, scope = text.replace("%25", "%", 1).partition("%")
    address = ipaddress.IPv6Address(bare).compressed
    if not percent:
        return address
    if not _SCOPE.fullmatch(scope):
        raise ValueError(text)
    return f"{address}%{scope}"


def _parse_name(text: str, *, is_abbreviable: bool) -> str:
    if "%" in text:
        text = unquote_to_bytes(text).decode("utf-8")
    name = ascii_domain(text, allow_symbols=True)
    if not name or not name.isascii() or _FORBIDDEN_IN_HOST.search(name):
        raise ValueError(text)
    if is_abbreviable and _NUMBER.fullmatch(name.removesuffix(".").rpartition(".")[2]):
        return _parse_ipv4(name)
    return name


def _parse_ipv4(text: str) -> str:
    """Read an IPv4 address of one to four numbers, also octal and hexadecimal ones."""
    if not _IPV4.fullmatch(text):
        raise ValueError(text)
    # an empty hexadecimal number is zero
    numbers = re.sub(r"0[xX](?=\.|\Z)", "0", text.removesuffix("."))
    try:
        return socket.inet_ntoa(socket.inet_aton(numbers))
    except OSError:
        raise ValueError(text) from None


def _parse_path(text: str) -> str:
    """Resolve ``.`` and ``..``, and encode what cannot stand in a path."""
    if not text:
        return "/"
    kept: list[str] = []
    parts = text.replace("\\", "/").split("/")[1:]
    for part in parts:
        if _UP.fullmatch(part):
            del kept[-1:]
        elif not _HERE.fullmatch(part):
            kept.append(part)
    if _UP.fullmatch(parts[-1]) or _HERE.fullmatch(parts[-1]):
        kept.append("")
    return _ENCODED_IN_PATH.sub(_encode, "/" + "/".join(kept))


def _parse_query(text: str) -> str:
    return _ENCODED_IN_QUERY.sub(_encode, text)


def _encode(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace"))
