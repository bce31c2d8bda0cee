"""The daemon is killed, stopped and paused while servers fall and rise: nothing is lost, nothing is told twice."""

from __future__ import annotations

import email
import email.policy
import random
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from monitor.model import CheckKey, Outcome
from tests.integration.lab_config import INTERVAL, MAX_CHECK_DURATION, Customer, LabConfig, Server
from tests.integration.lab_daemon import STOP_TIMEOUT, Daemon, free_port, metrics, wait_for
from tests.integration.lab_ledger import LedgerReader
from tests.integration.lab_listeners import PORT, Listeners, address, now_ms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.model import Outage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

COUNT = 50
CUSTOMERS = 10
ROUNDS = 14
SEED = 20261124
SEEN = INTERVAL + MAX_CHECK_DURATION + 1_000
"""Milliseconds of a daemon that works after which what has changed is in the books: the next slot, a cycle that fails
to the last, and a second for the transaction."""
WRITING = 2_000
"""Milliseconds by which a machine that is busy may be late."""


def key(number: int) -> CheckKey:
    return CheckKey(f"s{number:02}", "ping")


@dataclass
class Fall:
    """A server was down, in truth: from about ``begin`` to about ``end``."""

    begin: int
    end: int | None = None


@dataclass
class World:
    """Servers that fall and rise at random, and what has truly become of them."""

    doors: Listeners
    chance: random.Random
    falls: dict[int, list[Fall]] = field(default_factory=lambda: {number: [] for number in range(COUNT)})
    due: dict[int, float] = field(default_factory=dict)
    """Monotonic seconds at which each server changes next."""

    def begin(self) -> None:
        """Let the first ones fall soon."""
        self.due = {number: time.monotonic() + self.chance.uniform(0.5, 14) for number in range(COUNT)}

    def live(self, until: float) -> None:
        """Let servers fall and rise as their time comes, until a monotonic moment."""
        while (at := time.monotonic()) < until:
            for number in [number for number, due in self.due.items() if due <= at]:
                self._change(number)
            time.sleep(max(0.0, min(until, *self.due.values()) - time.monotonic()))

    def _change(self, number: int) -> None:
        falls = self.falls[number]
        if falls and falls[-1].end is None:
            falls[-1].end = self.doors.open(address(number)).after
            # so rarely that nobody calls it flapping, also where the gaps of a killed daemon bring starts together
            self.due[number] = time.monotonic() + self.chance.uniform(20, 30)
        else:
            falls.append(Fall(self.doors.close(address(number)).before))
            self.due[number] = time.monotonic() + self.chance.uniform(1, 8)

    def settle(self) -> None:
        """Let all rise, for good."""
        self.due = {number: due for number, due in self.due.items() if (f := self.falls[number]) and f[-1].end is None}
        for number in list(self.due):
            self._change(number)
        self.due.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    port = free_port()
    customers = [Customer(f"c{number}") for number in range(CUSTOMERS)]
    servers = [
        Server(key(number).server, address(number), f"c{number % CUSTOMERS}", reach=f"tcp:{PORT}")
        for number in range(COUNT)
    ]
    LabConfig(port, servers, customers).write(tmp_path)
    (tmp_path / "port").write_text(str(port))
    return tmp_path


@pytest.fixture
def doors() -> Iterator[Listeners]:
    with Listeners(tuple(address(number) for number in range(COUNT))) as doors:
        yield doors


@pytest.fixture
def daemon(folder: Path, doors: Listeners) -> Iterator[Daemon]:  # noqa: ARG001 - the doors are open before it looks
    with Daemon(folder / "config.toml") as daemon:
        yield daemon


@pytest.fixture
def books(folder: Path) -> LedgerReader:
    return LedgerReader(folder / "data")


def test_a_daemon_killed_again_and_again_loses_and_doubles_nothing(
    folder: Path, doors: Listeners, daemon: Daemon, books: LedgerReader
) -> None:
    chance = random.Random(SEED)
    world = World(doors, chance)
    wait_for("everything is up", lambda: books.all_checks_are(Outcome.OK, COUNT))
    world.begin()
    alive: list[tuple[int, int]] = []
    for _ in range(ROUNDS):
        began = now_ms()
        world.live(time.monotonic() + chance.uniform(0.1, 5))
        daemon.kill()
        alive.append((began, now_ms()))
        daemon.verify()
        if chance.random() < 0.5:
            world.live(time.monotonic() + chance.uniform(0, 3))
        daemon.start()
    began = now_ms()
    world.settle()
    wait_for("everything is up again", lambda: books.all_checks_are(Outcome.OK, COUNT))
    wait_for("all mail has left", lambda: books.pending_mails() == 0)
    alive.append((began, now_ms()))
    assert daemon.stop() < STOP_TIMEOUT
    daemon.verify()

    found = books.outages()
    for number, falls in world.falls.items():
        _nothing_is_lost_or_doubled(falls, [outage for outage in found if outage.check == key(number)], alive)
    assert len(found) > COUNT / 2, "too little has happened to prove anything"
    _each_outage_is_told_once(books, found)
    _each_mail_is_one_file(folder, books)
    _time_without_a_daemon_is_unknown(daemon, alive)


