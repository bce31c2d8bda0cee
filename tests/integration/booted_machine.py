"""A Debian that systemd has really booted: a root tree by mmdebstrap, started by systemd-nspawn, thrown away after.

The tree is built once, from the machine's own apt sources, and kept in ``$XDG_CACHE_HOME/sla-monitor-tests``. Each boot
lies on a volatile overlay over it and in a network of its own, so nothing survives and nothing leaves.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3", "procps")
NAMESPACES = ("--mount", "--root", "--uts", "--ipc", "--net", "--pid", "--cgroup")
WAIT_TIMEOUT = 60
"""Seconds for anything that systemd is asked to do; far more than it ever takes."""


class Unavailable(Exception):  # noqa: N818 - the reason of a skip, not a mistake
    """Why this machine cannot boot a tree."""


@dataclass(frozen=True)
class CommandResult:
    """What a command inside said."""

    status: int
    out: str
    err: str


class Machine:
    """A booted tree; commands run inside it as root."""

    def __init__(self, leader: int) -> None:
        self.leader = leader
        self.root = Path(f"/proc/{leader}/root")

    def run(self, *command: str) -> CommandResult:
        """Run a command inside, whatever its exit status."""
        enter = ("nsenter", "--target", str(self.leader), *NAMESPACES)
        done = subprocess.run([*enter, *command], capture_output=True, text=True, timeout=WAIT_TIMEOUT, check=False)
        return CommandResult(done.returncode, done.stdout.strip(), done.stderr.strip())

    def check_output(self, *command: str) -> str:
        """Run a command inside that has to succeed; gives what it printed."""
        answer = self.run(*command)
        assert answer.status == 0, f"{' '.join(command)}: exit {answer.status}\n{answer.out}\n{answer.err}"
        return answer.out

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file inside."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def properties(self, unit: str) -> dict[str, str]:
        """Everything that systemd knows of a unit."""
        shown = self.check_output("systemctl", "show", unit).splitlines()
        return dict(line.split("=", 1) for line in shown if "=" in line)

    def journal(self, unit: str) -> str:
        """What the unit, and systemd about it, logged of late."""
        return self.check_output("journalctl", "--no-pager", "--output=cat", "--lines=200", f"--unit={unit}")

    def wait_until(self, description: str, condition: Callable[[], bool], seconds: float = WAIT_TIMEOUT) -> None:
        """Wait for a condition inside; fails with ``description`` if it does not come."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"after {seconds} s still not: {description}"
            time.sleep(0.05)


@contextlib.contextmanager
def boot(bind_mounts: Mapping[Path, str]) -> Iterator[Machine]:
    """Boot the tree with paths of this machine shown read-only inside, and power it off at the end.

    Raises Unavailable, with the reason, where this machine cannot.
    """
    _require()
    tree = _root_tree()
    group = _CGroup(f"sla-monitor-test-{os.getpid()}")
    booted = Path("/run/systemd/system").is_dir()
    command = [
        *([] if booted else group.enter),
        *("systemd-nspawn", "--quiet", "--boot", f"--directory={tree}", "--volatile=overlay"),
        *("--private-network", "--register=no", "--console=pipe", f"--machine={group.name}"),
        *([] if booted else ["--keep-unit"]),  # a manager here gives it a scope; without one, it stays in our group
        *(f"--bind-ro={outside}:{inside}" for outside, inside in bind_mounts.items()),
    ]
    log = tree.parent / f"{group.name}.log"
    with log.open("w") as out:
        nspawn = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _wait_for_boot(nspawn, log)
    finally:
        _power_off(nspawn)
        group.remove()
        log.unlink()


class _CGroup:
    """A control group for one boot, so that two of them at once do not share theirs."""

    def __init__(self, name: str) -> None:
        self.name = name
        top = Path("/sys/fs/cgroup")
        self.paths = [place / name for place in (top, top / "systemd", top / "unified") if _is_hierarchy(place)]

    @property
    def enter(self) -> tuple[str, ...]:
        """A command that enters the group and then becomes the command after it."""
        into = " && ".join(f"mkdir -p {place} && echo 0 > {place}/cgroup.procs" for place in self.paths)
        return ("sh", "-c", f'{into} && exec "$@"', "sh")

    def remove(self) -> None:
        for place in self.paths:
            for child in sorted(place.glob("**/"), reverse=True) if place.is_dir() else ():
                with contextlib.suppress(OSError):
                    child.rmdir()


def _is_hierarchy(path: Path) -> bool:
    return (path / "cgroup.procs").exists()


def _require() -> None:
    if os.geteuid() != 0:
        raise Unavailable("booting a tree needs root")
    for program in ("systemd-nspawn", "mmdebstrap", "nsenter"):
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is not installed")


def _root_tree() -> Path:
    """Where the tree is, built first if it is not there yet."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    sources = _apt_sources(codename)
    if not sources:
        raise Unavailable("this machine has no apt sources of a Debian release")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sla-monitor-tests"
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / f"{codename}-{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:8]}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.is_dir():
            _build(tree, codename, sources)
    return tree


def _apt_sources(codename: str) -> list[Path]:
    """The files among apt's sources that name this release; other archives have no business in the tree."""
    named = re.compile(rf"^[^#]*(?<![\w-]){re.escape(codename)}(-updates|-security)?(?![\w-])", re.MULTILINE)
    apt = Path("/etc/apt")
    files = [
        apt / "sources.list",
        *sorted(apt.glob("sources.list.d/*.list")),
        *sorted(apt.glob("sources.list.d/*.sources")),
    ]
    return [file for file in files if codename and file.is_file() and named.search(file.read_text())]


def _build(tree: Path, codename: str, sources: list[Path]) -> None:
    unfinished = tree.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", codename, str(unfinished)]
    done = subprocess.run(
        [*command, *map(str, sources)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise Unavailable(f"mmdebstrap failed: {done.stderr.strip().splitlines()[-1:]}")
    (unfinished / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    unfinished.rename(tree)


def _wait_for_boot(nspawn: subprocess.Popen[bytes], log: Path) -> Machine:
    deadline = time.monotonic() + WAIT_TIMEOUT
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    leader: list[str] = []
    while nspawn.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # it may end while being looked at
            leader = children.read_text().split()
        if leader:
            machine = Machine(int(leader[0]))
            if machine.run("systemctl", "is-system-running").out in {"running", "degraded"}:
                return machine
        time.sleep(0.05)
    raise Unavailable(f"systemd-nspawn did not boot: {log.read_text().strip().splitlines()[-1:]}")


def _power_off(nspawn: subprocess.Popen[bytes]) -> None:
    if nspawn.poll() is None:
        nspawn.send_signal(signal.SIGTERM)  # nspawn asks the system inside to power off
        try:
            nspawn.wait(WAIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            nspawn.kill()
            nspawn.wait()
