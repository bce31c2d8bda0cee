"""Hours that are over are packed in the background; nothing that happens meanwhile loses a result."""

from __future__ import annotations

from shutil import copyfile
from typing import TYPE_CHECKING

import pytest

from monitor.engine.jobs.compaction import ROWS_PER_DELETE, Compactor
from monitor.errors import StoreError
from monitor.ledger.verify import verify
from monitor.model import CheckKey
from monitor.store import results
from monitor.store.archive import compaction, hours
from tests.fakes import (
    HOUR,
    MINUTE,
    OK,
    START,
    CrashError,
    FakeClock,
    InlineReader,
    InlineWriter,
    make_context,
    make_result,
    make_server,
    make_subscription,
    open_crashing,
    open_read_only,
    open_read_write,
)
from tests.ledger.ledger_fixture import LedgerFixture

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

    from monitor.model import Result

CONTEXT = make_context([make_server("web-01", "site"), make_server("db-01")], [make_subscription("acme", "web-01")])
WEB = CheckKey("web-01", "ping")


def lived(db: Database, minutes: int = 150) -> LedgerFixture:
    """Books of some hours, with outages and gaps in them."""
    desk = LedgerFixture(CONTEXT, db)
    desk.apply_terms()
    for minute in range(0, minutes, 3):
        desk.record_sweep(minute, web_01="oxoo?"[minute % 5], web_01__site="o", db_01="oo.x"[minute % 4])
    return desk


def stored(db: Database) -> list[tuple[Result, int]]:
    return list(results.read_with_batches(db))


def rows(db: Database) -> int:
    found: int = db.execute("SELECT count(*) FROM result").fetchone()[0]
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "monitor.db"


def pack(db: Database, reading: Database, now: int) -> None:
    FakeClock().run(Compactor(InlineReader(reading), InlineWriter(db), lambda: now).compact())


def test_every_hour_that_is_over_is_packed_and_the_running_one_is_not(file: Path) -> None:
    desk = lived(open_read_write(file))
    before = stored(desk.db)
    pack(desk.db, open_read_only(file), START + 150 * MINUTE)
    assert hours.packed_until(desk.db) == START + 2 * HOUR
    assert rows(desk.db) == sum(result.at >= START + 2 * HOUR for result, _ in before)
    assert stored(desk.db) == before
    verdict = verify(desk.db)
    assert (verdict.error, verdict.results) == (None, len(before))


def test_an_hour_that_is_just_over_has_time_for_its_last_results(file: Path) -> None:
    desk = lived(open_read_write(file))
    pack(desk.db, open_read_only(file), START + HOUR + compaction.GRACE_PERIOD_MS - 1)
    assert hours.packed_until(desk.db) == 0
    pack(desk.db, open_read_only(file), START + HOUR + compaction.GRACE_PERIOD_MS)
    assert hours.packed_until(desk.db) == START + HOUR


def test_probing_goes_on_in_packed_books(file: Path) -> None:
    """What recording remembers, the digests of sweeps and the outages do not hang on where results are."""
    desk = lived(open_read_write(file), 60)
    pack(desk.db, open_read_only(file), START + 2 * HOUR)
    assert rows(desk.db) == 0
    assert results.newest_result_at(desk.db) == START + 57 * MINUTE
    desk.restart(START + 61 * MINUTE)
    for minute in range(61, 90):
        desk.record_sweep(minute, web_01="x", web_01__site="o", db_01="o")
    assert verify(desk.db).error is None


def test_a_sweep_whose_results_were_long_in_coming_is_digested_where_they_are(file: Path) -> None:
    """The database refused for hours; meanwhile, that is before the rest of the sweep came, its hour was packed."""
    desk = lived(open_read_write(file), 60)
    desk.record(900, [make_result(WEB, START + 59 * MINUTE, OK)], START + HOUR)
    desk.end_sweep(900, START + HOUR)
    pack(desk.db, open_read_only(file), START + 2 * HOUR)
    assert hours.packed_until(desk.db) == START + HOUR
    desk.record(901, [make_result(CheckKey("web-01", "site"), START + 59 * MINUTE, OK)], START + 2 * HOUR)
    desk.end_sweep(901, START + 2 * HOUR)
    assert rows(desk.db) == 0
    assert verify(desk.db).error is None


