"""``python -m bench storage``: the size of a stored result, the cost of packing it, and the time to read a month.

Sweeps are recorded as rows and then packed by hours, as in the daemon. Times vary by some milliseconds; latencies are
log-normal with a median of each check between 0.3 and 30 ms, to the microsecond; one result in a hundred fails, with a
reason and three attempts. The size is the growth of the whole file, checkpointed, from the second hour on: the first
hour allocates the space for rows. For a whole month of fewer checks it is the size of the packed hours with their
index. The journal and the batches depend on the number of sweeps and have their own row. Runs and outages depend on the
number of outages and are not generated here.
"""

from __future__ import annotations

import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from bench.report import Row
from monitor.ledger.results.recording import close_batch
from monitor.model import CheckKey, Outcome, Result
from monitor.store import database, results
from monitor.store.archive import compaction, hours
from monitor.store.archive.codec import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

START = 1_790_935_200_000 // HOUR_MS * HOUR_MS
MINUTE = 60_000
PACK_STEP = 50_000
"""Results packed in one step, as in the daemon."""
REASONS = ("timeout", "status 500", "connection refused")
READ_REPEATS = 7
MONTH_CHECKS = 10
"""Checks with a whole month; the size of an hour of a check does not depend on their number."""
CONFIG = '[[server]]\nid = "s0"\naddress = "127.0.0.1"\nlevel = 2\n'


class ResultGenerator:
    """Generates results; each check has a phase in the minute and a median latency."""

    def __init__(self, checks: int) -> None:
        self._random = random.Random(7)  # noqa: S311 - the same in every run
        self.keys = [CheckKey(f"s{number}", "ping") for number in range(checks)]
        self._phases = sorted(self._random.randrange(MINUTE - 100) for _ in self.keys)
        self._medians = [math.log(300 * 100 ** self._random.random()) for _ in self.keys]

    def sweep_results(self, number: int) -> Iterator[Result]:
        """Return the results of a minute."""
        began, chance = START + number * MINUTE, self._random
        for key, phase, middle in zip(self.keys, self._phases, self._medians, strict=True):
            at = began + phase + min(99, int(chance.expovariate(1 / 3)))
            if chance.random() < 0.01:  # noqa: PLR2004 - one in a hundred
                yield Result(key, at, Outcome.FAIL, 3, None, chance.choice(REASONS))
            else:
                yield Result(key, at, Outcome.OK, 1, int(chance.lognormvariate(middle, 0.4)), "")


def record_sweeps(db: Database, generator: ResultGenerator, sweeps: range) -> None:
    """Record sweeps, each with its digest in the journal."""
    numbers = [results.ensure_check_id(db, key) for key in generator.keys]
    for sweep in sweeps:
        found = list(generator.sweep_results(sweep))
        with database.transaction(db):
            batch = results.begin_batch(db, "probe", START + sweep * MINUTE)
            results.add(db, batch, zip(numbers, found, strict=True))
            close_batch(db, batch, "probe", (found[0].at, found[-1].at), START + (sweep + 1) * MINUTE)


def pack_hours(db: Database, until: int) -> list[float]:
    """Pack every hour as the daemon does; return the duration of each write in seconds."""
    steps = []

    def write(work: object) -> bool:
        began = time.perf_counter()
        with database.transaction(db):
            done = bool(work())  # type: ignore[operator]
        steps.append(time.perf_counter() - began)
        return done

    while (began := compaction.next_hour_due(db, until)) is not None:
        write(lambda: compaction.discard_unfinished(db))
        for first, last in compaction.check_ranges(db, began, PACK_STEP):
            made = compaction.pack_rows(db, began, first, last)
            write(lambda made=made: hours.write_hours(db, made))
        write(lambda began=began: compaction.commit_hour(db, began))
        while write(lambda: compaction.delete_packed_rows(db, 20_000)):
            pass
    return steps


