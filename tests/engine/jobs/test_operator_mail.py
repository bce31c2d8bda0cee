"""What the operators are told of the monitor itself: once of each trouble, and not of what they know."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.engine.jobs.operator_mail import clear_problem, notify_operators, raise_problem
from monitor.engine.live.state import CheckEntry, LiveState
from monitor.engine.live.telemetry import Telemetry
from monitor.engine.live.updates import MAX_LOGGED_OUTAGES, LiveStateUpdater
from monitor.formatting import format_iso_minute
from monitor.ledger.results.recording import RecordedResults, Recording
from monitor.mail.content import OperatorNews
from monitor.model import CheckKey, Outage
from monitor.store import database, outbox
from tests.fakes import HOUR, START, ledger_in_memory, make_context, replace_config

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from sqlite_utils import Database

    from monitor.store.outbox import Mail

FAULT = ("[server web-01] level = 7: must be from 1 to 4",)


class Scene:
    """A live picture whose mails are written down at once."""

    def __init__(self, operators: tuple[str, ...] = ("noc@example.com",)) -> None:
        self.db = ledger_in_memory()
        self.context = make_context(operators=operators)
        self.now = START
        self.begin()

    def begin(self) -> None:
        """Start as a new process does: with nothing in memory."""
        self.board = LiveState()
        self.live = LiveStateUpdater(
            self.board,
            Telemetry(),
            Recording(self.context),
            read_clocks=lambda: (self.now, 0.0),
            wall_time=lambda: self.now,
            certificate=lambda _: None,
            phases=lambda _: None,
            write_in_background=self._write,
            on_sweep_written=lambda: None,
            on_new_runs=lambda _: None,
        )

    def _write(self, work: Callable[[Database], object]) -> None:
        with database.transaction(self.db):
            work(self.db)

    def mails(self) -> list[Mail]:
        return outbox.list_mails(self.db)


def test_a_trouble_that_lasts_is_told_once_also_after_a_restart() -> None:
    scene = Scene()
    scene.live.raise_problem(OperatorNews.RELOAD, FAULT)
    scene.live.raise_problem(OperatorNews.RELOAD, FAULT)
    scene.begin()
    scene.live.raise_problem(OperatorNews.RELOAD, FAULT)
    (mail,) = scene.mails()
    assert (mail.kind, mail.customer, mail.recipients, mail.body) == (
        "monitor",
        None,
        ("noc@example.com",),
        {"news": "reload"},
    )
    assert mail.subject.startswith("RELOAD REFUSED")
    assert FAULT[0] in mail.text


def test_one_that_says_something_else_is_told_and_so_is_one_of_another_kind() -> None:
    scene = Scene()
    scene.live.raise_problem(OperatorNews.RELOAD, FAULT)
    scene.live.raise_problem(OperatorNews.RELOAD, ("another fault",))
    scene.live.raise_problem(OperatorNews.JOURNAL, FAULT)
    assert [mail.body["news"] for mail in scene.mails()] == ["reload", "reload", "journal"]


def test_one_that_was_over_and_comes_again_is_told_again() -> None:
    scene = Scene()
    scene.live.raise_problem(OperatorNews.ICMP, FAULT)
    scene.live.clear_problem(OperatorNews.RELOAD)
    scene.live.raise_problem(OperatorNews.ICMP, FAULT)
    assert len(scene.mails()) == 1
    scene.live.clear_problem(OperatorNews.ICMP)
    scene.live.raise_problem(OperatorNews.ICMP, FAULT)
    assert len(scene.mails()) == 2


def test_a_database_that_refused_is_told_once_when_it_takes_what_is_written_again() -> None:
    scene = Scene()
    scene.live.on_store_state(None)
    for later in range(3):
        scene.now = START + later * HOUR
        scene.live.on_store_state("cannot write: database or disk is full")
    assert scene.mails() == []
    for later in (3, 4):
        scene.now = START + later * HOUR
        scene.live.on_store_state(None)
    (mail,) = scene.mails()
    assert mail.body == {"news": "store"}
    assert "database or disk is full" in mail.text
    assert f"since {format_iso_minute(START, ZoneInfo('Europe/Istanbul'))}" in mail.text
    assert f"{3 * 3600} s" in mail.text


def test_where_there_are_no_operators_nobody_is_told() -> None:
    scene = Scene(operators=())
    scene.live.raise_problem(OperatorNews.ICMP, FAULT)
    assert scene.mails() == []
    assert notify_operators(scene.db, scene.context, OperatorNews.NO_CONNECTIVITY, (), START) is None
    raise_problem(scene.db, scene.context, OperatorNews.NO_CONNECTIVITY, (), START)
    clear_problem(scene.db, OperatorNews.NO_CONNECTIVITY, START)


def test_each_outage_is_logged_and_of_many_the_first_ones(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scene = Scene()
    keys = [CheckKey(f"web-{number:02d}", "ping") for number in range(MAX_LOGGED_OUTAGES + 5)]
    replace_config(scene.board, [CheckEntry(*key, "icmp", "192.0.2.1") for key in keys], [])
    outages = tuple(Outage(number, key, START, START, None, None, "timeout") for number, key in enumerate(keys, 1))
    scene.live.on_recorded(RecordedResults((), (), opened_outages=outages))
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "DOWN web-00/ping: timeout (outage 1)"
    assert len(lines) == MAX_LOGGED_OUTAGES + 1
    assert lines[-1] == "DOWN: 5 more; see monitor outages list"
    caplog.clear()
    scene.live.on_recorded(RecordedResults((), (), ended_outages=(1,)))
    assert [record.getMessage() for record in caplog.records] == ["UP web-00/ping (outage 1)"]
