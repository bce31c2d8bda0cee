"""Opening the file for writing or for reading, and transactions.

Every write runs inside ``BEGIN IMMEDIATE``: a transaction that reads first and writes later would fail at once if
another process has written in between, whatever the busy timeout. ``synchronous=FULL`` stays on: facts survive a power
failure, and one commit a tick is cheap.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlite_utils import Database

from monitor.errors import CorruptDatabaseError, StoreError
from monitor.ownership import make_file, make_folder
from monitor.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATABASE_FILE = "monitor.db"
BUSY_SECONDS = 30


def open_read_write(path: Path) -> Database:
    """Open the database for writing; create it if it does not exist, and migrate its tables.

    Raise StoreError if the file cannot be opened, is another program's, or was written by a newer version.
    """
    try:
        make_folder(path.parent)
        make_file(path)  # by root's command too: SQLite gives the files beside it to the same owner
        db = Database(_connect(f"{path.resolve().as_uri()}?mode=rwc"), execute_plugins=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA secure_delete = FAST")  # do not overwrite free pages with zeros
            _migrate(db, path)
        except BaseException:
            db.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise store_error(
            f"{path}: cannot be opened for writing: {error}; is the disk full or the owner another?", error
        ) from error
    return db


def _reject_newer_schema(db: Database, path: Path) -> None:
    applied = {row.name for row in migrations.applied(db)}
    ours = {migration.name for migration in migrations._migrations}  # noqa: SLF001 - no public list of all
    if applied - ours:
        raise StoreError(f"{path}: written by a newer version ({', '.join(sorted(applied - ours))}); upgrade this one")


def _migrate(db: Database, path: Path) -> None:
    _reject_newer_schema(db, path)
    if migrations.pending(db):
        with transaction(db):
            migrations.apply(db)


def open_read_only(path: Path) -> Database:
    """Open the database read-only; if the file does not exist, an empty one. Raise StoreError if this fails.

    A file of an older version is migrated first.
    """
    try:
        if not path.exists():
            empty = Database(memory=True, execute_plugins=False)
            migrations.apply(empty)
            return empty
        try:
            db = _connect_read_only(path, "mode=ro")
        except sqlite3.OperationalError:
            if not _wal_is_empty(path):
                raise
            db = _connect_read_only(path, "mode=ro&immutable=1")
        if migrations.pending(db):
            db.close()
            open_read_write(path).close()
            db = _connect_read_only(path, "mode=ro")
    except (sqlite3.Error, OSError) as error:
        raise store_error(f"{path}: cannot be read: {error}", error) from error
    return db


def _connect_read_only(path: Path, uri_options: str) -> Database:
    db = Database(_connect(f"{path.resolve().as_uri()}?{uri_options}"), execute_plugins=False)
    try:
        db.execute("PRAGMA query_only = ON")
        _reject_newer_schema(db, path)
        db.execute("SELECT number FROM journal LIMIT 1")
    except BaseException:
        db.close()
        raise
    return db


def _wal_is_empty(path: Path) -> bool:
    """Return whether the write-ahead log is empty: no process writes, and the file itself is complete.

    Such a file can be read even if no file can be created beside it.
    """
    log = path.with_name(f"{path.name}-wal")
    return not log.exists() or not log.stat().st_size


def store_error(message: str, error: Exception) -> StoreError:
    """Return the error to raise for a database error; it distinguishes a damaged file from an unavailable one."""
    passing = isinstance(error, sqlite3.OperationalError) and "no such" not in str(error)
    damaged = isinstance(error, sqlite3.DatabaseError) and not passing
    return CorruptDatabaseError(message) if damaged else StoreError(message)


_MALFORMED_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_malformed(error: BaseException) -> bool:
    """Whether an error says that the file itself is damaged: a bad page, or no database at all."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return isinstance(cause, sqlite3.DatabaseError) and code in _MALFORMED_CODES


def is_unusable(error: StoreError) -> bool:
    """Whether no start will ever succeed with the file: it is malformed, or has lost a table."""
    lost_table = isinstance(error.__cause__, sqlite3.OperationalError) and "no such table" in str(error.__cause__)
    return is_malformed(error) or lost_table


def move_aside(path: Path, stamp: str) -> Path:
    """Rename a damaged database with what belongs to it; returns its new name. Raises OSError."""
    damaged = path.with_name(f"{path.stem}-damaged-{stamp}{path.suffix}")
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(f"{path.name}{suffix}")
        if beside.exists():
            beside.replace(damaged.with_name(f"{damaged.name}{suffix}"))
    path.replace(damaged)
    return damaged


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise StoreError for a database error inside."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(f"{path}: {error}", error) from error


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """Run a transaction with the write lock from the start; within another transaction, become part of it."""
    if db.conn.in_transaction:
        yield
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.conn.commit()
    except BaseException:
        db.conn.rollback()  # also after a failed commit: the next work must not become part of this transaction
        raise


@contextmanager
def snapshot(db: Database) -> Iterator[None]:
    """Let all reads inside see one state of the database, whatever is written meanwhile."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.conn.rollback()
