"""Every check type, with its stand-in and the module of blackbox_exporter for the same check.

A kind is a check type with its keys. blackbox_exporter has probers for icmp, http, tcp and dns; it checks mail, FTP,
Redis and SSH by a script of its tcp prober, for SSH the identification only. It has no prober for databases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.standin_ssh import FINGERPRINT

if TYPE_CHECKING:
    from pathlib import Path

FIRST_PORT = 19_900
SILENT_PORT = 19_950
"""A port that accepts connections and datagrams and sends nothing."""
NAME = "stand-in.bench.example"
"""The name in the certificate of all stand-ins."""
CA_FILE = "authorities.pem"

Step: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BenchKind:
    """A check type with its keys, and the prober of the peer."""

    name: str
    type: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    tls: bool = False
    """Whether the certificate is verified."""
    script: tuple[Step, ...] | None = None
    """The script of blackbox_exporter's tcp prober; None if it uses another prober, or none."""
    prober: str | None = "tcp"
    """The prober of blackbox_exporter; None if it has none for this type."""
    note: str = ""

    @property
    def port(self) -> int:
        """The port of its stand-in."""
        return FIRST_PORT + KINDS.index(self)

    def settings(self, address: str, folder: Path, port: int | None = None) -> dict[str, Any]:
        """Return the keys of a check of the stand-in at an address; the stand-ins' certificate is in the folder."""
        port = self.port if port is None else port
        keys: dict[str, Any] = dict(self.keys)
        if self.type == "https":
            keys |= {"url": f"https://{NAME}:{port}/", "address": address}
        elif self.type == "http":
            keys |= {"url": f"http://{address}:{port}/"}
        elif self.type != "icmp":
            keys |= {"port": port}
        if self.tls:
            keys["ca_file"] = folder / CA_FILE
            if self.type != "https":
                keys["server_name"] = NAME
        return keys

    def module(self, folder: Path) -> dict[str, Any] | None:
        """Return the module of blackbox_exporter; None if it has no prober for this type."""
        if self.prober is None:
            return None
        options: dict[str, Any] = {"preferred_ip_protocol": "ip4"}
        if self.tls:
            options["tls_config"] = {"ca_file": str(folder / CA_FILE), "server_name": NAME}
        if self.prober == "dns":
            options |= {"query_name": self.keys["query"], "query_type": "SOA"}
        if self.prober == "tcp" and self.script is not None:
            options["query_response"] = list(self.script)
        if self.prober == "tcp" and self.tls and not any("starttls" in step for step in self.script or ()):
            options["tls"] = True
        return {"prober": self.prober, "timeout": "5s", self.prober: options}

    def target(self, address: str) -> str:
        """Return the target for blackbox_exporter."""
        if self.prober == "icmp":
            return address
        return f"{self.type}://{address}:{self.port}/" if self.prober == "http" else f"{address}:{self.port}"


def _script(*lines: str) -> tuple[Step, ...]:
    """Return a script from lines to expect and to send, alternately; the first one is expected."""
    made: list[Step] = []
    for number, line in enumerate(lines):
        if line == "starttls":
            made.append({"starttls": True})
        elif line:
            made.append({"send": f"{line}\r"} if number % 2 else {"expect": line})
    return tuple(made)


_SMTP_REST = ("EHLO prober", "^250 ", "QUIT", "^221")
_SMTP = _script("^220 ", *_SMTP_REST)
_UPGRADED = _script(
    "^220 ", "EHLO prober", "^250 ", "STARTTLS", "^220", "starttls", "", "EHLO prober", "^250 ", "QUIT", "^221"
)
_IMAP = _script(r"^\* OK", "m1 CAPABILITY", "^m1 OK", "m5 LOGOUT", "^m5 OK")
_POP3 = _script(r"^\+OK", "CAPA", r"^\.", "QUIT", r"^\+OK")

KINDS: tuple[BenchKind, ...] = (
    BenchKind("icmp", "icmp", prober="icmp"),
    BenchKind("tcp", "tcp"),
    BenchKind("http", "http", prober="http"),
    BenchKind("https", "https", prober="http", tls=True),
    BenchKind("tls", "tls", tls=True),
    BenchKind("smtp", "smtp", script=_SMTP),
    BenchKind("submission", "submission", tls=True, script=_UPGRADED),
    BenchKind("smtps", "smtps", tls=True, script=_SMTP),
    BenchKind("imap", "imap", script=_IMAP),
    BenchKind("imaps", "imaps", tls=True, script=_IMAP),
    BenchKind("pop3", "pop3", script=_POP3),
    BenchKind("pop3s", "pop3s", tls=True, script=_POP3),
    BenchKind("ftp", "ftp", script=_script("^220", "QUIT", "^221")),
    BenchKind("redis", "redis", script=_script("", "PING", r"^\+PONG", "QUIT", r"^\+OK")),
    BenchKind(
        "ssh",
        "ssh",
        script=_script("^SSH-2.0-", "SSH-2.0-blackbox-ssh-check"),
        note="the peer reads the identification only",
    ),
    BenchKind("ssh, host key pinned", "ssh", {"fingerprints": (FINGERPRINT,)}, prober=None),
    BenchKind("dns", "dns", {"query": "bench.example"}, prober="dns"),
    BenchKind("mysql", "mysql", prober=None),
    BenchKind("mssql", "mssql", prober=None),
    BenchKind("postgresql", "postgresql", prober=None),
)
"""Every check type of ``monitor checks``."""


def modules(folder: Path) -> str:
    """Return the configuration of blackbox_exporter; JSON is valid YAML."""
    found = {kind.name: module for kind in KINDS if (module := kind.module(folder)) is not None}
    return json.dumps({"modules": found})