def _nothing_is_lost_or_doubled(falls: list[Fall], outages: list[Outage], alive: list[tuple[int, int]]) -> None:
    left = list(outages)
    for fall in falls:
        assert fall.end is not None
        end = _first_sight_after(fall.end, alive)
        ours = [outage for outage in left if fall.begin - MAX_CHECK_DURATION <= outage.start <= fall.end]
        assert len(ours) <= 1, f"one fall, {fall}, is told as {ours}"
        left = [outage for outage in left if outage not in ours]
        watched = max(min(fall.end, until) - max(fall.begin, since) for since, until in alive)
        assert ours or watched < SEEN, f"{fall} is lost, though it was watched for {watched} ms"
        for outage in ours:
            assert outage.end is not None
            assert fall.end - MAX_CHECK_DURATION <= outage.end <= end, f"{outage} ends elsewhere than {fall}, by {end}"
    assert not left, f"nothing fell, but {left} are in the books"


def _first_sight_after(moment: int, alive: list[tuple[int, int]]) -> int:
    """Until when a daemon must have seen what is true since ``moment``: it must work for long enough after it.

    The last one is awaited until it has seen everything, which may be sooner.
    """
    seen = (max(moment, since) + SEEN + WRITING for since, until in alive if until - max(moment, since) >= SEEN)
    return next(seen, alive[-1][1])


def _each_outage_is_told_once(books: LedgerReader, outages: list[Outage]) -> None:
    told = books.mailed_news()
    for outage in outages:
        number = int(outage.check.server[1:])
        about = [(each.notice, each.customer) for each in told if each.outage == outage.id]
        customer = f"c{number % CUSTOMERS}"
        assert about == [("down", customer), ("up", customer)], f"{outage} was told so: {about}"
    assert len(told) == 2 * len(outages)


def _each_mail_is_one_file(folder: Path, books: LedgerReader) -> None:
    mails = books.mails()
    files = list((folder / "data" / "mail").iterdir())
    written = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
    assert {mail.state for mail in mails} == {"sent"}
    assert sorted(str(each["Message-ID"]) for each in written) == sorted(mail.message_id for mail in mails)
    assert {file.suffix for file in files} == {".eml"}


def _time_without_a_daemon_is_unknown(daemon: Daemon, alive: list[tuple[int, int]]) -> None:
    """A result holds for two intervals at most; what lies further from the daemon's life is nobody's to judge."""
    gaps = [max(0, later - earlier - 2 * INTERVAL) for (_, earlier), (later, _) in pairwise(alive)]
    lived = alive[-1][1] - alive[0][0]
    for account in daemon.run_json("availability", "--days", "1")["subscriptions"]:
        known = 1000 * (account["up_seconds"] + account["down_seconds"])
        assert 0 < known <= lived + MAX_CHECK_DURATION + WRITING - sum(gaps)
        parts = ("up_seconds", "down_seconds", "excluded_seconds", "unknown_seconds")
        assert sum(account[part] for part in parts) == 86_400


def test_a_daemon_asked_to_stop_ends_in_time_and_loses_nothing(
    folder: Path, doors: Listeners, daemon: Daemon, books: LedgerReader
) -> None:
    wait_for("everything is up", lambda: books.all_checks_are(Outcome.OK, COUNT))
    for number in range(10):
        doors.close(address(number))
    wait_for("the first outage is in the books", books.outages)
    assert daemon.stop() < STOP_TIMEOUT
    daemon.verify()
    before = books.outages()

    daemon.start()
    wait_for("all ten are in the books", lambda: len(books.outages()) == 10)
    for number in range(10):
        doors.open(address(number))
    wait_for("everything is up again", lambda: books.all_checks_are(Outcome.OK, COUNT))
    wait_for("all mail has left", lambda: books.mails() and books.pending_mails() == 0)
    assert daemon.stop() < STOP_TIMEOUT
    daemon.verify()
    after = books.outages()
    assert len(after) == 10
    assert [(outage.id, outage.start) for outage in after][: len(before)] == [(each.id, each.start) for each in before]
    _each_outage_is_told_once(books, after)
    _each_mail_is_one_file(folder, books)


def test_slots_in_which_the_daemon_stood_still_are_counted_and_unknown(
    folder: Path, daemon: Daemon, books: LedgerReader
) -> None:
    port = int((folder / "port").read_text())
    wait_for("everything is up", lambda: books.all_checks_are(Outcome.OK, COUNT))
    wait_for("the metrics are there", lambda: metrics(port))
    assert metrics(port)["monitor_slots_missed_total"] == 0
    daemon.pause()
    began = now_ms()
    time.sleep(4.5)  # what is tested is that time passes
    ended = now_ms()
    daemon.resume()
    wait_for("it has caught up", lambda: books.newest_result_at() > ended + 2 * INTERVAL)
    stood_still = ended - began
    missed = metrics(port)["monitor_slots_missed_total"]
    # the last slot of each server is not missed, it leaves late: as soon as the daemon goes on
    assert COUNT * (stood_still // INTERVAL - 1) <= missed <= COUNT * (stood_still // INTERVAL + 1)
    for number in range(COUNT):
        results = books.results(key(number))
        missed_slots = [each for each in results if each.reason == "slot missed"]
        # a busy machine may miss another one later
        gap = next(each for each in missed_slots if began - 100 <= each.at <= began + INTERVAL)
        assert (gap.outcome, gap.attempts) == (Outcome.UNKNOWN, 0)
        assert [each for each in results if gap.at < each.at < ended] == []
    assert not books.outages()
    assert not books.mails()
    assert daemon.stop() < STOP_TIMEOUT
    daemon.verify()
    for account in daemon.run_json("availability", "--days", "1")["subscriptions"]:
        results = books.results(CheckKey(account["server"], "ping"))
        assert account["down_seconds"] == 0
        most = results[-1].at - results[0].at + 2 * INTERVAL - (stood_still - INTERVAL - 100)
        assert 1000 * account["up_seconds"] <= most, "the time in which it stood still is counted as up"
