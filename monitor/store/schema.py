"""The tables, as migrations: new ones are added at the end, published ones are never edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils.migrations import Migrations

from monitor.store.archive.sql_views import PACKED_SQL, READABLE_SQL

if TYPE_CHECKING:
    from sqlite_utils import Database

migrations = Migrations("monitor")

_FIRST = """
-- Every fact that a figure hangs on, chained; see store/journal.py.
CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX journal_kind ON journal (kind, number);
CREATE TRIGGER journal_is_never_rewritten BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_is_never_shortened BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- A check's number stays its own for ever, also when the check leaves the configuration.
CREATE TABLE probed (
    id INTEGER PRIMARY KEY,
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (server, name)
) STRICT;
CREATE TABLE reason (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- One sweep, or one piece of an import: what one entry of the journal has the digest of.
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL CHECK (source IN ('probe', 'import')),
    opened INTEGER NOT NULL,
    entry INTEGER REFERENCES journal (number)
) STRICT;
CREATE INDEX batch_open ON batch (id) WHERE entry IS NULL;
-- By time first: a sweep then touches few pages.
CREATE TABLE result (
    at INTEGER NOT NULL,
    probed INTEGER NOT NULL REFERENCES probed (id),
    outcome INTEGER NOT NULL CHECK (outcome IN (0, 1, 2)),
    attempts INTEGER NOT NULL,
    latency INTEGER,
    reason INTEGER REFERENCES reason (id),
    batch INTEGER NOT NULL REFERENCES batch (id),
    PRIMARY KEY (at, probed)
) STRICT, WITHOUT ROWID;

-- What the results say, kept as they come, so that a month costs by its changes and not by its results.
CREATE TABLE run (
    probed INTEGER NOT NULL REFERENCES probed (id),
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    hold INTEGER NOT NULL,
    PRIMARY KEY (probed, first)
) STRICT, WITHOUT ROWID;
-- A number is never given twice: one that was joined into another lives on in the journal.
CREATE TABLE outage (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    probed INTEGER NOT NULL REFERENCES probed (id),
    start INTEGER NOT NULL,
    last_fail INTEGER NOT NULL,
    "end" INTEGER,
    last_ok INTEGER,
    reason TEXT NOT NULL,
    UNIQUE (probed, start)
) STRICT;
CREATE INDEX outage_open ON outage (probed) WHERE "end" IS NULL;

-- What has been told of a check; a missing row says: nothing.
CREATE TABLE alerting (
    probed INTEGER PRIMARY KEY REFERENCES probed (id),
    body TEXT NOT NULL
) STRICT;
-- The outbox. While `sweep` is set the mail still gathers what falls in that sweep; see store/outbox.py.
CREATE TABLE mail (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    customer TEXT,
    recipients TEXT NOT NULL,
    copies TEXT NOT NULL,
    remaining TEXT NOT NULL,
    body TEXT NOT NULL,
    sweep INTEGER,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    html TEXT NOT NULL,
    language TEXT NOT NULL,
    message_id TEXT NOT NULL UNIQUE,
    refers TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'dead')),
    queued_at INTEGER NOT NULL,
    since INTEGER NOT NULL,
    next_try INTEGER NOT NULL,
    sent_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX mail_pending ON mail (next_try) WHERE state = 'pending';
-- Which mail told of which outage, so that its end goes into the same thread.
CREATE TABLE told (
    outage INTEGER NOT NULL REFERENCES outage (id),
    mail INTEGER NOT NULL REFERENCES mail (id),
    PRIMARY KEY (outage, mail)
) STRICT, WITHOUT ROWID;

