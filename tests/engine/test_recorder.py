"""From results to the books: gathered, in order, and neither lost nor doubled while the database refuses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.live.telemetry import Telemetry
from monitor.engine.recorded_time import RecordedTime
from monitor.engine.recorder import COMMIT_INTERVAL, RETRY_INTERVAL, Recorder
from monitor.engine.unsaved_results import UnsavedResults
from monitor.errors import StoreError
from monitor.ledger import maintenance
from monitor.ledger.results.recording import Recording
from monitor.ledger.verify import verify
from monitor.model import CheckKey, Outcome
from monitor.store import database, history, journal, outbox, results
from monitor.store.file_guard import LostDatabaseError
from tests.fakes import (
    FAIL,
    HOUR,
    MINUTE,
    OK,
    START,
    FakeClock,
    InlineWriter,
    make_context,
    make_result,
    make_server,
    make_subscription,
    open_read_write,
    results_from,
    stored_rows,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sqlite_utils import Database

    from monitor.ledger.results.recording import RecordedResults
    from monitor.model import Millis, Result
    from monitor.store.outbox import OutboxSummary

T = TypeVar("T")
PING, OTHER = CheckKey("web-01", "ping"), CheckKey("web-02", "ping")
CONTEXT = make_context(
    [make_server("web-01"), make_server("web-02")],
    [make_subscription("acme", "web-01"), make_subscription("acme", "web-02")],
)


class NotingAudience:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[RecordedResults] = []
        self.closed: list[tuple[int, int, tuple[int, Millis | None]]] = []
        self.states: list[str | None] = []

    def on_recorded(self, recorded: RecordedResults) -> None:
        self.heard.append(recorded)

    def on_sweep_closed(self, sweep: int, entries: int, mails: OutboxSummary) -> None:
        self.closed.append((sweep, entries, mails[:2]))

    def on_store_state(self, error: str | None) -> None:
        self.states.append(error)

    @property
    def results(self) -> list[Result]:
        return [result for each in self.heard for result in each.results]


class Scene:
    """A recorder on a real file, in virtual time."""

    def __init__(self, folder: Path, spool: int = 10_000) -> None:
        self.file = folder / "monitor.db"
        self.clock = FakeClock()
        self.db = open_read_write(self.file)
        self.writer = InlineWriter(self.db)
        self.audience = NotingAudience()
        self.telemetry = Telemetry()
        self.recording = Recording(CONTEXT)
        self._spool = spool
        self.recorder: Recorder

    def run(self, act: Callable[[Scene], Awaitable[None]]) -> Scene:
        """Let the recorder work while ``act`` plays."""

        async def story() -> None:
            self.recorder = Recorder(
                self.writer,
                self.recording,
                self.clock,
                RecordedTime(self.clock, None),
                self.telemetry,
                self.audience,
                max_queued=self._spool,
            )
            task = asyncio.create_task(self.recorder.run())
            await act(self)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.clock.run(story())
        return self

    def stored(self, key: CheckKey = PING) -> list[tuple[Millis, Outcome]]:
        return [(each.at, each.outcome) for each in results.read(self.db, key, 0, 1 << 60)]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_result_is_in_the_books_a_tick_after_it_was_submitted(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, OK))
        await asyncio.sleep(COMMIT_INTERVAL / 2)
        assert scene.stored() == []
        await asyncio.sleep(COMMIT_INTERVAL)
        assert scene.stored() == [(START, OK)]

    scene.run(act)


def test_results_of_one_tick_go_into_one_transaction(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        for place in range(500):
            scene.recorder.submit(1, make_result(PING, START + place, OK))
        await scene.recorder.drain()

    scene.run(act)
    assert scene.writer.calls == 1
    assert len(scene.stored()) == 500
    assert len(scene.audience.heard) == 1


def test_two_sweeps_in_one_tick_are_two_transactions_and_two_batches(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, OK))
        scene.recorder.end_sweep(1)
        scene.recorder.submit(2, make_result(PING, START + MINUTE, OK))
        scene.recorder.end_sweep(2)
        await scene.recorder.drain()

    scene.run(act)
    assert [sweep for sweep, _, _ in scene.audience.closed] == [1, 2]
    assert len(list(journal.entries(scene.db, "results"))) == 2
    assert verify(scene.db).error is None


def test_a_sweep_is_closed_after_all_that_was_submitted_before_its_end(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        for place in range(5):
            scene.recorder.submit(1, make_result(PING, START + place, OK))
            await asyncio.sleep(COMMIT_INTERVAL * 0.7)
        scene.recorder.end_sweep(1)
        await scene.recorder.drain()

    scene.run(act)
    [entry] = journal.entries(scene.db, "results")
    assert entry.body["count"] == 5


def test_the_audience_hears_how_long_the_journal_is_and_what_mail_waits(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, FAIL))
        scene.recorder.end_sweep(1)
        await scene.recorder.drain()

    scene.run(act)
    [(_, entries, (waiting, since))] = scene.audience.closed
    assert entries == journal.length(scene.db) == 3  # the outage, the sweep's results, the mail
    assert waiting == 1
    assert since is not None


def test_opened_and_ended_outages_are_heard_after_they_are_written(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        for place, letter in enumerate((OK, FAIL, FAIL, OK)):
            scene.recorder.submit(place, make_result(PING, START + place * MINUTE, letter))
            await scene.recorder.drain()

    scene.run(act)
    assert [len(each.opened_outages) for each in scene.audience.heard] == [0, 1, 0, 0]
    assert [len(each.ended_outages) for each in scene.audience.heard] == [0, 0, 0, 1]


def test_an_outage_that_began_and_ended_in_one_transaction_is_reported_as_ended_only(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        for result in results_from(PING, "oxxo"):
            scene.recorder.submit(1, result)
        await scene.recorder.drain()

    scene.run(act)
    [heard] = scene.audience.heard
    assert heard.opened_outages == ()
    assert heard.ended_outages == (1,)


# --- a database that refuses -----------------------------------------------------------------------------------------


@pytest.mark.logs_errors
def test_while_the_database_refuses_results_wait_and_then_are_written_in_order(scene: Scene) -> None:
    scene.writer.failures_left = 5

    async def act(scene: Scene) -> None:
        for result in results_from(PING, "ooxxo"):
            scene.recorder.submit(result.at // MINUTE, result)
            scene.recorder.end_sweep(result.at // MINUTE)
            await asyncio.sleep(1)
        await scene.recorder.drain()

    scene.run(act)
    assert [outcome for _, outcome in scene.stored()] == [OK, OK, FAIL, FAIL, OK]
    assert scene.audience.results == results_from(PING, "ooxxo")
    assert verify(scene.db).error is None


@pytest.mark.logs_errors
def test_what_was_refused_and_written_later_is_what_would_have_been_written_at_once(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        for result in [*results_from(PING, "oxxoxo")]:
            scene.recorder.submit(result.at // MINUTE, result)
            scene.recorder.end_sweep(result.at // MINUTE)
        scene.clock.advance(100.0 - scene.clock.monotonic() % 100.0)
        await scene.recorder.drain()

    def outcome(folder: str, refusals: int) -> dict[str, object]:
        (tmp_path / folder).mkdir()
        scene = Scene(tmp_path / folder)
        scene.writer.failures_left = refusals
        kept = stored_rows(scene.run(act).db)
        # when it was written differs, and is in the journal's chain
        return {name: kept[name] for name in ("result", "run", "outage", "probed", "told")}

    calm = outcome("calm", 0)
    assert outcome("rough", 7) == calm


@pytest.mark.logs_errors
def test_the_audience_hears_that_the_database_refuses_and_that_it_does_again(scene: Scene) -> None:
    scene.writer.failures_left = 2

    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, OK))
        await scene.recorder.drain()

    scene.run(act)
    assert [state is None for state in scene.audience.states] == [False, False, True]
    assert scene.telemetry.database_errors == 2
    assert sum(scene.telemetry.writes.counts) == 1


@pytest.mark.logs_errors
def test_nothing_is_heard_of_results_that_were_refused(scene: Scene) -> None:
    scene.writer.is_full = lambda: True

    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, FAIL))
        await asyncio.sleep(60)

    scene.run(act)
    assert scene.audience.heard == []
    assert scene.stored() == []


@pytest.mark.logs_errors
def test_the_database_is_asked_again_after_a_pause_not_in_a_loop(scene: Scene) -> None:
    scene.writer.is_full = lambda: True

    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, FAIL))
        await asyncio.sleep(60)

    scene.run(act)
    assert scene.writer.calls <= 60 / RETRY_INTERVAL + 1


@pytest.mark.logs_errors
def test_a_sweep_whose_end_was_refused_still_gets_its_digest(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, OK))
        await scene.recorder.drain()
        scene.writer.failures_left = 1
        scene.recorder.end_sweep(1)
        await scene.recorder.drain()

    scene.run(act)
    assert results.open_batches(scene.db) == []
    [entry] = journal.entries(scene.db, "results")
    assert entry.body["count"] == 1


@pytest.mark.logs_errors
def test_a_database_that_refuses_is_progress_one_that_never_answers_is_none(scene: Scene) -> None:
    """A full disk is no hang: ending the process for it would lose what waits in memory."""
    scene.writer.is_full = lambda: True

    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, OK))
        for _ in range(600):
            await asyncio.sleep(1)
            assert scene.recorder.is_making_progress

    scene.run(act)


class HangingThread(InlineWriter):
    """A writer that never comes back."""

    async def run(self, work: object) -> object:  # type: ignore[override]
        await asyncio.sleep(1e9)
        return work


def test_a_writer_that_hangs_is_no_progress(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.writer = HangingThread(scene.db)

    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, OK))
        await asyncio.sleep(10 * RETRY_INTERVAL + 1)
        assert not scene.recorder.is_making_progress

    scene.run(act)


def test_an_hour_with_nothing_to_write_counts_as_progress_also_when_a_result_comes(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, OK))
        await asyncio.sleep(3600)
        assert scene.recorder.is_making_progress
        scene.recorder.submit(1, make_result(PING, START + HOUR, OK))
        assert scene.recorder.is_making_progress

    scene.run(act)


@pytest.mark.logs_errors
def test_when_too_much_waits_the_oldest_results_are_dropped_and_only_they(tmp_path: Path) -> None:
    scene = Scene(tmp_path, spool=10)
    scene.writer.is_full = lambda: True

    async def act(scene: Scene) -> None:
        for place in range(25):
            scene.recorder.submit(place // 5, make_result(PING, START + place, OK))
        await asyncio.sleep(10)
        scene.writer.is_full = lambda: False
        await scene.recorder.drain()

    scene.run(act)
    assert [when for when, _ in scene.stored()] == [START + place for place in range(15, 25)]


@pytest.mark.logs_errors
def test_dropping_while_a_transaction_is_tried_again_and_again_loses_nothing_newer(tmp_path: Path) -> None:
    scene = Scene(tmp_path, spool=10)
    scene.writer.is_full = lambda: True

    async def act(scene: Scene) -> None:
        for place in range(5):
            scene.recorder.submit(1, make_result(PING, START + place, OK))
        await asyncio.sleep(5)  # these five are being tried
        for place in range(5, 13):
            scene.recorder.submit(2, make_result(PING, START + place, OK))
        scene.writer.is_full = lambda: False
        await scene.recorder.drain()

    scene.run(act)
    assert [when for when, _ in scene.stored()] == [START + place for place in range(13)]


@pytest.mark.logs_errors
def test_the_end_of_a_sweep_is_never_dropped(tmp_path: Path) -> None:
    scene = Scene(tmp_path, spool=3)

    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, FAIL))
        await scene.recorder.drain()
        scene.writer.is_full = lambda: True
        scene.recorder.end_sweep(1)
        for place in range(1, 10):
            scene.recorder.submit(2, make_result(PING, START + place, FAIL))
        scene.recorder.end_sweep(2)
        await asyncio.sleep(10)
        scene.writer.is_full = lambda: False
        await scene.recorder.drain()

    scene.run(act)
    assert [sweep for sweep, _, _ in scene.audience.closed] == [1, 2]
    assert results.open_batches(scene.db) == []
    assert verify(scene.db).error is None


# --- what others write -----------------------------------------------------------------------------------------------


def test_what_another_process_announces_is_noticed_by_the_next_result(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, OK))
        await scene.recorder.drain()
        other = open_read_write(scene.file)
        with database.transaction(other):
            asked = maintenance.MaintenanceRequest(("web-01",), START, START + HOUR, "disk", "failing")
            maintenance.announce(other, CONTEXT, asked, START)
        other.close()
        scene.recorder.submit(2, make_result(PING, START + MINUTE, FAIL))
        scene.recorder.submit(2, make_result(OTHER, START + MINUTE, FAIL))
        scene.recorder.end_sweep(2)
        await scene.recorder.drain()

    scene.run(act)
    [mail] = [mail for mail in outbox.list_mails(scene.db) if mail.kind == "outages"]
    assert [news["server"] for news in mail.body["news"]] == ["web-02"]
    assert scene.recording.windows[0].servers == ("web-01",)


def test_other_work_goes_through_the_writer_and_a_refusal_is_told_to_who_asked(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        assert await scene.recorder.write(journal.length) == 0
        scene.writer.failures_left = 1
        with pytest.raises(StoreError, match="full"):
            await scene.recorder.write(journal.length)

    scene.run(act)
    assert scene.telemetry.database_errors == 1


def test_a_refused_piece_of_other_work_leaves_the_books_of_results_right(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        scene.recorder.submit(1, make_result(PING, START, FAIL))
        await scene.recorder.drain()
        scene.writer.failures_left = 1
        with pytest.raises(StoreError):
            await scene.recorder.write(journal.length)
        scene.recorder.submit(1, make_result(PING, START + MINUTE, FAIL))
        scene.recorder.end_sweep(1)
        await scene.recorder.drain()

    scene.run(act)
    [outage] = history.list_outages(scene.db)
    assert outage.last_fail == START + MINUTE
    assert verify(scene.db).error is None


def test_a_result_for_a_time_that_was_accounted_for_is_refused_and_the_rest_goes_on(scene: Scene) -> None:
    async def act(scene: Scene) -> None:
        for result in results_from(PING, "ooo"):
            scene.recorder.submit(1, result)
        scene.recorder.submit(1, make_result(PING, START + MINUTE, FAIL))
        scene.recorder.submit(1, make_result(OTHER, START + MINUTE, OK))
        await scene.recorder.drain()

    scene.run(act)
    assert len(scene.stored()) == 3
    assert scene.stored(OTHER) == [(START + MINUTE, OK)]
    assert [result.outcome for each in scene.audience.heard for result in each.rejected] == [FAIL]


class LateThread(InlineWriter):
    """A writer whose answer takes its time after the commit."""

    async def run(self, work: Callable[[Database], T]) -> T:
        done = await super().run(work)
        await asyncio.sleep(3)
        return done


def test_a_stop_between_a_commit_and_word_of_it_doubles_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.writer = LateThread(scene.db)

    async def act(scene: Scene) -> None:
        for result in results_from(PING, "oxx"):
            scene.recorder.submit(1, result)
        working = asyncio.create_task(scene.recorder.flush())
        await asyncio.sleep(1)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        scene.recorder.end_sweep(1)
        await scene.recorder.flush()

    scene.run(act)
    assert [outcome for _, outcome in scene.stored()] == [OK, FAIL, FAIL]
    assert [len(heard.rejected) for heard in scene.audience.heard] == [0], "the same transaction was done twice"
    assert len(list(history.list_outages(scene.db))) == 1
    assert verify(scene.db).error is None


ACTS = st.lists(
    st.one_of(
        st.sampled_from([OK, FAIL]),
        st.sampled_from(["end", "refuse", "refuse twice"]),
        st.floats(0.0, 5.0),
    ),
    max_size=30,
)


@pytest.mark.logs_errors
@settings(max_examples=30, deadline=None)
@given(ACTS)
def test_however_often_the_database_refuses_all_is_written_once_and_verifies(
    tmp_path_factory: pytest.TempPathFactory, acts: list[Outcome | str | float]
) -> None:
    scene = Scene(tmp_path_factory.mktemp("recorder"))
    submitted: list[Result] = []

    async def act(scene: Scene) -> None:
        sweep = 0
        for what in acts:
            if isinstance(what, Outcome):
                submitted.append(make_result(PING, START + len(submitted) * 1000, what))
                scene.recorder.submit(sweep, submitted[-1])
            elif what == "end":
                scene.recorder.end_sweep(sweep)
                sweep += 1
            elif isinstance(what, str):
                scene.writer.failures_left += 1 if what == "refuse" else 2
            else:
                await asyncio.sleep(what)
        scene.recorder.end_sweep(sweep)
        await scene.recorder.drain()

    scene.run(act)
    assert scene.stored() == [(each.at, each.outcome) for each in submitted]
    assert scene.audience.results == submitted
    assert results.open_batches(scene.db) == []
    assert verify(scene.db).error is None
    scene.db.close()


class LosingWriter(InlineWriter):
    """A writer whose database file is lost."""

    async def run(self, work: Callable[[Database], T]) -> T:  # noqa: ARG002 - the writer's own signature
        await asyncio.sleep(0)
        raise LostDatabaseError("monitor.db was deleted")


@pytest.mark.logs_errors
async def test_results_for_a_lost_database_are_kept_in_a_file_that_can_be_imported(tmp_path: Path) -> None:
    scene, unsaved = Scene(tmp_path), UnsavedResults(tmp_path, START)
    writer, time = LosingWriter(scene.db), RecordedTime(scene.clock, None)
    recorder = Recorder(
        *(writer, scene.recording, scene.clock, time, scene.telemetry, scene.audience), save_unrecorded=unsaved.save
    )
    for sweep, outcome in enumerate((OK, FAIL, OK)):
        recorder.submit(sweep, make_result(PING, START + sweep * MINUTE + 7, outcome))
        recorder.end_sweep(sweep)
    await recorder.flush()
    lines = unsaved.path.read_text().splitlines()
    assert lines[0] == "server,check,time,outcome,latency_ms,attempts,reason"
    assert [line.split(",")[2:4] for line in lines[1:]] == [
        ["2026-10-02T10:00:00.007Z", "ok"],
        ["2026-10-02T10:01:00.007Z", "fail"],
        ["2026-10-02T10:02:00.007Z", "ok"],
    ]
    assert unsaved.count == 3
    assert len(recorder._queue) == 0
