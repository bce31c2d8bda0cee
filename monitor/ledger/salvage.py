"""What can be read from a damaged database comes into this ledger: results as an import, and the salvage as a fact.

Results are the raw facts of every figure. The other facts of the damaged journal (maintenance, exclusions, claims and
so on) have numbers that mean something else in this ledger, and hashes that cannot be made again: they are written to a
file, to be recorded again by hand.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from monitor.ledger.months.retroactive import import_results
from monitor.ledger.recorded_by import recorded_by
from monitor.store import import_staging, journal
from monitor.store.import_staging import StagedRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.sla.terms import Terms
    from monitor.store.damaged_database import DamagedDatabase
    from monitor.store.journal import JournalEntry

CHUNK_SIZE = 10_000
_OWN_KINDS = ("results", "outage-", "mail", "problem-", "daemon-", "clock-", "month-", "terms", "salvaged")
"""Kinds of entries that follow from results and configuration, or tell of the damaged ledger alone."""


@dataclass(frozen=True, slots=True)
class Salvage:
    """What came of it."""

    entry: int
    """The journal's entry that tells of it."""
    read: int
    """Results that could be read."""
    new: int
    """Those of them that were not recorded in this ledger."""
    unreadable: int
    """Places at which something could not be read."""
    facts: tuple[JournalEntry, ...]
    """Facts of the damaged journal that have to be recorded again."""


def salvage(
    db: Database,
    current: Terms,
    damaged: DamagedDatabase,
    at: Millis,
    progress: Callable[[int], None] = lambda _: None,
) -> Salvage:
    """Import the results of a damaged database, inside one transaction, and record what was read.

    A result that contradicts a recorded one of the same moment is left out: this ledger's own is the fact.
    """
    import_staging.create_tables(db)
    read = 0
    rows = _staged_rows(damaged, at)
    while chunk := list(islice(rows, CHUNK_SIZE)):
        import_staging.stage_rows(db, chunk)
        read += len(chunk)
        progress(read)
    contradicting, _ = import_staging.find_conflicts(db, 1 << 62)
    import_staging.drop_rows(db, (conflict.line_number for conflict in contradicting))
    new = import_results(db, current, at)
    kinds: Counter[str] = Counter()
    facts, digest = [], hashlib.sha256()
    for entry in damaged.journal_entries():
        kinds[entry.kind] += 1
        digest.update(f"{journal.canonical_json(list(entry))}\n".encode())
        if not entry.kind.startswith(_OWN_KINDS):
            facts.append(entry)
    body = {
        "file": damaged.path.name,
        "entries": dict(kinds),
        "sha256": digest.hexdigest(),
        "results": read,
        "new": new,
        "unreadable": damaged.unreadable,
        "recorded_by": recorded_by(),
    }
    return Salvage(journal.append(db, at, "salvaged", body), read, new, damaged.unreadable, tuple(facts))


def _staged_rows(damaged: DamagedDatabase, now: Millis) -> Iterator[StagedRow]:
    found = (result for result in damaged.results() if result.at <= now)
    for number, (key, moment, outcome, attempts, latency, reason) in enumerate(found, 1):
        yield StagedRow(number, *key, moment, int(outcome), latency, attempts, reason)
