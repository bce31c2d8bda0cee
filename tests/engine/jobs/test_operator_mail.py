"""What the operators are told of the monitor itself: once of each trouble, and not of what they know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.engine.jobs.operator_mail import over, tell_operators, trouble
from monitor.engine.live.state import Board
from monitor.engine.live.telemetry import Telemetry
from monitor.engine.live.updates import Live
from monitor.formatting import instant
from monitor.ledger.results.recording import Recording
from monitor.mail.content import OperatorNews
from monitor.store import database, outbox
from tests.fakes import HOUR, START, a_context, books_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from monitor.store.outbox import Mail

FAULT = ("[server web-01] level = 7: must be from 1 to 4",)


class Scene:
    """A live picture whose mails are written down at once."""

    def __init__(self, operators: tuple[str, ...] = ("noc@example.com",)) -> None:
        self.db = books_in_memory()
        self.context = a_context(operators=operators)
        self.now = START
        self.begin()

    def begin(self) -> None:
        """Start as a new process does: with nothing in memory."""
        self.live = Live(
            Board(),
            Telemetry(),
            Recording(self.context),
            clock=lambda: (self.now, 0.0),
            certificate=lambda _: None,
            phases=lambda _: None,
            write_later=self._write,
            sweep_written=lambda: None,
            runs_began=lambda _: None,
        )

    def _write(self, work: Callable[[Database], object]) -> None:
        with database.transaction(self.db):
            work(self.db)

    def mails(self) -> list[Mail]:
        return outbox.listing(self.db)


def test_a_trouble_that_lasts_is_told_once_also_after_a_restart() -> None:
    scene = Scene()
    scene.live.trouble(OperatorNews.RELOAD, FAULT)
    scene.live.trouble(OperatorNews.RELOAD, FAULT)
    scene.begin()
    scene.live.trouble(OperatorNews.RELOAD, FAULT)
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
    scene.live.trouble(OperatorNews.RELOAD, FAULT)
    scene.live.trouble(OperatorNews.RELOAD, ("another fault",))
    scene.live.trouble(OperatorNews.JOURNAL, FAULT)
    assert [mail.body["news"] for mail in scene.mails()] == ["reload", "reload", "journal"]


def test_one_that_was_over_and_comes_again_is_told_again() -> None:
    scene = Scene()
    scene.live.trouble(OperatorNews.ICMP, FAULT)
    scene.live.over(OperatorNews.RELOAD)
    scene.live.trouble(OperatorNews.ICMP, FAULT)
    assert len(scene.mails()) == 1
    scene.live.over(OperatorNews.ICMP)
    scene.live.trouble(OperatorNews.ICMP, FAULT)
    assert len(scene.mails()) == 2


def test_a_database_that_refused_is_told_once_when_it_takes_what_is_written_again() -> None:
    scene = Scene()
    scene.live.store_state(None)
    for later in range(3):
        scene.now = START + later * HOUR
        scene.live.store_state("cannot write: database or disk is full")
    assert scene.mails() == []
    for later in (3, 4):
        scene.now = START + later * HOUR
        scene.live.store_state(None)
    (mail,) = scene.mails()
    assert mail.body == {"news": "store"}
    assert "database or disk is full" in mail.text
    assert instant(START, "Europe/Istanbul", "en") in mail.text, "since when"
    assert f"{3 * 3600} s" in mail.text


def test_where_there_are_no_operators_nobody_is_told() -> None:
    scene = Scene(operators=())
    scene.live.trouble(OperatorNews.ICMP, FAULT)
    assert scene.mails() == []
    assert tell_operators(scene.db, scene.context, OperatorNews.BLIND, (), START) is None
    trouble(scene.db, scene.context, OperatorNews.BLIND, (), START)
    over(scene.db, OperatorNews.BLIND)
