"""A daemon that is killed (``kill -9``) while it packs an hour loses nothing, and packs it the next time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from shutil import copyfile

import pytest

from monitor.engine.jobs.compaction import Compactor
from monitor.ledger.verify import verify
from monitor.store import database, database_thread, results
from monitor.store.archive import hours
from tests.fakes import HOUR, MINUTE, START, make_context, make_server, make_subscription
from tests.ledger.ledger_fixture import LedgerFixture

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
CONTEXT = make_context([make_server("web-01"), make_server("db-01")], [make_subscription("acme", "web-01")])
EVERY = 4
"""Each so many statements it is tried once."""


class Killed:
    """Ends this process, without a word, when the database is asked something for the ``last`` time."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __call__(self, _: str) -> None:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


async def pack(file: Path, last: int = 0) -> None:
    writer, reader = database_thread.WriterThread(file), database_thread.ReaderThread(file)
    killed = Killed(last)
    await writer.run(lambda db: db.conn.set_trace_callback(killed))
    await Compactor(reader, writer, lambda: START + 3 * HOUR, rest_factor=0).compact()
    await reader.close()
    await writer.close()


def pack_apart(file: Path, last: int) -> int:
    program = "import asyncio, sys; from pathlib import Path; from tests.integration.test_kill_compaction import pack; "
    program += "asyncio.run(pack(Path(sys.argv[1]), int(sys.argv[2])))"
    command = [sys.executable, "-c", program, str(file), str(last)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False).returncode


def test_an_hour_that_was_half_packed_is_whole_and_packed_the_next_time(tmp_path: Path) -> None:
    books = tmp_path / "books.db"
    desk = LedgerFixture(CONTEXT, database.open_read_write(books))
    desk.apply_terms()
    for minute in range(0, 130, 2):
        desk.record_sweep(minute, web_01="oxo"[minute % 3], db_01="o")
    before = list(results.read_with_batches(desk.db))
    desk.db.close()
    kills = 0
    for last in range(1, 10_000, EVERY):
        file = tmp_path / f"killed-{last}.db"
        copyfile(books, file)
        if pack_apart(file, last) != -signal.SIGKILL:
            break
        kills += 1
        db = database.open_read_write(file)
        assert list(results.read_with_batches(db)) == before
        assert verify(db).error is None
        db.close()
        asyncio.run(pack(file))
        db = database.open_read_only(file)
        assert hours.packed_until(db) == START + 2 * HOUR
        assert list(results.read_with_batches(db)) == before

        assert verify(db).error is None
        db.close()
    assert kills > 3
    assert before[-1][0].at >= START + 128 * MINUTE