-- What the daemon says of itself to other processes (`monitor status`).
CREATE TABLE note (
    key TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
"""


@migrations(name="2026-11-first")
def _first(db: Database) -> None:
    for statement in _statements(_FIRST):
        db.execute(statement)


_MONTHS = """
-- Months that were closed, and what corrected them, found by their name.
CREATE INDEX journal_closed ON journal (json_extract(body, '$.month')) WHERE kind = 'month-closed';
CREATE INDEX journal_corrected ON journal (json_extract(body, '$.month')) WHERE kind = 'month-corrected';
"""


@migrations(name="2026-11-months")
def _months(db: Database) -> None:
    for statement in _statements(_MONTHS):
        db.execute(statement)


_HEAD = """
-- The newest entry of the journal, kept beside it: a chain cannot tell that its own end was cut off.
CREATE TRIGGER journal_head AFTER INSERT ON journal BEGIN
    INSERT OR REPLACE INTO note (key, body)
    VALUES ('journal-head', json_object('entry', NEW.number, 'hash', NEW.hash)); END;
INSERT OR REPLACE INTO note (key, body)
    SELECT 'journal-head', json_object('entry', number, 'hash', hash) FROM journal ORDER BY number DESC LIMIT 1;
"""


@migrations(name="2026-11-head")
def _head(db: Database) -> None:
    for statement in _statements(_HEAD):
        db.execute(statement)


@migrations(name="2026-11-packed")
def _packed(db: Database) -> None:
    for statement in _statements(PACKED_SQL):
        db.execute(statement)


_IMPORTED = """
-- Imports are few among the batches of every sweep, and every question asks which came after its moment.
CREATE INDEX batch_imported ON batch (opened) WHERE source = 'import';
"""


@migrations(name="2026-11-imported")
def _imported(db: Database) -> None:
    for statement in _statements(_IMPORTED):
        db.execute(statement)


@migrations(name="2026-11-readable")
def _readable(db: Database) -> None:
    for statement in _statements(READABLE_SQL):
        db.execute(statement)


_BATCH_BOUNDS = """
-- The times of the first and the last result of a batch that is open: a start closes it without a search.
ALTER TABLE batch ADD COLUMN first INTEGER;
ALTER TABLE batch ADD COLUMN last INTEGER;
"""


@migrations(name="2026-12-batch-bounds")
def _batch_bounds(db: Database) -> None:
    for statement in _statements(_BATCH_BOUNDS):
        db.execute(statement)


_MAIL_FACTS = """
-- What the relay answered, with its queue id; the journal has a digest of it (store/mail_facts.py).
ALTER TABLE mail ADD COLUMN reply TEXT NOT NULL DEFAULT '';
-- The journal says from this version on which problems the operators were told; one that lasts is told once more.
DELETE FROM note WHERE key = 'told';
"""


@migrations(name="2026-12-mail-facts")
def _mail_facts(db: Database) -> None:
    for statement in _statements(_MAIL_FACTS):
        db.execute(statement)


_REJECTED = """
-- Results that were recorded while the clock was ahead and that the journal entry took back; see store/rejected.py.
CREATE TABLE rejected_result (
    entry INTEGER NOT NULL REFERENCES journal (number),
    at INTEGER NOT NULL,
    probed INTEGER NOT NULL REFERENCES probed (id),
    outcome INTEGER NOT NULL CHECK (outcome IN (0, 1, 2)),
    attempts INTEGER NOT NULL,
    latency INTEGER,
    reason INTEGER REFERENCES reason (id),
    batch INTEGER NOT NULL REFERENCES batch (id),
    PRIMARY KEY (entry, at, probed)
) STRICT, WITHOUT ROWID;
"""


@migrations(name="2026-12-rejected")
def _rejected(db: Database) -> None:
    for statement in _statements(_REJECTED):
        db.execute(statement)


@migrations(name="2026-12-mail-recipients")
def _mail_recipients(db: Database) -> None:
    # by address, as JSON: state (sent or dead), time and reply of the recipients whose delivery is over
    db.execute("ALTER TABLE mail ADD COLUMN deliveries TEXT NOT NULL DEFAULT '{}'")


def _statements(script: str) -> list[str]:
    """Return the statements of a script; a trigger's body ends with ``END``.

    ``executescript`` would commit the transaction that holds the migration.
    """
    statements, lines = [], []
    for line in script.splitlines():
        text = line.split("--")[0].strip()
        lines.append(text)
        whole = " ".join(part for part in lines if part)
        if text.endswith(";") and (not whole.startswith("CREATE TRIGGER") or text.endswith("END;")):
            statements.append(whole)
            lines = []
    return statements
