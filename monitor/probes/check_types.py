"""The table of check types: a new type is a package for its protocol and one row here.

Every command reads the configuration, and with it this table and the settings of each type. The code of a probe is
imported when the first one is built, so that a question to the ledger does not wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from monitor.probes.banner.protocols import BANNER_PROTOCOLS
from monitor.probes.banner.settings import settings_type
from monitor.probes.database import settings as database_settings
from monitor.probes.dns import settings as dns_settings
from monitor.probes.http.settings import HttpSettings, HttpsSettings
from monitor.probes.icmp.settings import IcmpSettings
from monitor.probes.judgement import judge_by_keys
from monitor.probes.ntp import settings as ntp_settings
from monitor.probes.ssh import settings as ssh_settings
from monitor.probes.tcp import settings as tcp_settings
from monitor.probes.tls import settings as tls_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.probes.probe import Probe
    from monitor.probes.resources import ProbeResources


@dataclass(frozen=True, slots=True)
class CheckType:
    """One kind of check, as the configuration, the engine and the command line see it."""

    name: str
    settings: type
    """Its frozen dataclass of keys, see ``monitor.probes.settings``."""
    probe: str
    """The class of its probe, as ``module:name`` below ``monitor.probes``; loaded by ``build``."""
    default_port: int | None
    """The port it connects to by default; None if it has none (icmp) or the URL has it."""
    needs_url: bool
    """Whether ``url`` says where to look; otherwise ``host`` and ``port`` do."""
    tls: bool
    """Whether its attempts carry the expiry of a certificate."""
    doc: str
    """One line for listings."""

    def build(self, settings: Any, resources: ProbeResources) -> Probe:
        """Return the probe of its settings, which judges by the keys of every type too; no I/O."""
        module, _, name = self.probe.partition(":")
        made: Probe = getattr(import_module(f"monitor.probes.{module}"), name)(settings, resources)
        return judge_by_keys(made, settings)

    def target_text(self, settings: Any, address: str) -> str:
        """Return what is probed, in words: the URL, the host, or host and port (``192.0.2.1:80``)."""
        if self.needs_url:
            return str(settings.url)
        host: str = settings.host or address
        if self.default_port is None:
            return host
        return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"


def _banner_types() -> Iterator[CheckType]:
    """Yield a check type for each banner protocol of the table."""
    for protocol in BANNER_PROTOCOLS:
        yield CheckType(
            name=protocol.name,
            settings=settings_type(protocol),
            probe="banner.probe:BannerProbe",
            default_port=protocol.port,
            needs_url=False,
            tls=protocol.implicit_tls or protocol.has_tls_key or protocol.starttls_default is not None,
            doc=protocol.doc,
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
            probe="icmp.probe:IcmpProbe",
        ),
        CheckType(
            name="tcp",
            settings=tcp_settings.TcpSettings,
            default_port=tcp_settings.DEFAULT_PORT,
            needs_url=False,
            tls=True,
            doc="a TCP port takes a connection, and says what a script expects",
            probe="tcp.probe:TcpProbe",
        ),
        CheckType(
            name="http",
            settings=HttpSettings,
            default_port=None,
            needs_url=True,
            tls=False,
            doc="a page comes whole, with an expected status and text",
            probe="http.probe:HttpProbe",
        ),
        CheckType(
            name="https",
            settings=HttpsSettings,
            default_port=None,
            needs_url=True,
            tls=True,
            doc="the same over TLS, with a certificate in force",
            probe="http.probe:HttpProbe",
        ),
        CheckType(
            name="tls",
            settings=tls_settings.TlsOnlySettings,
            default_port=tls_settings.DEFAULT_PORT,
            needs_url=False,
            tls=True,
            doc="a TLS port has a certificate in force, made out to its name",
            probe="tls.probe:TlsProbe",
        ),
        *_banner_types(),
        CheckType(
            name="ssh",
            settings=ssh_settings.SshSettings,
            default_port=ssh_settings.DEFAULT_PORT,
            needs_url=False,
            tls=False,
            doc="an SSH server names itself and offers a key exchange, by the host key that is pinned",
            probe="ssh.probe:SshProbe",
        ),
        CheckType(
            name="dns",
            settings=dns_settings.DnsSettings,
            default_port=dns_settings.DEFAULT_PORT,
            needs_url=False,
            tls=False,
            doc="a name server answers a question, with the expected code and records",
            probe="dns.probe:DnsProbe",
        ),
        CheckType(
            name="ntp",
            settings=ntp_settings.NtpSettings,
            default_port=ntp_settings.DEFAULT_PORT,
            needs_url=False,
            tls=False,
            doc="a time server answers a request and is synchronised",
            probe="ntp.probe:NtpProbe",
        ),
        CheckType(
            name="mysql",
            settings=database_settings.MysqlSettings,
            default_port=database_settings.MYSQL_PORT,
            needs_url=False,
            tls=True,
            doc="a MySQL or MariaDB shakes hands and judges a login",
            probe="database.mysql:MysqlProbe",
        ),
        CheckType(
            name="mssql",
            settings=database_settings.MssqlSettings,
            default_port=database_settings.MSSQL_PORT,
            needs_url=False,
            tls=False,
            doc="a Microsoft SQL Server answers a pre-login",
            probe="database.mssql:MssqlProbe",
        ),
        CheckType(
            name="postgresql",
            settings=database_settings.PostgresqlSettings,
            default_port=database_settings.POSTGRESQL_PORT,
            needs_url=False,
            tls=True,
            doc="a PostgreSQL answers a startup message",
            probe="database.postgresql:PostgresqlProbe",
        ),
    )
}
"""Check types by name. The reachability check ``ping`` is ``icmp``, or ``tcp`` on the port that the server names."""
