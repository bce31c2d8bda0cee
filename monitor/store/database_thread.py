"""Database work outside the event loop: one writer and one reader, each a thread with its own connection.

This is separate from ``database``, so that the command line opens the database without loading asyncio.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from monitor.store.database import is_malformed, open_read_only, open_read_write, snapshot, store_error, transaction
from monitor.store.file_guard import LostDatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlite_utils import Database

    from monitor.store.file_guard import FileGuard

T = TypeVar("T")

INTERRUPT_INTERVAL = 0.01
"""Seconds between interrupts of a reader that is being closed."""


class DatabaseThread(Protocol):
    """A thread or process that does database work outside the event loop."""

    async def run(self, work: Callable[[Database], T]) -> T:
        """Do the work with this thread's connection, and return its result."""

    async def close(self) -> None:
        """Finish the submitted work, then close the connection."""


class WriterThread:
    """The only thread of this process that writes; each piece of work is one transaction."""

    def __init__(self, path: Path) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._db = open_read_write(path)
        self.guard: FileGuard | None = None
        """Where it is set, nothing is written into a file that is not the one under its name any more."""

    async def run(self, work: Callable[[Database], T]) -> T:
        """Do the work in one transaction. Raise StoreError for a database error; then nothing was written."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run_transaction, work)

    def _run_transaction(self, work: Callable[[Database], T]) -> T:
        if self.guard is not None and (loss := self.guard.check()) is not None:
            raise LostDatabaseError(loss)
        try:
            with transaction(self._db):
                return work(self._db)
        except sqlite3.Error as error:
            if self.guard is not None and is_malformed(error):
                self.guard.declare_damaged(str(error))
                raise LostDatabaseError(f"cannot write: {error}") from error
            raise store_error(f"cannot write: {error}", error) from error

    async def close(self) -> None:
        """Finish the submitted work, then close the connection, which empties the write-ahead log."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._db.close)
        self._pool.shutdown()


class ReaderThread:
    """A thread that reads, so that long queries delay neither the event loop nor the writer."""

    def __init__(self, path: Path) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._db = open_read_only(path)

    async def run(self, work: Callable[[Database], T]) -> T:
        """Do the work on one state of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, run_read, self._db, work)

    async def close(self) -> None:
        """Interrupt the submitted work at its next statement that takes time, then close the connection."""
        closing = asyncio.get_running_loop().run_in_executor(self._pool, self._db.close)
        while not (await asyncio.wait([closing], timeout=INTERRUPT_INTERVAL))[0]:
            with suppress(sqlite3.ProgrammingError):  # already closed
                self._db.conn.interrupt()  # has no effect between two statements, so repeat it
        await closing
        self._pool.shutdown()


def run_read(db: Database, work: Callable[[Database], T]) -> T:
    """Do the work on one state of the database. Raise StoreError for a database error."""
    try:
        with snapshot(db):
            return work(db)
    except sqlite3.Error as error:
        raise store_error(f"cannot read: {error}", error) from error
