"""Whether the database file is whole: its pages and indexes, its schema, its references, and no impossible times."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlite_utils import Database

from monitor.store.archive.hours import HOUR_KEY_FACTOR
from monitor.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTERNAL_PREFIX = "sqlite_stat"
"""What ANALYZE leaves behind: it changes the speed of a query, never its answer."""
_MIGRATIONS_TABLE = "_sqlite_migrations"
"""Made by the library: its text depends on the library's version."""


def find_damage(db: Database) -> str | None:
    """Return the first damage of the file: of a page, a constraint, or an index that differs from its table.

    This reads the whole file. Raises sqlite3.DatabaseError where SQLite cannot even read it.
    """
    found: str = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    return None if found == "ok" else f"the database file is damaged: {found}"


def find_schema_difference(db: Database) -> str | None:
    """Return the first difference from this version's tables, indexes, triggers and views: lacking, other or extra."""
    wanted, found = _expected_schema(), dict(_schema(db))
    for (kind, name), sql in wanted.items():
        if (kind, name) not in found:
            return f"the schema was changed: the {kind} {name} is missing"
        if found[kind, name] != sql:
            return f"the schema was changed: the {kind} {name} is not that of this version"
    extra = next((key for key in found if key not in wanted), None)
    return extra and f"the schema was changed: the {extra[0]} {extra[1]} is none of this version"


@cache
def _expected_schema() -> dict[tuple[str, str], str]:
    db = Database(memory=True, execute_plugins=False)
    try:
        migrations.apply(db)
        return dict(_schema(db))
    finally:
        db.close()


def _schema(db: Database) -> Iterator[tuple[tuple[str, str], str]]:
    """Return each object of the schema, and its table and its text without differences of white space."""
    for kind, name, table, sql in db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"):
        if not name.startswith(_INTERNAL_PREFIX):
            text = "" if table == _MIGRATIONS_TABLE else " ".join((sql or "").split())
            yield (kind, name), f"{table}: {text}"


def find_broken_reference(db: Database) -> str | None:
    """Return the first row that refers to a row of another table that is not there."""
    row = db.execute("PRAGMA foreign_key_check").fetchone()
    return row and f"a row of the table {row[0]} refers to a row of {row[2]} that is not there"


def find_impossible_time(db: Database) -> str | None:
    """Return the first result or batch that lies before 1970: no question about results would ever show it."""
    for what, query in (
        ("a result", "SELECT min(at) FROM result"),
        ("a packed hour of results", f"SELECT min(id) / {HOUR_KEY_FACTOR} FROM packed"),
        ("a batch of results", "SELECT min(opened) FROM batch"),
    ):
        earliest = db.execute(query).fetchone()[0]
        if earliest is not None and earliest < 0:
            return f"{what} has a time before 1970"
    return None


def find_reusable_outage_number(db: Database, highest: int) -> str | None:
    """Return what is wrong where the next outage would get a number that was given before; ``highest`` so far."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outage'").fetchone()
    if highest > (row[0] if row else 0):
        return f"outage {highest}: its number would be given once more"
    return None
