"""The rows of measurements with peers and goals: as a table, and as JSON with the machine and the versions."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import re
import shutil
import sqlite3
import ssl
import subprocess
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PACKAGES = ("aiohttp", "uvloop", "prometheus-client", "sqlite-utils", "icmplib")
PEERS = {"fping": ("fping", "-v"), "blackbox_exporter": ("prometheus-blackbox-exporter", "--version")}
"""The peers, and the command that prints the version of each."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    what: str
    """The subject and the load."""
    ours: float
    unit: str
    peer: float | None = None
    """The peer's value in the same unit; None if there is no peer, or it is not installed."""
    against: str = ""
    """The name of the peer."""
    at_most: float | None = None
    """The goal for ``ours``, or with ``of_peer`` for ``ours`` divided by ``peer``; None if there is no goal."""
    of_peer: bool = False
    note: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further values, for the JSON."""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's."""
        return self.ours / self.peer if self.peer else None

    @property
    def goal(self) -> str:
        """The goal as text."""
        if self.at_most is None:
            return ""
        return f"<= {self.at_most:g} x" if self.of_peer else f"<= {self.at_most:g} {self.unit}"

    @property
    def met(self) -> bool | None:
        """Whether the goal was met; None if there is none, or its peer is missing."""
        reached = self.ratio if self.of_peer else self.ours
        return None if self.at_most is None or reached is None else reached <= self.at_most

    def record(self) -> dict[str, Any]:
        """Return all values for the JSON."""
        return {**asdict(self), "ratio": self.ratio, "goal": self.goal, "met": self.met}


def table(rows: Iterable[Row]) -> str:
    """Return rows as a Markdown table."""
    met = {None: "", True: "yes", False: "**no**"}
    lines = [
        (
            row.what,
            f"{_three_digits(row.ours)} {row.unit}",
            "" if row.peer is None else f"{_three_digits(row.peer)} ({row.against})",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.goal or "none",
            met[row.met],
            row.note,
        )
        for row in rows
    ]
    heads = ["what", "ours", "peer", "ratio", "goal", "met", "note"]
    return tabulate(lines, heads, tablefmt="pipe", disable_numparse=True)


def _three_digits(number: float) -> str:
    """Return a number with three significant digits."""
    if number == 0 or abs(number) >= 100:  # noqa: PLR2004 - three digits
        return f"{number:,.0f}"
    return f"{number:.3g}"


def environment() -> dict[str, Any]:
    """Return the machine, the date and the versions."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": cpu[1] if cpu else platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
            "kernel": platform.release(),
            "load_before": os.getloadavg()[0],
        },
        "versions": {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "openssl": ssl.OPENSSL_VERSION,
            **{name: found for name in PACKAGES if (found := _package(name))},
            **{name: _program(command) or "not installed" for name, command in PEERS.items()},
        },
    }


def _package(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _program(command: tuple[str, ...]) -> str | None:
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)  # noqa: S603 - found
    except PermissionError:
        return "not permitted"
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return found[0] if found else "installed"


def environment_summary(environment: Mapping[str, Any]) -> str:
    """Return the same as two lines."""
    machine, versions = environment["machine"], environment["versions"]
    return (
        f"{environment['date']}, {machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, "
        f"Linux {machine['kernel']}, load {machine['load_before']:.1f}\n"
        + ", ".join(f"{name} {found}" for name, found in versions.items())
    )


def write_json(file: Path, environment: Mapping[str, Any], parts: Mapping[str, Iterable[Row]]) -> None:
    """Write all rows as one JSON document."""
    document = {**environment, "parts": {name: [row.record() for row in rows] for name, rows in parts.items()}}
    file.write_text(json.dumps(document, indent=2) + "\n")
