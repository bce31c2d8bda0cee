"""Name servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.lab_servers import RefusalSetup, ServerKind, program_path, write_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.lab_servers import ServerFiles

_ZONE = """$TTL 30
@ IN SOA ns root 1 60 60 60 60
@ IN NS ns
@ IN MX 10 mx
ns IN A 127.0.0.54
www IN A 127.0.0.1
""" + "".join(f'many IN TXT "{number:03d}{"x" * 200}"\n' for number in range(40))


def _named(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    write_config(files, "lab.zone", _ZONE)
    file = write_config(
        files,
        "named.conf",
        f"""options {{ directory "{{D}}"; pid-file "{{D}}/named.pid"; session-keyfile "{{D}}/named.session";
 listen-on port {ports["dns"]} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no;
 allow-query-cache {{ none; }}; }};
controls {{ }};
zone "lab.test" {{ type primary; file "{{D}}/lab.zone"; }};
""",
    )
    return [program_path("named"), "-f", "-c", file, "-n", "1"]


def _unbound(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    file = write_config(
        files,
        "unbound.conf",
        f"""server:
  interface: 127.0.0.1
  port: {ports["dns"]}
  do-daemonize: no
  pidfile: {{D}}/unbound.pid
  chroot: ""
  username: ""
  directory: {{D}}
  use-syslog: no
  local-zone: "lab.test." static
  local-zone: "closed.test." refuse
  local-data: "www.lab.test. 30 IN A 127.0.0.1"
  local-data: "lab.test. 30 IN MX 10 mx.lab.test."
remote-control:
  control-enable: no
""",
    )
    return [program_path("unbound"), "-d", "-c", file]


_WWW = ("dns", "dns", {"query": "www.lab.test", "record": "A", "answers": ("127.0.0.1",)})
_REFUSAL = RefusalSetup(check=("dns", "dns", {"query": "www.closed.test", "record": "A"}))
_ALL_KINDS = (
    _WWW,
    ("dns", "dns", {"query": "lab.test", "record": "MX", "answers": ("10 mx.lab.test.",)}),
    ("dns", "dns", {"query": "no.lab.test", "record": "A", "rcode": "NXDOMAIN"}),
    ("dns", "dns", {"query": "many.lab.test", "record": "TXT"}),
)

NAMES = (
    ServerKind("bind9", "named", ("dns",), _named, _ALL_KINDS, _REFUSAL),
    ServerKind("unbound", "unbound", ("dns",), _unbound, (_WWW,), _REFUSAL),
)
