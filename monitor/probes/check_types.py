"""The table of check types: adding a type is one file and one line here.

Every command reads the configuration, and so this table. What it takes to probe is imported when the first probe is
built: a question to the books would wait for it in vain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from monitor.probes.banner.protocols import BANNER_PROTOCOLS
from monitor.probes.banner.settings import settings_type
from monitor.probes.database import settings as database_settings
from monitor.probes.dns import settings as dns_settings
from monitor.probes.http.settings import HttpSettings, HttpsSettings
from monitor.probes.icmp.settings import IcmpSettings
from monitor.probes.ssh import settings as ssh_settings
from monitor.probes.tcp import settings as tcp_settings
from monitor.probes.tls import settings as tls_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.probes.banner.protocols import BannerProtocol
    from monitor.probes.net.connection import EndpointSettings
    from monitor.probes.probe import Probe
    from monitor.probes.resources import ProbeResources
    from monitor.probes.settings import LoginSettings


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
    build: Callable[[Any, ProbeResources], Probe]
    """Make the probe of its settings; no I/O, cheap."""
    where: Callable[[Any, str], str]
    """What is probed, in words: from its settings and the server's address (``192.0.2.1:80``, the URL)."""


def _icmp(settings: IcmpSettings, instruments: ProbeResources) -> Probe:
    from monitor.probes.icmp.probe import IcmpProbe  # noqa: PLC0415 - see above

    return IcmpProbe(settings, instruments)


def _tcp(settings: tcp_settings.TcpSettings, instruments: ProbeResources) -> Probe:
    from monitor.probes.tcp.probe import TcpProbe  # noqa: PLC0415 - see above

    return TcpProbe(settings, instruments)


def _http(settings: HttpSettings, instruments: ProbeResources) -> Probe:
    from monitor.probes.http.probe import HttpProbe  # noqa: PLC0415 - see above

    return HttpProbe(settings, instruments)


def _dns(settings: dns_settings.DnsSettings, instruments: ProbeResources) -> Probe:
    from monitor.probes.dns.probe import DnsProbe  # noqa: PLC0415 - see above

    return DnsProbe(settings, instruments)


def _talk(dialogue: BannerProtocol, settings: LoginSettings, instruments: ProbeResources) -> Probe:
    from monitor.probes.banner.probe import build_banner_probe  # noqa: PLC0415 - see above

    return build_banner_probe(dialogue, settings, instruments)


def _conversation(name: str) -> Callable[[Any, ProbeResources], Probe]:
    """Give what builds probes that hold the conversation of the module of that name."""

    def build(settings: Any, instruments: ProbeResources) -> Probe:
        from monitor.probes.net.connection import ConnectionProbe  # noqa: PLC0415 - see above

        return ConnectionProbe(settings, instruments, import_module(f"monitor.probes.{name}").run_session)

    return build


def _host_and_port(settings: EndpointSettings, address: str) -> str:
    host = settings.host or address
    return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"


def _talks() -> Iterator[CheckType]:
    """Give a check type for each dialogue of the table."""
    for dialogue in BANNER_PROTOCOLS:
        yield CheckType(
            name=dialogue.name,
            settings=settings_type(dialogue),
            default_port=dialogue.port,
            needs_url=False,
            tls=dialogue.implicit_tls or dialogue.has_tls_key or dialogue.starttls_default is not None,
            doc=dialogue.doc,
            build=partial(_talk, dialogue),
            where=_host_and_port,
        )


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
            settings=tcp_settings.TcpSettings,
            default_port=tcp_settings.DEFAULT_PORT,
            needs_url=False,
            tls=True,
            doc="a TCP port takes a connection, and says what a script expects",
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
        CheckType(
            name="tls",
            settings=tls_settings.TlsOnlySettings,
            default_port=tls_settings.DEFAULT_PORT,
            needs_url=False,
            tls=True,
            doc="a TLS port has a certificate in force, made out to its name",
            build=_conversation("tls.probe"),
            where=_host_and_port,
        ),
        *_talks(),
        CheckType(
            name="ssh",
            settings=ssh_settings.SshSettings,
            default_port=ssh_settings.DEFAULT_PORT,
            needs_url=False,
            tls=False,
            doc="an SSH server names itself and offers a key exchange, by the host key that is pinned",
            build=_conversation("ssh.probe"),
            where=_host_and_port,
        ),
        CheckType(
            name="dns",
            settings=dns_settings.DnsSettings,
            default_port=dns_settings.DEFAULT_PORT,
            needs_url=False,
            tls=False,
            doc="a name server answers a question, with the expected code and records",
            build=_dns,
            where=_host_and_port,
        ),
        CheckType(
            name="mysql",
            settings=database_settings.MysqlSettings,
            default_port=database_settings.MYSQL_PORT,
            needs_url=False,
            tls=True,
            doc="a MySQL or MariaDB shakes hands and judges a login",
            build=_conversation("database.mysql"),
            where=_host_and_port,
        ),
        CheckType(
            name="mssql",
            settings=database_settings.MssqlSettings,
            default_port=database_settings.MSSQL_PORT,
            needs_url=False,
            tls=False,
            doc="a Microsoft SQL Server answers a pre-login",
            build=_conversation("database.mssql"),
            where=_host_and_port,
        ),
        CheckType(
            name="postgresql",
            settings=database_settings.PostgresqlSettings,
            default_port=database_settings.POSTGRESQL_PORT,
            needs_url=False,
            tls=True,
            doc="a PostgreSQL answers a startup message",
            build=_conversation("database.postgresql"),
            where=_host_and_port,
        ),
    )
}
"""Check types by name. The reachability check ``ping`` is ``icmp``, or ``tcp`` on the port that the server names."""
