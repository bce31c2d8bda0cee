"""A network to break: the monitor's namespace and the servers', a cable between them, and faults by address.

    with lab(servers=100) as net:
        net.inside(probe_everything())          # a coroutine, in an event loop on the monitor's side
        net.take_down(net.address(3))           # silent from now on
        net.take_down(net.address(4), "reject") # answered with "unreachable: host"
        net.bring_up(net.address(3))
        subprocess.Popen(net.command("monitor", "run"))

Addresses are of 198.18.0.0/15 and fd77::/64, exist in these namespaces only, and nothing leaves them. All of it is
gone when the block ends, with whatever still ran in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from types import TracebackType

T = TypeVar("T")
FaultKind = Literal["drop", "reject", "prohibit", "lossy"]

MONITOR_V4, MONITOR_V6 = "198.18.255.254", "fd77::ffff"
SILENT_NAMESERVER = "198.18.255.253"
"""An address that nobody has and that drops what is sent to it: a name server that never answers."""
WAIT_TIMEOUT = 20.0
"""Seconds for anything that is waited for; far more than it ever takes."""
_PROGRAMS = ("ip", "nft", "sysctl", "setpriv")
_CLONE_NEWNET = 0x40000000
_SETS: dict[FaultKind, str] = {"drop": "dead", "reject": "rej", "prohibit": "prohib", "lossy": "lossy"}

_RULES = """
table inet lab {
  set dead4 { type ipv4_addr; }
  set dead6 { type ipv6_addr; }
  set rej4 { type ipv4_addr; }
  set rej6 { type ipv6_addr; }
  set prohib4 { type ipv4_addr; }
  set prohib6 { type ipv6_addr; }
  set lossy4 { type ipv4_addr; }
  set lossy6 { type ipv6_addr; }
  chain in {
    type filter hook input priority 0;
    ip daddr @dead4 drop
    ip6 daddr @dead6 drop
    ip daddr @rej4 reject with icmp type host-unreachable
    ip6 daddr @rej6 reject with icmpv6 type addr-unreachable
    ip daddr @prohib4 reject with icmp type admin-prohibited
    ip6 daddr @prohib6 reject with icmpv6 type admin-prohibited
    ip daddr @lossy4 numgen random mod 100 < 30 drop
    ip6 daddr @lossy6 numgen random mod 100 < 30 drop
  }
}
"""


def skip_reason(*programs: str) -> str:
    """Say why this machine cannot have such a network, or lacks one of ``programs`` too; empty where it can."""
    if os.geteuid() != 0:
        return "needs root: network namespaces"
    missing = [program for program in (*_PROGRAMS, *programs) if not shutil.which(program, path=_path())]
    return f"needs {', '.join(missing)}" if missing else ""


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def run_program(*command: str, text: str | None = None) -> str:
    """Run a program to its end and give what it said; raises where it fails."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, env={**os.environ, "PATH": _path()}
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True)
class NetworkLab:
    """Two namespaces with a cable between them."""

    monitor: str
    """The name of the monitor's namespace; its end of the cable is ``m0``."""
    servers: str
    """The name of the servers' namespace; its end of the cable is ``s0``."""
    count: int

    def address(self, number: int) -> str:
        """Give the IPv4 address of a server; they count from 0."""
        assert 0 <= number < self.count
        return f"198.18.{1 + number // 250}.{1 + number % 250}"

    def address6(self, number: int) -> str:
        """Give the IPv6 address of a server."""
        assert 0 <= number < self.count
        return f"fd77::1:{1 + number:x}"

    def command(self, *command: str) -> list[str]:
        """Give the command that runs a program on the monitor's side."""
        return ["ip", "netns", "exec", self.monitor, *command]

    def server_command(self, *command: str) -> list[str]:
        """Give the command that runs a program on the servers' side."""
        return ["ip", "netns", "exec", self.servers, *command]

    def run_in_namespace(self, coroutine: Coroutine[Any, Any, T], namespace: str | None = None) -> T:
        """Run a coroutine to its end in an event loop on the monitor's side, or in the namespace that is named."""

        def work() -> T:
            libc = ctypes.CDLL(None, use_errno=True)
            with Path("/run/netns", namespace or self.monitor).open() as file:
                if libc.setns(file.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            return asyncio.run(coroutine)

        # a namespace is a thread's, and this thread ends with its work
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(work).result()

    def take_down(self, *addresses: str, kind: FaultKind = "drop") -> None:
        """Break the road to these servers: silent, unreachable, prohibited, or losing 30 of 100 packets."""
        self._elements("add", addresses, kind)

    def bring_up(self, *addresses: str, kind: FaultKind = "drop") -> None:
        """Mend what ``take_down`` broke in the same way."""
        self._elements("delete", addresses, kind)

    def _elements(self, verb: str, addresses: tuple[str, ...], kind: FaultKind) -> None:
        script = "".join(
            f"{verb} element inet lab {_SETS[kind]}{6 if ':' in each else 4} {{ {each} }}\n" for each in addresses
        )
        run_program(*self.server_command("nft", "-f", "-"), text=script)

    def link_down(self) -> None:
        """Pull the monitor's own cable."""
        run_program("ip", "-n", self.monitor, "link", "set", "m0", "down")

    def link_up(self) -> None:
        """Plug it in again; returns when it carries."""
        run_program("ip", "-n", self.monitor, "link", "set", "m0", "up")
        run_program("ip", "-n", self.monitor, "address", "replace", f"{MONITOR_V6}/64", "dev", "m0", "nodad")
        self._wait_for_carrier()

    @property
    def pings_by_datagram(self) -> bool:
        """Whether anybody may ping by a datagram socket on the monitor's side."""
        return run_program(*self.command("sysctl", "-n", "net.ipv4.ping_group_range")).split()[0] == "0"

    def permit_pings(self, *, to_all: bool = True) -> None:
        """Permit ICMP by datagram sockets to everybody on the monitor's side, or to nobody."""
        groups = "0 2147483647" if to_all else "1 0"
        run_program(*self.command("sysctl", "-qw", f"net.ipv4.ping_group_range={groups}"))

    def _wait_for_carrier(self) -> None:
        until = time.monotonic() + WAIT_TIMEOUT
        while "LOWER_UP" not in run_program("ip", "-n", self.monitor, "link", "show", "m0"):
            assert time.monotonic() < until, "the cable does not carry"
            time.sleep(0.01)


@contextlib.contextmanager
def lab(servers: int = 20) -> Iterator[NetworkLab]:
    """Build the network with so many servers, each of an IPv4 and an IPv6 address; take it down at the end."""
    suffix = f"{os.getpid()}-{secrets.token_hex(2)}"
    net = NetworkLab(f"mon-{suffix}", f"srv-{suffix}", servers)
    try:
        _build(net)
        yield net
    finally:
        for name in (net.monitor, net.servers):
            if Path("/run/netns", name).exists():
                _remove(name)
        shutil.rmtree(Path("/etc/netns", net.monitor), ignore_errors=True)


def _build(net: NetworkLab) -> None:
    for name in (net.monitor, net.servers):
        run_program("ip", "netns", "add", name)
        run_program("ip", "-n", name, "link", "set", "lo", "up")
    run_program(
        "ip", "link", "add", "m0", "netns", net.monitor, "type", "veth", "peer", "name", "s0", "netns", net.servers
    )
    run_program(
        *("ip", "-n", net.monitor, "-batch", "-"),
        text=f"address add {MONITOR_V4}/16 dev m0\naddress add {MONITOR_V6}/64 dev m0 nodad\nlink set m0 up\n",
    )
    settings = (
        "net.ipv4.conf.all.promote_secondaries=1",  # else deleting the first address of a subnet takes them all
        "net.ipv4.icmp_ratelimit=0",  # else only one in a second is told that a server is unreachable
        "net.ipv6.icmp.ratelimit=0",
    )
    run_program(*net.server_command("sysctl", "-qw", *settings))
    addresses = "".join(
        f"address add {net.address(n)}/16 dev s0\naddress add {net.address6(n)}/64 dev s0 nodad\n"
        for n in range(net.count)
    )
    run_program(*("ip", "-n", net.servers, "-batch", "-"), text=f"link set s0 up\n{addresses}")
    run_program(*net.server_command("nft", "-f", "-"), text=_RULES)
    # what a fresh namespace permits is the machine's own choice
    net.permit_pings(to_all=False)
    # names are looked up at an address where nothing answers, so that no lookup ever leaves for the machine's own
    folder = Path("/etc/netns", net.monitor)
    folder.mkdir(parents=True)
    (folder / "resolv.conf").write_text(f"nameserver {SILENT_NAMESERVER}\noptions timeout:2 attempts:1\n")
    (folder / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    run_program("ip", "-n", net.servers, "address", "add", f"{SILENT_NAMESERVER}/16", "dev", "s0")
    net.take_down(SILENT_NAMESERVER)
    net._wait_for_carrier()


def _remove(name: str) -> None:
    for pid in run_program("ip", "netns", "pids", name).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    run_program("ip", "netns", "delete", name)


def nobody_can_run_python() -> bool:
    """Whether a user without privileges may run the Python of these tests."""
    done = subprocess.run(
        [*nobody_prefix(), sys.executable, "-c", "import monitor"], capture_output=True, check=False, cwd="/"
    )
    return done.returncode == 0


def nobody_prefix(*, raw: bool = False) -> list[str]:
    """Give the prefix that runs a command as a user without privileges, or with CAP_NET_RAW as its only one."""
    grants = ["--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"] if raw else []
    return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *grants]


class Prober:
    """A process that probes on the monitor's side, see ``tests.integration.probe_process``; ended with the block."""

    def __init__(self, net: NetworkLab, request: dict[str, Any], prefix: list[str], env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [*net.command(*prefix), sys.executable, "-m", "tests.integration.probe_process", json.dumps(request)],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PATH": _path(), "PYTHONDONTWRITEBYTECODE": "1", **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.permitted = self.read()

    def read(self) -> dict[str, Any]:
        """Read what it says next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the prober ended with status {self._process.wait(WAIT_TIMEOUT)}"
        said: dict[str, Any] = json.loads(line)
        return said

    def next_round(self) -> dict[str, Any]:
        """Ask for the next round and read it."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self.read()

    def wait(self) -> int:
        """Wait for its end and give its status."""
        return self._process.wait(WAIT_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def prober(
    net: NetworkLab,
    *attempts: tuple[str, str, dict[str, Any]],
    timeout: float = 2.0,
    rounds: int = 1,
    prefix: list[str] | None = None,
    env: dict[str, str] | None = None,
) -> Prober:
    """Start a process that makes these attempts ``rounds`` times; later rounds wait for ``next_round``."""
    request = {"attempts": attempts, "timeout": timeout, "rounds": rounds}
    return Prober(net, request, prefix or [], env or {})
