"""The table of check types: adding a type is one file and one line here.

Every command reads the configuration, and so this table. What it takes to probe is imported when the first probe is
built: a question to the books would wait for it in vain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.probes.host_settings import DEFAULT_PORT, IcmpSettings, TcpSettings
from monitor.probes.http_settings import HttpSettings, HttpsSettings

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


def _icmp(settings: IcmpSettings, instruments: Instruments) -> Probe:
    from monitor.probes.icmp import IcmpProbe  # noqa: PLC0415 - see above

    return IcmpProbe(settings, instruments)


def _tcp(settings: TcpSettings, instruments: Instruments) -> Probe:
    from monitor.probes.tcp import TcpProbe  # noqa: PLC0415 - see above

    return TcpProbe(settings, instruments)


def _http(settings: HttpSettings, instruments: Instruments) -> Probe:
    from monitor.probes.http import HttpProbe  # noqa: PLC0415 - see above

    return HttpProbe(settings, instruments)


def _host_and_port(settings: TcpSettings, address: str) -> str:
    host = settings.host or address
    return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"


CHECK_TYPES: dict[str, CheckType] = {
    check_type.name: check_type
    for check_type in (
        CheckType(
            name="icmp",
            settings=IcmpSettings,
            default_port=None,
            needs_url=False,
            tls=False,
            doc="an ICMP echo is answered",
            build=_icmp,
            where=lambda settings, address: settings.host or address,
        ),
        CheckType(
            name="tcp",
            settings=TcpSettings,
            default_port=DEFAULT_PORT,
            needs_url=False,
            tls=False,
            doc="a TCP port takes a connection",
            build=_tcp,
            where=_host_and_port,
        ),
        CheckType(
            name="http",
            settings=HttpSettings,
            default_port=None,
            needs_url=True,
            tls=False,
            doc="a page comes whole, with an expected status and text",
            build=_http,
            where=lambda settings, _: settings.url,
        ),
        CheckType(
            name="https",
            settings=HttpsSettings,
            default_port=None,
            needs_url=True,
            tls=True,
            doc="the same over TLS, with a certificate in force",
            build=_http,
            where=lambda settings, _: settings.url,
        ),
    )
}
"""Check types by name. The reachability check ``ping`` is ``icmp``, or ``tcp`` on the port that the server names."""