def table_sizes(db: Database) -> dict[str, int]:
    """Return the bytes of each table and index, and of the free pages."""
    found = dict(db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall())
    page, free = (db.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_size", "freelist_count"))
    return {**found, "free pages": page * free}


def measure_storage(folder: Path, checks: int, many: int) -> list[Row]:
    """Record and pack hours, and measure the file."""
    path = folder / "rest.db"
    db = database.open_read_write(path)
    generator, cpu, steps, files = ResultGenerator(checks), 0.0, [], []
    for hour in range(many):
        record_sweeps(db, generator, range(60 * hour, 60 * hour + 60))
        began = time.process_time()
        steps += pack_hours(db, START + (hour + 1) * HOUR_MS)
        cpu += time.process_time() - began
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        files.append((path.stat().st_size, _sweep_bytes(table_sizes(db))))
    count, found = 60 * checks * many, table_sizes(db)
    db.close()
    grown = files[-1][0] - files[0][0] - (files[-1][1] - files[0][1])
    load = f"{checks} checks, {many} hours"
    free = found["free pages"]
    return [
        Row(
            f"a result at rest, {load}: what the file grows by",
            grown * many / (many - 1) / count,
            "bytes",
            at_most=4,
            more=found,
        ),
        Row(f"its packed hour alone, {load}", found["packed"] / count, "bytes"),
        Row(f"room for the rows of an hour, {load}", (found["result"] + free) / (60 * checks), "bytes/result"),
        Row(f"journal and batches, {load}", _sweep_bytes(found) / (60 * many), "bytes/sweep"),
        Row(f"packing, {load}", 1e6 * cpu / count, "us/result", note=f"longest write {1000 * max(steps):.0f} ms"),
    ]


def _sweep_bytes(found: dict[str, int]) -> int:
    return sum(found.get(name, 0) for name in ("journal", "journal_kind", "batch", "batch_open"))


def measure_month(folder: Path) -> list[Row]:
    """Record and pack a month of some checks, and read that of one of them."""
    db = database.open_read_write(folder / database.DATABASE_FILE)
    generator, count = ResultGenerator(MONTH_CHECKS), 720 * 60
    for hour in range(720):
        with database.transaction(db):
            record_sweeps(db, generator, range(60 * hour, 60 * hour + 60))
        pack_hours(db, START + (hour + 1) * HOUR_MS)
    at_rest = sum(size for name, size in table_sizes(db).items() if name.startswith("packed"))
    key, costs, walls, again = generator.keys[0], [], [], []
    for _ in range(READ_REPEATS):
        began, spent = time.perf_counter(), time.process_time()
        found = len(list(results.rows_of_check(db, key, START, START + 720 * HOUR_MS)))
        costs.append(time.process_time() - spent)
        walls.append(time.perf_counter() - began)
        spent = time.process_time()
        assert found == len(list(results.read(db, key, START, START + 720 * HOUR_MS))) == count
        again.append(time.process_time() - spent)
    db.close()
    shown = [command_line(folder, count) for _ in range(3)]
    what = "a month of one server, 43,200 results"
    note = f"processor time; {1000 * min(walls):.0f} ms by the clock at best"
    return [
        Row(
            f"a result at rest, {MONTH_CHECKS} checks, a month",
            at_rest / (MONTH_CHECKS * count),
            "bytes",
            at_most=4,
            note="its packed hour with the index; journal and batches are told by the sweep",
        ),
        Row(f"{what}: to tuples", 1000 * median(costs), "ms", at_most=50, note=note),
        Row(f"{what}: to results", 1000 * median(again), "ms", note="processor time"),
        Row(f"{what}: monitor results, CSV", 1000 * median(shown), "ms", note="the start of the program included"),
    ]


def command_line(folder: Path, count: int) -> float:
    """Print the month as CSV by the command line; return the elapsed seconds."""
    config = folder / "config.toml"
    config.write_text(f'[monitor]\ndata_dir = "{folder}"\n{CONFIG}')
    words = ["results", "s0", "--start", "2026-10-01T00:00Z", "--end", "2026-12-01T00:00Z"]
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "monitor", "--config", str(config), *words], check=True, capture_output=True
    )
    took = time.perf_counter() - began
    assert done.stdout.count(b"\n") == count + 1
    return took


@click.command()
@click.option("--checks", default=1_000, show_default=True, type=click.IntRange(1, 50_000))
@click.option("--hours", "many", default=5, show_default=True, type=click.IntRange(2))
def main(checks: int, many: int) -> list[Row]:
    """Measure the size of stored results, the cost of packing them, and the time to read them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [*measure_storage(folder, checks, many), *measure_month(folder)]