class MeddlingReader(InlineReader):
    """A reader beside which, after its second piece of work, somebody else writes."""

    def __init__(self, db: Database, desk: LedgerFixture) -> None:
        super().__init__(db)
        self.desk = desk
        self.asked = 0

    async def run(self, work):  # type: ignore[no-untyped-def]
        done = await super().run(work)
        self.asked += 1
        if self.asked == 3:
            self.desk.record(950, [make_result(WEB, START + 59 * MINUTE, OK)], START + HOUR)
            self.desk.end_sweep(950, START + HOUR)
        return done


def test_a_result_that_comes_while_its_hour_is_being_packed_is_not_lost(file: Path) -> None:
    desk = lived(open_read_write(file), 58)
    reader = MeddlingReader(open_read_only(file), desk)
    packer = Compactor(reader, InlineWriter(desk.db), lambda: START + 2 * HOUR)
    FakeClock().run(packer.compact())
    assert hours.packed_until(desk.db) == 0, "the hour lacks a result"
    before = stored(desk.db)
    assert before[-1][0].at == START + 59 * MINUTE
    FakeClock().run(packer.compact())
    assert hours.packed_until(desk.db) == START + HOUR
    assert stored(desk.db) == before
    assert verify(desk.db).error is None


def test_a_crash_at_any_write_loses_nothing_and_packing_goes_on_afterwards(tmp_path: Path, file: Path) -> None:
    """The same books are packed again and again, and the first write fails, then the second, ... until none is left."""
    books = open_read_write(file)
    before = stored(lived(books, 130).db)
    books.close()
    crash_at = 0
    while True:
        crash_at += 1
        torn = tmp_path / f"torn-{crash_at}.db"
        copyfile(file, torn)
        db, connection = open_crashing(torn)
        connection.arm(crash_at)
        try:
            pack(db, open_read_only(torn), START + 150 * MINUTE)
        except CrashError:
            connection.arm(0)
            assert stored(db) == before
            assert verify(db).error is None
            pack(db, open_read_only(torn), START + 150 * MINUTE)
        else:
            break
        finally:
            connection.arm(0)
            assert stored(db) == before
            assert hours.packed_until(db) == START + 2 * HOUR
            assert rows(db) == sum(result.at >= START + 2 * HOUR for result, _ in before)
            db.close()
    assert crash_at > 15


class MeasuringWriter(InlineWriter):
    """A writer that notes how many rows each piece of its work wrote or deleted."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.db = db
        self.changes: list[int] = []

    async def run(self, work):  # type: ignore[no-untyped-def]
        before = self.db.conn.total_changes
        done = await super().run(work)
        self.changes.append(self.db.conn.total_changes - before)
        return done


def test_no_transaction_of_packing_is_longer_for_an_hour_of_more_results(file: Path) -> None:
    """Results, which wait for the writer, come in between."""
    many = 5 * ROWS_PER_DELETE // 2
    desk = LedgerFixture(CONTEXT, open_read_write(file))
    desk.apply_terms()
    desk.record(1, [make_result(WEB, START + number * HOUR // many, OK) for number in range(many)], START + HOUR)
    desk.end_sweep(1, START + HOUR)
    writer = MeasuringWriter(desk.db)
    FakeClock().run(Compactor(InlineReader(open_read_only(file)), writer, lambda: START + 2 * HOUR).compact())
    assert rows(desk.db) == 0
    assert sum(writer.changes) > many
    assert max(writer.changes) == ROWS_PER_DELETE


def test_a_database_that_refuses_is_asked_again_later(file: Path) -> None:
    desk = lived(open_read_write(file), 60)
    writer = InlineWriter(desk.db)
    packer = Compactor(InlineReader(open_read_only(file)), writer, lambda: START + 2 * HOUR)
    before = stored(desk.db)
    for refusals in range(1, 4):
        writer.failures_left = refusals
        with pytest.raises(StoreError):
            FakeClock().run(packer.compact())
        assert stored(desk.db) == before
    writer.failures_left = 0
    FakeClock().run(packer.compact())
    assert rows(desk.db) == 0
    assert stored(desk.db) == before
