"""Real servers on loopback, each started by its own configuration, that can be stopped and frozen."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.integration.lab_certificates import VALID, Certificates
from tests.integration.lab_daemon import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Check = tuple[str, str, Mapping[str, Any]]
    """Type, role, keys: ``CA`` and ``PASSWORD`` stand for the files."""

WAIT_TIMEOUT = 60.0
"""Seconds for anything that a server is waited for; far more than it ever takes."""
USER, PASSWORD = "sla", "gizli 42"
TLS = {"ca_file": "CA"}
LOGIN = {"user": USER, "password_file": "PASSWORD"}
EXTRACTED = Path(os.environ.get("LAB_EXTRACTED", "/opt/sla-monitor-tests"))
"""Where packages lie that cannot be installed beside others: Debian allows one mail server and one FTP server."""


def find_program(name: str) -> str | None:
    """Find a server's program: root's are not on every user's path."""
    folders = [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    folders += [str(EXTRACTED / "usr" / "sbin")]
    return shutil.which(name, path=os.pathsep.join(folders))


def program_path(name: str) -> str:
    """Give where a server's program is; its name alone where it is not found."""
    return find_program(name) or name


def run_output(name: str, *arguments: str) -> str:
    """Run a program, and give what it prints."""
    done = subprocess.run([program_path(name), *arguments], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


class ServerFiles:
    """A folder with certificates, a page, a password."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        self._certificates = Certificates(folder)
        self.ca = self._certificates.ca
        self.use_certificate(VALID)
        self.password = folder / "password"
        self.password.write_text(PASSWORD)
        (folder / "www").mkdir()
        (folder / "www" / "index.html").write_text("hello-lab\n")

    def use_certificate(self, defect: str) -> None:
        """Let the server present another certificate from its next start on."""
        self.certificate, self.key = self._certificates.files_of(defect)


@dataclass
class RunningServer:
    """A server that was started; its whole session is its own."""

    kind: ServerKind
    files: ServerFiles
    ports: Mapping[str, int]
    process: subprocess.Popen[bytes] | None = None
    certificate: str = VALID
    """Which of ``labcertificates``."""

    def use_certificate(self, defect: str) -> None:
        """See to it that this certificate is presented: a server reads it when it starts."""
        if defect != self.certificate:
            self.stop()
            self.files.use_certificate(defect)
            self.certificate = defect
            self.start()

    def start(self) -> None:
        command = self.kind.command(self.files, self.ports)
        with (self.files.folder / f"{self.kind.name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + WAIT_TIMEOUT
        for port in self.ports.values():
            while not _listens(port):
                assert self.process.poll() is None, f"{self.kind.name} ended:\n{self.log()}"
                assert time.monotonic() < until, f"{self.kind.name} does not listen on {port}:\n{self.log()}"
                time.sleep(0.02)
        while self.kind.ready_message not in self.log():
            assert time.monotonic() < until, f"{self.kind.name} does not get ready:\n{self.log()}"
            time.sleep(0.02)

    def log(self) -> str:
        return (self.files.folder / f"{self.kind.name}.log").read_text(errors="replace")[-3000:]

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let no process of it run; one that is just being made is stopped too."""
        assert self.process is not None
        try:
            while not set(_session(self.process.pid).values()) <= {"T"}:
                self._signal(signal.SIGSTOP)
            yield
        finally:
            self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it; its processes are gone then."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(self.kind.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(WAIT_TIMEOUT / 4)
        until = time.monotonic() + WAIT_TIMEOUT
        while left := _session(process.pid):  # what is being killed may take connections until it is gone
            assert time.monotonic() < until, f"{self.kind.name} does not end:\n{self.log()}"
            for pid in left:
                _kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        process.wait(WAIT_TIMEOUT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        for pid in _session(self.process.pid):
            _kill(pid, number)


class RefusalSetup(NamedTuple):
    """How a server is brought to refuse in its own way."""

    connections: int = 0
    """How many are there already when others are refused: more than it takes, for who came before may count still."""
    sends: bytes = b""
    """What each of them says."""
    check: Check | None = None
    """Who is refused; the server's first check unless given."""


@dataclass(frozen=True)
class ServerKind:
    """A server: how it is configured and run, and the checks that it must pass."""

    name: str
    program: str
    roles: tuple[str, ...]
    """What it listens for; each gets a port of its own."""
    command: Callable[[ServerFiles, Mapping[str, int]], list[str]]
    checks: tuple[Check, ...]
    refusal: RefusalSetup
    root: bool = False
    ready_message: str = ""
    """What it logs when it is ready, where it listens before."""
    required_file: Path | None = None
    """A file that must be there besides the program."""
    stop_signal: signal.Signals = signal.SIGTERM
    """What it ends at."""

    def skip_reason(self) -> str:
        if find_program(self.program) is None:
            return f"{self.program} is not installed"
        if self.required_file is not None and not self.required_file.exists():
            return f"{self.required_file} is not installed"
        return "needs root" if self.root and os.geteuid() != 0 else ""


@contextlib.contextmanager
def running(kind: ServerKind, folder: Path) -> Iterator[RunningServer]:
    """Start a server, and leave nothing of it behind."""
    server = RunningServer(kind, ServerFiles(folder), {role: free_port() for role in kind.roles})
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _session(leader: int) -> dict[int, str]:
    """Give the processes of a session and their states: servers put their workers into groups of their own."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, session, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                found[int(folder.name)] = state
    return found


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def write_config(files: ServerFiles, name: str, text: str) -> str:
    """Write a configuration file; ``{D}`` stands for the folder, ``{CERT}`` and ``{KEY}`` for the certificate."""
    file = files.folder / name
    values = {"D": files.folder, "CERT": files.certificate, "KEY": files.key}
    for key, value in values.items():
        text = text.replace("{" + key + "}", str(value))
    file.write_text(text)
    return str(file)
