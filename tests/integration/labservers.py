"""Real servers on loopback, each started by its own configuration, that can be stopped and frozen."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATIENCE = 60.0
"""Seconds for anything that a server is waited for; far more than it ever takes."""
USER, PASSWORD = "sla", "gizli 42"
NAME = "www.lab.test"
EXTRACTED = Path(os.environ.get("LAB_EXTRACTED", "/opt/sla-monitor-tests"))
"""Where packages lie that cannot be installed beside others: Debian allows one mail server and one FTP server."""


def program(name: str) -> str | None:
    """Find a server's program: root's are not on every user's path."""
    folders = [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    folders += [str(EXTRACTED / "usr" / "sbin")]
    return shutil.which(name, path=os.pathsep.join(folders))


def free_port() -> int:
    """Give a port that nobody listens on; the next moment it may be taken, which then shows."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Grounds:
    """A folder with certificates, a page, a password."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.certificate, self.key = self._write(authority.issue_cert("127.0.0.1", NAME), "cert")
        past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        expired = authority.issue_cert("127.0.0.1", NAME, not_before=past - dt.timedelta(days=9), not_after=past)
        self.expired_certificate, self.expired_key = self._write(expired, "expired")
        self.password = folder / "password"
        self.password.write_text(PASSWORD)
        (folder / "www").mkdir()
        (folder / "www" / "index.html").write_text("hello-lab\n")

    def _write(self, leaf: trustme.LeafCert, name: str) -> tuple[Path, Path]:
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(key)
        key.chmod(0o644)  # servers give up root before they read it
        return certificate, key


@dataclass
class Running:
    """A server that was started; its whole session is its own."""

    kind: Kind
    grounds: Grounds
    ports: Mapping[str, int]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = self.kind.command(self.grounds, self.ports)
        with (self.grounds.folder / f"{self.kind.name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + PATIENCE
        for port in self.ports.values():
            while not _listens(port):
                assert self.process.poll() is None, f"{self.kind.name} ended:\n{self.log()}"
                assert time.monotonic() < until, f"{self.kind.name} does not listen on {port}:\n{self.log()}"
                time.sleep(0.02)
        while self.kind.ready not in self.log():
            assert time.monotonic() < until, f"{self.kind.name} does not get ready:\n{self.log()}"
            time.sleep(0.02)

    def log(self) -> str:
        return (self.grounds.folder / f"{self.kind.name}.log").read_text(errors="replace")[-3000:]

    def signal(self, number: signal.Signals) -> None:
        """Tell every process of it."""
        assert self.process is not None
        for pid in _session(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE / 4)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
        for pid in _session(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.process = None


@dataclass(frozen=True)
class Kind:
    """A server: how it is configured and run, and the checks that it must pass."""

    name: str
    program: str
    roles: tuple[str, ...]
    """What it listens for; each gets a port of its own."""
    command: Callable[[Grounds, Mapping[str, int]], list[str]]
    checks: tuple[tuple[str, str, Mapping[str, Any]], ...]
    """Type, role, keys: ``CA`` and ``PASSWORD`` stand for the files."""
    root: bool = False
    full: tuple[int, bytes, str] | None = None
    """With so many callers, each of whom says that, the first check fails for that reason."""
    ready: str = ""
    """What it logs when it is ready, where it listens before."""

    def why_not(self) -> str:
        if program(self.program) is None:
            return f"{self.program} is not installed"
        return "needs root" if self.root and os.geteuid() != 0 else ""


@contextlib.contextmanager
def running(kind: Kind, folder: Path) -> Iterator[Running]:
    """Start a server, and leave nothing of it behind."""
    server = Running(kind, Grounds(folder), {role: free_port() for role in kind.roles})
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _session(leader: int) -> list[int]:
    """Give the processes of a session, the leader first: servers put their workers into groups of their own."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(folder.name))
    return sorted(found)


def write(grounds: Grounds, name: str, text: str) -> str:
    """Write a configuration file; ``{D}`` stands for the folder, ``{CERT}`` and ``{KEY}`` for the certificate."""
    file = grounds.folder / name
    values = {"D": grounds.folder, "CERT": grounds.certificate, "KEY": grounds.key}
    values |= {"OLD_CERT": grounds.expired_certificate, "OLD_KEY": grounds.expired_key}
    for key, value in values.items():
        text = text.replace("{" + key + "}", str(value))
    file.write_text(text)
    return str(file)
