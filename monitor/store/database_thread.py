"""The database away from the event loop: one writer and one reader, each a thread with its own connection.

Apart from ``database``, so that the command line opens the database without loading asyncio.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from monitor.store.database import open_read_only, open_read_write, snapshot, store_error, transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlite_utils import Database

T = TypeVar("T")


INTERRUPT_INTERVAL = 0.01
"""Seconds after which a reader that is to end is told so again."""


class DatabaseThread(Protocol):
    """Somewhere to do database work away from the event loop."""

    async def run(self, work: Callable[[Database], T]) -> T:
        """Do the work with the connection of this thread, and give what it returns."""

    async def close(self) -> None:
        """Finish what was asked for, then close the connection."""


class WriterThread:
    """The one thread of this process that writes; each piece of work is one transaction."""

    def __init__(self, path: Path) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._db = open_read_write(path)

    async def run(self, work: Callable[[Database], T]) -> T:
        """Do the work in one transaction; StoreError where the database refuses, and then nothing of it happened."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run_transaction, work)

    def _run_transaction(self, work: Callable[[Database], T]) -> T:
        try:
            with transaction(self._db):
                return work(self._db)
        except sqlite3.Error as error:
            raise store_error(f"cannot write: {error}", error) from error

    async def close(self) -> None:
        """Finish what was asked for, fold the write-ahead log back, close."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._db.close)
        self._pool.shutdown()


class ReaderThread:
    """One thread that reads, so that long questions hold up neither the loop nor the writer."""

    def __init__(self, path: Path) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._db = open_read_only(path)

    async def run(self, work: Callable[[Database], T]) -> T:
        """Do the work on one state of the books."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, run_read, self._db, work)

    async def close(self) -> None:
        """Break off what was asked for, at the next statement of its that takes any time, then close."""
        closing = asyncio.get_running_loop().run_in_executor(self._pool, self._db.close)
        while not (await asyncio.wait([closing], timeout=INTERRUPT_INTERVAL))[0]:
            with suppress(sqlite3.ProgrammingError):  # it is closed by now
                self._db.conn.interrupt()  # between two statements nobody hears it
        await closing
        self._pool.shutdown()


def run_read(db: Database, work: Callable[[Database], T]) -> T:
    """Do some work on one state of the books; StoreError where the database refuses."""
    try:
        with snapshot(db):
            return work(db)
    except sqlite3.Error as error:
        raise store_error(f"cannot read: {error}", error) from error
