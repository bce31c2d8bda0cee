"""The table of check types: adding a type is one file and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from yarl import URL

from monitor.probes import http, icmp, tcp
from monitor.probes.http_settings import HttpSettings, HttpsSettings
from monitor.probes.request import get

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.probes.instruments import Instruments
    from monitor.probes.probe import Probe


@dataclass(frozen=True, slots=True)
class CheckType:
    """One kind of check, as the configuration, the engine and the command line see it."""

    name: str
    settings: type
    """Its frozen dataclass of keys, see ``monitor.probes.settings``."""
    default_port: int | None
    """The port it connects to unless told otherwise; None where it has none (icmp) or the URL says it."""
    needs_url: bool
    """Whether it is told where to look by ``url``; the others by ``host`` and ``port``."""
    tls: bool
    """Whether its attempts carry the expiry of a certificate."""
    doc: str
    """One line for listings."""
    build: Callable[[Any, Instruments], Probe]
    """Make the probe of its settings; no I/O, cheap."""
    where: Callable[[Any, str], str]
    """What is probed, in words: from its settings and the server's address (``192.0.2.1:80``, the URL)."""


def door(check_type: CheckType, settings: Any, address: str) -> str | None:
    """Give the host and port at which a check knocks; None for pings, which hold no connection."""
    if check_type.name == "icmp":
        return None
    if not check_type.needs_url:
        return check_type.where(settings, address)
    request = get(URL(settings.url))
    return f"{request.host}:{request.port}"


def _host_and_port(settings: tcp.TcpSettings, address: str) -> str:
    host = settings.host or address
    return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"


CHECK_TYPES: dict[str, CheckType] = {
    check_type.name: check_type
    for check_type in (
        CheckType(
            name="icmp",
            settings=icmp.IcmpSettings,
            default_port=None,
            needs_url=False,
            tls=False,
            doc="an ICMP echo is answered",
            build=icmp.IcmpProbe,
            where=lambda settings, address: settings.host or address,
        ),
        CheckType(
            name="tcp",
            settings=tcp.TcpSettings,
            default_port=tcp.DEFAULT_PORT,
            needs_url=False,
            tls=False,
            doc="a TCP port takes a connection",
            build=tcp.TcpProbe,
            where=_host_and_port,
        ),
        CheckType(
            name="http",
            settings=HttpSettings,
            default_port=None,
            needs_url=True,
            tls=False,
            doc="a page comes whole, with an expected status and text",
            build=http.HttpProbe,
            where=lambda settings, _: settings.url,
        ),
        CheckType(
            name="https",
            settings=HttpsSettings,
            default_port=None,
            needs_url=True,
            tls=True,
            doc="the same over TLS, with a certificate in force",
            build=http.HttpProbe,
            where=lambda settings, _: settings.url,
        ),
    )
}
"""Check types by name. The reachability check ``ping`` is ``icmp``, or ``tcp`` on the port that the server names."""
