"""A ledger with years of history on disk: the configuration, terms, measurements and records.

Each server has one ping a minute, and one http check if it hosts pages. Each month has: one outage of 3 to 40 minutes
on every third check; a gap without results on one check in a hundred; two maintenance windows of ten servers each,
announced five days before; six exclusions of a quarter of an hour of a server; one change of fees, which brings new
terms into force. Every sweep has its batch, every hour a journal entry with a digest. Single results exist for the last
hours only (``RESULT_HOURS``): accounts do not read them, and generating a year of them would take too long.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from monitor.config import load
from monitor.ledger.terms import record_terms
from monitor.model import CheckKey, Outcome, Result, Run, Span
from monitor.outage import OpenOutage
from monitor.sla.calendar import month_span
from monitor.store import database, history, journal, results
from monitor.store.history import save_runs

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.terms import Terms

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
HOLD = 2 * MINUTE
RESULT_HOURS = 6
ZONE = "Europe/Istanbul"
MONTHS = 12
PRODUCTS = ("server", "server", "colocation", "web-hosting", "server")
OUTAGE_EVERY = 3
"""One of this many checks has an outage in a month."""
GAP_EVERY = 100
"""One of this many checks has a gap in a month."""


def configuration(subscriptions: int) -> str:
    """Return the configuration: one server for each subscription, one customer for ten subscriptions."""
    parts = ['[email]\ntransport = "file"\nfrom = "sla@example.com"\n']
    parts += [
        f'[[customer]]\nid = "c{number}"\nname = "Customer {number}"\nemails = ["c{number}@example.com"]\n'
        for number in range((subscriptions + 9) // 10)
    ]
    for number in range(subscriptions):
        product = PRODUCTS[number % len(PRODUCTS)]
        parts.append(f'[[server]]\nid = "s{number}"\naddress = "127.{number >> 16}.{number >> 8 & 255}.{number & 255}"')
        parts.append("level = 4")
        if product == "web-hosting":
            parts.append(f'[[server.service]]\nname = "site"\ntype = "http"\nurl = "http://s{number}.example.com/"')
        parts.append(
            f'[[subscription]]\nid = "s{number}"\ncustomer = "c{number // 10}"\nserver = "s{number}"\n'
            f'product = "{product}"\nfee = "49.90"\ncurrency = "USD"\n'
        )
    return "\n".join(parts)


@dataclass
class _CheckProgress:
    """A check and the start of its current run."""

    number: int
    key: CheckKey
    first: Millis


class SyntheticLedger:
    """A growing ledger; ``add_year`` appends a year."""

    def __init__(self, folder: Path, subscriptions: int, first_year: int) -> None:
        self.config = folder / "config.toml"
        self.config.write_text(configuration(subscriptions))
        self._settings = load(self.config)
        self.file = self._settings.data_dir / database.DATABASE_FILE
        self._year = first_year
        self._random = random.Random(first_year)  # noqa: S311 - the same history every time
        self._ids = count(1)
        begin = month_span(first_year, 1, ZONE).start
        db = database.open_read_write(self.file)
        with database.transaction(db):
            self._progress = [
                _CheckProgress(results.ensure_check_id(db, check.key), check.key, begin)
                for server in self._settings.servers
                for check in server.checks
            ]
        db.close()

    @property
    def now(self) -> Millis:
        """The moment until which the ledger has history."""
        return month_span(self._year, 1, ZONE).start

    @property
    def last_finished_month(self) -> str:
        """The last month that is over: the history ends a minute before its last month does."""
        return f"{self._year - 1}-11"

    def terms(self, at: Millis) -> Terms:
        """Return the configured terms."""
        return self._settings.terms(at)

    def add_year(self) -> None:
        """Append a year, with some hours of single results at its end."""
        db = database.open_read_write(self.file)
        db.execute("PRAGMA synchronous = OFF")
        for month in range(1, MONTHS + 1):
            with database.transaction(db):
                self._month(db, month_span(self._year, month, ZONE), last=month == MONTHS)
        self._year += 1
        with database.transaction(db):
            self._finish_current(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("ANALYZE")
        db.close()

    def _month(self, db: Database, span: Span, *, last: bool) -> None:
        terms = self._settings.terms(span.start)
        if not last:  # the newest terms must be those of the configuration
            fee = Decimal(50) + (span.start // DAY) % 97
            terms = replace(
                terms, subscriptions={name: replace(one, fee=fee) for name, one in terms.subscriptions.items()}
            )
        record_terms(db, terms, span.start)
        for at in range(span.start, span.end, HOUR):
            self._hour(db, at)
        for progress in self._progress:
            if self._random.randrange(OUTAGE_EVERY) == 0:
                self._outage(db, progress, span)
            elif self._random.randrange(GAP_EVERY) == 0:
                self._gap(db, progress, span)
        for place in range(2):
            self._window(db, span.start + (9 + 10 * place) * DAY)
        for _ in range(6):
            self._exclusion(db, span)

    def _hour(self, db: Database, at: Millis) -> None:
        """Add the batches of sixty sweeps, and one journal entry for the hour."""
        digest = {"count": 60 * len(self._progress), "first": at, "last": at + HOUR, "sha256": "0" * 64}
        entry = journal.append(db, at + HOUR, "results", {"batch": 0, "source": "probe", **digest})
        for minute in range(60):
            results.close_batch(db, results.begin_batch(db, "probe", at + minute * MINUTE), entry)

    def _random_time(self, span: Span) -> Millis:
        return span.start + self._random.randrange(2 * DAY, span.end - span.start - 2 * DAY) // MINUTE * MINUTE

    def _outage(self, db: Database, progress: _CheckProgress, span: Span) -> None:
        first_fail = self._random_time(span)
        end = first_fail + self._random.randint(3, 40) * MINUTE
        runs = [
            Run(progress.first, first_fail - MINUTE, Outcome.OK, HOLD),
            Run(first_fail, end - MINUTE, Outcome.FAIL, HOLD),
            Run(end, end, Outcome.OK, HOLD),
        ]
        save_runs(db, ((progress.number, run) for run in runs))
        found = OpenOutage(first_fail, end - MINUTE, first_fail - MINUTE, "timeout")
        history.close_outage(db, history.insert_outage(db, progress.number, found), end)
        progress.first = end

    def _gap(self, db: Database, progress: _CheckProgress, span: Span) -> None:
        ended = self._random_time(span)
        save_runs(db, [(progress.number, Run(progress.first, ended, Outcome.OK, HOLD))])
        progress.first = ended + HOUR

    def _window(self, db: Database, start: Millis) -> None:
        first = self._random.randrange(len(self._settings.servers))
        body = {
            "window": next(self._ids),
            "servers": sorted({server.id for server in (self._settings.servers * 2)[first : first + 10]}),
            "start": start,
            "end": start + 2 * HOUR,
            "reason": "kernel",
            "emergency": None,
            "announced_at": start - 5 * DAY,
            "reference": None,
            "recorded_by": "ops",
        }
        journal.append(db, start - 5 * DAY, "maintenance-announced", body)

    def _exclusion(self, db: Database, span: Span) -> None:
        start = self._random_time(span)
        body = {
            "exclusion": next(self._ids),
            "outage": None,
            "server": self._random.choice(self._settings.servers).id,
            "check": None,
            "subscription": None,
            "start": start,
            "end": start + 15 * MINUTE,
            "clause": "4.3",
            "reason": "unpaid",
            "recorded_by": "ops",
        }
        journal.append(db, start + DAY, "exclusion-added", body)

    def _finish_current(self, db: Database) -> None:
        """Write the last run of every check, and the single results of the last hours."""
        db.conn.executemany(
            "DELETE FROM run WHERE probed = ? AND first = ?", [(c.number, c.first) for c in self._progress]
        )
        last = self.now - MINUTE
        save_runs(db, ((c.number, Run(c.first, last, Outcome.OK, HOLD)) for c in self._progress))
        for at in range(self.now - RESULT_HOURS * HOUR, self.now, MINUTE):
            batch = results.begin_batch(db, "probe", at)
            results.add(db, batch, ((c.number, Result(c.key, at, Outcome.OK, 1, 12_345, "")) for c in self._progress))
