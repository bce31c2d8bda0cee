"""A small installation on disk, and the command line on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from monitor.cli import run_command
from monitor.config import load
from monitor.config.ledger_context import ledger_context
from monitor.ledger.results.recording import Recording
from monitor.ledger.terms import record_terms
from monitor.model import CheckKey, Outcome, Result
from monitor.store import database
from tests.fakes import open_read_write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MINUTE = 60_000

CONFIG = """
[contract]
operator_emails = ["noc@example.com"]

[[customer]]
id = "acme"
name = "Acme Ltd"
emails = ["it@acme.example"]
language = "tr"

[[server]]
id = "web-01"
address = "127.0.0.1"
level = 4

[[server.service]]
name = "site"
type = "http"
url = "http://127.0.0.1:9/"

[[server]]
id = "free-01"
address = "127.0.0.2"
level = 1

[[subscription]]
id = "acme-web-01"
customer = "acme"
server = "web-01"
product = "server"
fee = "49.90"
currency = "USD"

[[subscription]]
id = "acme-free"
customer = "acme"
server = "free-01"
product = "server"
"""


@dataclass(frozen=True)
class CommandResult:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Installation:
    """A configuration, its books, and the commands on them."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG)
        self.database_path = folder / "data" / database.DATABASE_FILE
        self._capture = capture

    def run(self, *arguments: str) -> CommandResult:
        self._capture.readouterr()
        status = run_command(["--config", str(self.config), *arguments])
        said = self._capture.readouterr()
        return CommandResult(status, said.out, said.err)

    def record(self, check: str, start: int, outcomes: Iterable[str], *, server: str = "web-01") -> None:
        """Write results a minute apart: ``o`` ok, ``x`` fail, ``?`` unknown, ``.`` none."""
        kinds = {"o": Outcome.OK, "x": Outcome.FAIL, "?": Outcome.UNKNOWN}
        results = [
            Result(
                CheckKey(server, check),
                start + place * MINUTE,
                kinds[letter],
                1,
                412 if letter == "o" else None,
                "" if letter == "o" else "timeout",
            )
            for place, letter in enumerate(outcomes)
            if letter in kinds
        ]
        db = open_read_write(self.database_path)
        config = load(self.config)
        recording = Recording(ledger_context(config, start))
        with database.transaction(db):
            record_terms(db, config.terms(start), start)
            recording.record(db, 1, results, results[-1].at)
            recording.end_sweep(db, 1, results[-1].at)
        db.close()


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONITOR_CONFIG", raising=False)
    return Installation(tmp_path, capsys)
