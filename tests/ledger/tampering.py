"""What somebody does who has the file and a shell of sqlite3, and knows what `monitor verify` looks at first."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.ledger.verify import verify
from tests.fakes import HOUR, MINUTE, START, make_context, make_server, make_subscription
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

CONTEXT = make_context([make_server("web-01", "site"), make_server("db-01")], [make_subscription("acme", "web-01")])
SLOWER = replace(CONTEXT, terms=replace(CONTEXT.terms, interval=2 * MINUTE))


def lived(db: Database | None = None) -> LedgerFixture:
    """A ledger with everything in it: outages over and open, doubts, gaps, a restart, a window, a changed interval."""
    desk = LedgerFixture(CONTEXT, db)
    desk.apply_terms()
    desk.record_sweeps(web_01="ooxxo?xoo..ooxx", web_01__site="ooooooooooo", db_01="xxoo?ooxo")
    desk.restart(START + 20 * MINUTE)
    desk.announce("web-01", start=START + HOUR, end=START + 2 * HOUR, emergency="disk")
    for minute in range(20, 30):
        desk.record_sweep(minute, web_01="x", web_01__site="o" if minute < 25 else "x", db_01="o")
    desk.reconfigure(SLOWER, START + 30 * MINUTE)
    for minute in range(30, 40, 2):
        desk.record_sweep(minute, web_01="x", web_01__site="o", db_01="o")
    return desk


@contextmanager
def unlocked(db: Database) -> Iterator[None]:
    """Tamper without the triggers that protect the journal; they are there again afterwards."""
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE name LIKE 'journal_is_never%'").fetchall()
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")
    db.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        for _, sql in triggers:
            db.execute(sql)


def wrong(desk: LedgerFixture, *statements: str) -> str:
    """What is found after a tampering that changed something."""
    changed = 0
    with unlocked(desk.db):
        for statement in statements:
            changed += desk.db.execute(statement).rowcount
    assert changed > 0, "the tampering did nothing"
    verdict = verify(desk.db)
    assert verdict.error is not None, "nobody noticed"
    return verdict.error
