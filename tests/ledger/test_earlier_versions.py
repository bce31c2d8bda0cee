"""Ledgers of every earlier version of the schema: they are upgraded, verified, and give the same closed month.

``earlier_versions/<last migration>.sql`` is the text of a small ledger that the program wrote when that migration was
its last one: a server's October 2026, measured once an hour, with two outages and an exclusion, closed. A new migration
needs such a text: ``sqlite3 monitor.db .dump``.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from monitor.ledger.months.closing import closing_of, find_closing_mismatch
from monitor.ledger.verify import verify
from monitor.store import history
from monitor.store.schema import migrations
from tests.fakes import open_read_write

FOLDER = Path(__file__).parent / "earlier_versions"
FIRST_WITH_CLOSINGS = 1
"""How many migrations came before months could be closed."""
FIGURES = {
    "availability": 9878,
    "lowest": 9851,
    "highest": 9905,
    "experienced": 9838,
    "up": 2_635_200_000,
    "down": 32_400_000,
    "excluded": 10_800_000,
    "unknown": 0,
    "credit": 10,
    "credit_amount": "4.99",
    "outages": [1, 2],
}


def ledger_of(version: str, folder: Path) -> Path:
    """Write a ledger of an earlier version into a file, as it was."""
    path = folder / "monitor.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript((FOLDER / f"{version}.sql").read_text("utf-8"))
    return path


@pytest.mark.parametrize("version", sorted(file.stem for file in FOLDER.glob("*.sql")))
def test_a_ledger_of_an_earlier_version_is_upgraded_and_gives_the_same_month(version: str, tmp_path: Path) -> None:
    db = open_read_write(ledger_of(version, tmp_path))
    report = verify(db)
    assert (report.error, report.entries, report.results, report.outages) == (None, 6, 744, 2)
    month = closing_of(db, "2026-10")
    assert month is not None
    assert find_closing_mismatch(db, "2026-10") is None
    account = month.subscriptions["acme-web-01"]
    assert {name: account[name] for name in FIGURES} == FIGURES
    assert [outage.id for outage in history.list_outages(db)] == [1, 2]


def test_there_is_a_ledger_of_every_version_of_the_schema() -> None:
    db = Database(memory=True)
    names = [each.name for each in migrations.pending(db)]
    db.close()
    assert set(names[FIRST_WITH_CLOSINGS:]) == {file.stem for file in FOLDER.glob("*.sql")}
