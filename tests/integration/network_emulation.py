"""A road with delay, jitter, loss and duplicates, which the kernel cannot make here: between two namespaces, by TUN.

    with weather(net, {"198.19.1.1": Road(delay=0.08, loss=0.1)}) as road:
        net.inside(ping("198.19.1.1"))
    print(road.seen["198.19.1.1"].lost)

Every address of the rules exists on the servers' side of the road. A packet is lost, doubled and held up on its way to
the server or on its way back, by a coin that is the same in every run, and all of it is counted.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ != "__main__":
    from tests.integration.network_lab import MONITOR_V4, WAIT_TIMEOUT, NetworkLab, run_program

    if TYPE_CHECKING:
        from collections.abc import Iterator, Mapping

NETWORK = "198.19.0.0/16"
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class LinkConditions:
    """What the way to one server is like."""

    delay: float = 0.0
    """Seconds for both ways together."""
    jitter: float = 0.0
    """Seconds that are added to the delay at most, each packet by its own."""
    loss: float = 0.0
    """Of pings, not of packets."""
    duplicates: float = 0.0
    """Of requests: each is answered twice."""


@dataclass
class LinkCounts:
    """What happened on the way to one server."""

    requests: int = 0
    lost: int = 0
    duplicated: int = 0
    round_trips: list[float] = field(default_factory=list)
    """Seconds from a request's leaving the monitor's side to its answer's coming back there, of those answered."""


class EmulatedNetwork:
    """A running road; after its end ``counts`` tells what happened."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.counts: dict[str, LinkCounts] = {}

    def stop(self) -> None:
        """Take the road away."""
        if self._process.poll() is None:
            said, _ = self._process.communicate("", WAIT_TIMEOUT)
            self.counts = {host: LinkCounts(**counts) for host, counts in json.loads(said).items()}


@contextlib.contextmanager
def emulated_network(net: NetworkLab, links: Mapping[str, LinkConditions]) -> Iterator[EmulatedNetwork]:
    """Join the two namespaces of a lab by such a road, for these servers."""
    rules = json.dumps({host: asdict(road) for host, road in links.items()})
    process = subprocess.Popen(
        [sys.executable, __file__, net.monitor, net.servers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    built = EmulatedNetwork(process)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{rules}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        run_program("ip", "-n", net.monitor, "link", "set", "road", "up")
        run_program("ip", "-n", net.monitor, "route", "add", NETWORK, "dev", "road", "src", MONITOR_V4)
        addresses = "".join(f"address add {host}/32 dev lo\n" for host in links)
        run_program("ip", "-n", net.servers, "-batch", "-", text=f"link set road up\n{addresses}")
        # what comes by the road is answered by the road, though the monitor is a neighbour too
        run_program("ip", "-n", net.servers, "rule", "add", "from", NETWORK, "lookup", "100")
        run_program("ip", "-n", net.servers, "route", "add", "default", "dev", "road", "table", "100")
        run_program(
            *net.server_command("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.road.rp_filter=0")
        )
        yield built
    finally:
        built.stop()
        process.kill()
        process.communicate()


def _tun(namespace: str) -> int:
    with Path("/run/netns", namespace).open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", b"road", _IFF_TUN | _IFF_NO_PI))
    return tun


class _Forwarder:
    """Carries packets both ways."""

    def __init__(self, monitor: int, servers: int, links: dict[str, LinkConditions]) -> None:
        self._ends = {monitor: servers, servers: monitor}
        self._monitor = monitor
        self._links = links
        self._random = random.Random(4)
        self._delayed: list[tuple[float, int, int, bytes]] = []
        self._number = 0
        self._in_flight: dict[tuple[str, bytes], float] = {}
        """When each request came, by its server, id and sequence."""
        self.counts = {host: LinkCounts() for host in links}

    def forward(self) -> None:
        """Carry until standard input ends."""
        while True:
            wait = max(0.0, self._delayed[0][0] - time.monotonic()) if self._delayed else None
            ready, _, _ = select.select([*self._ends, sys.stdin], [], [], wait)
            if sys.stdin in ready:
                return
            for end in self._ends.keys() & ready:
                self._receive(end)
            while self._delayed and self._delayed[0][0] <= time.monotonic():
                _, _, end, packet = heapq.heappop(self._delayed)
                leaves = time.monotonic()
                os.write(end, packet)
                if end == self._monitor:
                    self._record_round_trip(packet, leaves)

    def _receive(self, end: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._send(end, os.read(end, 4096))

    def _send(self, end: int, packet: bytes) -> None:
        going = end == self._monitor
        host = socket.inet_ntoa(packet[16:20] if going else packet[12:16])
        road, seen = self._links.get(host), self.counts.get(host)
        if packet[0] >> 4 != 4 or road is None or seen is None:
            return
        seen.requests += going
        if going:
            self._in_flight[host, packet[24:28]] = time.monotonic()
        if self._random.random() < 1 - (1 - road.loss) ** 0.5:
            seen.lost += 1
            return
        held = road.delay / 2 + self._random.random() * road.jitter / 2
        doubled = going and self._random.random() < road.duplicates
        seen.duplicated += doubled
        for _ in range(1 + doubled):
            self._number += 1
            heapq.heappush(self._delayed, (time.monotonic() + held, self._number, self._ends[end], packet))

    def _record_round_trip(self, packet: bytes, sent_at: float) -> None:
        """Take note of a round trip: never of a longer one than it was."""
        host = socket.inet_ntoa(packet[12:16])
        came = self._in_flight.pop((host, packet[24:28]), None)  # its double says nothing new
        if came is not None:
            self.counts[host].round_trips.append(sent_at - came)


def _main() -> None:
    rules = json.loads(sys.stdin.readline())
    carrier = _Forwarder(
        _tun(sys.argv[1]), _tun(sys.argv[2]), {host: LinkConditions(**rule) for host, rule in rules.items()}
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    carrier.forward()
    sys.stdout.write(json.dumps({host: asdict(seen) for host, seen in carrier.counts.items()}))


if __name__ == "__main__":
    _main()
