"""The system's resolver and a real name server whose answers and times change, in a network of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.flags
import dns.message
import dns.rrset
import pytest

from monitor.probes.failures import ProbeError
from monitor.probes.net.dns_ttl import DnsTtlLookup
from monitor.probes.net.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
NETWORK = "monitor-names"
SERVER = "127.0.0.1"
_REASON = "" if os.geteuid() == 0 and shutil.which("ip") else "needs root and iproute2"
pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(_REASON), reason=_REASON or "can run")]


@dataclass
class HandClock:
    """A clock that is set by hand."""

    mono: float = 1000.0

    def monotonic(self) -> float:
        return self.mono

    def now(self) -> int:
        return 0


@dataclass
class NameServer:
    """Answers what it is told to by (name, type); other names do not exist."""

    zone: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def serve(self, sock: socket.socket) -> None:
        while True:
            wire, sender = sock.recvfrom(4096)
            sock.sendto(self._answer(dns.message.from_wire(wire)).to_wire(), sender)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        name, kind = query.question[0].name.to_text(), dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append((name, kind))
        for line in self.zone.get((name, kind), ()):
            owner, ttl, *rest = line.split()
            answer.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", *rest))
        if not answer.answer and not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


async def _story(server: NameServer) -> dict[str, Any]:
    """Live through changes; runs inside the network, where the system's configuration names our server."""
    clock = HandClock()
    resolver = Resolver(clock, ttl_lookup=DnsTtlLookup().lookup_ttl)

    async def look(host: str, later: float = 0.0) -> list[str] | str:
        clock.mono += later
        try:
            found = [str(address) for address in await resolver.resolve(host)]
        except ProbeError as error:
            return f"{error.outcome.name}: {error.reason}"
        await asyncio.gather(*resolver._ttl_tasks)
        return found

    said: dict[str, Any] = {}
    server.zone["www.acme.example.", "A"] = ["www.acme.example. 120 A 192.0.2.1"]
    said["first"] = await look("www.acme.example")
    server.zone["www.acme.example.", "A"] = ["www.acme.example. 7 A 192.0.2.2"]
    said["within its time"] = await look("www.acme.example", 119)
    said["after its time"] = await look("www.acme.example", 1)
    server.zone["www.acme.example.", "A"] = ["www.acme.example. 120 A 192.0.2.3"]
    said["after a shorter time"] = await look("www.acme.example", 7)
    server.zone["www.acme.example.", "A"] = ["www.acme.example. 0 A 192.0.2.7"]
    said["before no time"] = await look("www.acme.example", 120)
    server.zone["www.acme.example.", "A"] = ["www.acme.example. 120 A 192.0.2.8"]
    said["after no time"] = await look("www.acme.example")
    chain = ["alias.acme.example. 10 CNAME www.acme.example.", "www.acme.example. 500 A 192.0.2.4"]
    server.zone["alias.acme.example.", "A"] = chain
    said["alias"] = await look("alias.acme.example")
    server.zone["alias.acme.example.", "A"] = ["alias.acme.example. 500 A 192.0.2.5"]
    said["alias after its own time"] = await look("alias.acme.example", 10)
    said["short name by the search domain"] = await look("www")
    before = len(server.asked)
    said["of the hosts file"] = await look("from-the-hosts-file")
    said["of the hosts file, asked"] = [name for name, _ in server.asked[before:]]
    said["unknown"] = await look("no.acme.example")
    server.zone["no.acme.example.", "A"] = ["no.acme.example. 60 A 192.0.2.6"]
    said["known at once"] = await look("no.acme.example")
    return said


def _inside() -> None:
    server = NameServer()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((SERVER, 53))
        threading.Thread(target=server.serve, args=(sock,), daemon=True).start()
        sys.stdout.write(json.dumps(asyncio.run(_story(server))))
        sys.stdout.flush()
        os._exit(0)  # the server's thread is still receiving


@pytest.fixture
def network() -> Iterator[str]:
    """Make a network namespace whose processes are told to ask our server."""
    name = f"{NETWORK}-{os.getpid()}"
    folder = Path("/etc/netns") / name
    folder.mkdir(parents=True)
    (folder / "resolv.conf").write_text(f"nameserver {SERVER}\nsearch acme.example\noptions timeout:1 attempts:1\n")
    (folder / "hosts").write_text("127.0.0.1 localhost\n127.0.0.9 from-the-hosts-file\n")
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    try:
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        # getaddrinfo looks for addresses of families that the machine has
        subprocess.run(["ip", "-n", name, "address", "add", "198.18.77.1/32", "dev", "lo"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)
        shutil.rmtree(folder)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()


def test_answers_of_the_system_are_kept_for_the_time_that_the_dns_gives_them(network: str) -> None:
    done = subprocess.run(
        ["ip", "netns", "exec", network, sys.executable, "-m", "tests.integration.test_resolver_names"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "first": ["192.0.2.1"],
        "within its time": ["192.0.2.1"],
        "after its time": ["192.0.2.2"],
        "after a shorter time": ["192.0.2.3"],
        "before no time": ["192.0.2.7"],
        "after no time": ["192.0.2.8"],
        "alias": ["192.0.2.4"],
        "alias after its own time": ["192.0.2.5"],
        "short name by the search domain": ["192.0.2.8"],
        "of the hosts file": ["127.0.0.9"],
        "of the hosts file, asked": ["from-the-hosts-file.acme.example.", "from-the-hosts-file."],
        "unknown": "UNKNOWN: name not resolved",
        "known at once": ["192.0.2.6"],
    }


if __name__ == "__main__":
    _inside()
