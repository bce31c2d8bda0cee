"""What names a place in the network: hosts, URLs, where to listen, e-mail addresses."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from monitor.config.faults import Refused
from monitor.config.validators import HIGHEST_PORT
from monitor.probes.settings import is_host

_HOST = re.compile(r"[A-Za-z0-9.:_-]+(%[A-Za-z0-9._-]{1,15})?")
_HEXADECIMAL_END = re.compile(r"(^|\.)0[xX][0-9A-Fa-f]*\.?$")
_LISTEN = re.compile(r"(\[([0-9A-Fa-f:.]+)\]|[^\[\]:]+):([0-9]{1,5})")
_LOCAL_PART = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_DOMAIN = re.compile(r"\w([\w-]{0,61}\w)?(\.\w([\w-]{0,61}\w)?)*")
_SENDER = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<address>[^<>]+)>")
_LONGEST_LOCAL_PART, _LONGEST_EMAIL, _LONGEST_SENDER, _LONGEST_URL = 64, 254, 320, 2000
_EMAIL_ALLOWED = "an e-mail address, such as it@example.com"


class Listen(NamedTuple):
    """Where a socket listens; an IPv6 host stands without brackets here."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def reachable(self) -> str:
        """The same as something that a browser on this machine can open: "any address" becomes loopback."""
        loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
        return str(Listen(loopback.get(self.host, self.host), self.port))


def host(value: object) -> str:
    """Read one machine's address: IPv4, IPv6 (without brackets) or a host name."""
    if not isinstance(value, str) or not _is_host(value):
        raise Refused(
            "the address of one machine: IPv4, IPv6 without brackets, or a host name; no URL, port or network"
        )
    return value


def listen(value: object) -> Listen:
    """Read ``host:port``, the host an address of this machine or a name for one."""
    found = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if found:
        name, number = found[2] or found[1], int(found[3])
        if 1 <= number <= HIGHEST_PORT and _can_be_bound(name, bracketed=bool(found[2])):
            return Listen(name, number)
    raise Refused('"HOST:PORT", such as "127.0.0.1:9809" or "[::1]:9809", the port from 1 to 65535')


def public_url(value: object) -> str:
    """Read the address under which people reach the pages; kept with a slash at its end, so that paths can follow."""
    if not isinstance(value, str) or not is_url(value, "http", "https") or "?" in value:
        raise Refused('an http or https URL without login, "?" and "#", such as "https://sla.example.com/"')
    return value if value.endswith("/") else value + "/"


def email(value: object) -> str:
    """Read one bare e-mail address."""
    if not isinstance(value, str) or not _is_email(value):
        raise Refused(_EMAIL_ALLOWED)
    return value


def sender(value: object) -> str:
    """Read ``Name <address>`` or a bare address; a name with a comma or a dot may stand in quotes."""
    if isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST_SENDER:
        found = _SENDER.fullmatch(value.strip())
        if _is_email(found["address"] if found else value.strip()) and (not found or _is_display(found["name"])):
            return value.strip()
    raise Refused('an e-mail address, or a name with one, such as "SLA <sla@example.com>"')


def is_url(value: str, *schemes: str) -> bool:
    """Whether this is a whole URL of one of these schemes: a host, no login, no fragment, nothing to be escaped."""
    if len(value) > _LONGEST_URL or not re.fullmatch(r"[!-~]+", value) or "#" in value:
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and _has_plain_host(parts)
    except ValueError:
        return False


def _has_plain_host(parts: SplitResult) -> bool:
    """Whether the URL names a host and nothing else; raises ValueError where its port is no port."""
    return "@" not in parts.netloc and parts.port != 0 and _is_host(parts.hostname or "")


def _is_host(name: str) -> bool:
    # the resolver reads "0x7f.1" as 127.0.0.1: a name whose end is hexadecimal is not what it looks like
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
        domain.encode("idna")
    except UnicodeError:
        return False
    return True


def _is_display(name: str) -> bool:
    """Whether a sender's name is plain, or quoted as a whole; so no header can read it as two."""
    if name.startswith('"'):
        return re.fullmatch(r'"[^"\\]+"', name) is not None
    return not re.search(r'[",;:@()\[\]\\]', name)
