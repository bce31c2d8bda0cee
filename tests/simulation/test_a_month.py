"""A month under a clock that jumps: the real engine on a real database, only the network is a script."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest

from monitor.engine.engine import DatabaseThreads, Engine
from monitor.engine.reload import EngineConfig
from monitor.ledger import maintenance
from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.verify import verify
from monitor.model import Check, CheckKey, Outcome, Server
from monitor.probes.icmp.in_flight import PingCounts
from monitor.probes.icmp.settings import IcmpSettings
from monitor.probes.net.address import Address
from monitor.probes.probe import Attempt, RetryPolicy
from monitor.probes.resources import ProbeResources
from monitor.store import database, history, outbox, results
from tests.fakes import (
    MINUTE,
    FakeClock,
    FakeTransport,
    InlineReader,
    InlineWriter,
    make_context,
    make_customer,
    make_subscription,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitor.model import Millis

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(1800)]

ZONE = "Europe/Berlin"
MONTH = (2026, 10)
"""Its last Sunday has 25 hours there."""
BEGIN = int(dt.datetime(2026, 9, 30, 22, tzinfo=dt.UTC).timestamp() * 1000)
LENGTH = (31 * 24 + 1) * 60 * MINUTE
HOUR = 60 * MINUTE


def _at(day: int, hour: int = 0, minute: int = 0) -> Millis:
    return BEGIN + ((day - 1) * 24 + hour) * HOUR + minute * MINUTE


FALLS: dict[str, list[tuple[Millis, Millis]]] = {
    "a": [
        (_at(3, 1), _at(3, 1, 7)),
        (_at(12, 4, 30), _at(12, 6)),  # inside the window and beyond it
        (_at(25, 0, 30), _at(25, 3, 30)),  # through the hour that comes twice
    ],
    "b": [(_at(20, 5), _at(20, 9))],
}
WINDOW = (_at(12, 4), _at(12, 5))
AWAY = (_at(16, 8), _at(16, 9))
"""The daemon is not there."""
STEPS = ((_at(8), 600), (_at(9), -600))
"""The wall clock is stepped by so many milliseconds, and back."""

ADDRESSES = {"192.0.2.10": "a", "192.0.2.11": "b"}


class ScriptedNetwork:
    """Stands where the pinger and the resolver do: each server is down when the script says so."""

    counts = PingCounts()

    def __init__(self, clock: FakeClock, now: Callable[[], Millis]) -> None:
        self._clock = clock
        self._now = now

    async def resolve_routable(self, host: str) -> tuple[Address, ...]:
        return (Address(socket.AF_INET, host, 0),)

    def ping(self, address: Address, timeout: float, done: Callable[[Attempt], None], _size: int = 0) -> None:
        at, down = self._clock.monotonic(), is_down(ADDRESSES[address.host], self._now())
        if down:
            fail = Attempt(Outcome.FAIL, at, None, "timeout")
            asyncio.get_running_loop().call_later(timeout, done, fail)
        else:
            done(Attempt(Outcome.OK, at, 412, ""))


def is_down(server: str, at: Millis) -> bool:
    return any(begin <= at < end for begin, end in FALLS[server])


def servers() -> tuple[Server, ...]:
    return tuple(
        Server(name, address, 2, None, (Check(CheckKey(name, "ping"), "icmp", IcmpSettings()),))
        for address, name in ADDRESSES.items()
    )


async def live(file: Path, clock: FakeClock, until: Millis) -> None:
    """Run the daemon's engine until a moment, then end it in good order."""
    db = database.open_read_write(file)
    db.execute("PRAGMA synchronous = OFF")
    network = cast("Any", ScriptedNetwork(clock, clock.now))
    context = make_context(
        servers(),
        [make_subscription("acme", "a"), make_subscription("blue", "b")],
        [make_customer("acme"), make_customer("blue")],
        timezone=ZONE,
    )
    orders = EngineConfig(context, servers(), (), RetryPolicy(1.0, 2, 2.0), FakeTransport())
    threads = DatabaseThreads(InlineWriter(db), InlineReader(db), InlineReader(db))
    instruments = ProbeResources(clock, network, network, cast("Any", None))
    engine = Engine(orders, clock, instruments, threads)
    await engine.prepare()
    if clock.now() < _at(2):
        with database.transaction(db):
            maintenance.announce(db, context, maintenance.MaintenanceRequest(("a",), *WINDOW, "Disks"), clock.now())
        engine.recording.invalidate()
    tasks = [asyncio.create_task(engine.recorder.run()), asyncio.create_task(engine.scheduler.run())]
    steps = [step for step in STEPS if clock.now() < step[0] < until]
    for moment, step in [*steps, (until, 0)]:
        while (left := moment - clock.now()) > 0:
            await asyncio.sleep(min(left / 1000, 30))
            engine.recorded_time.follow_wall_clock(MINUTE)
        clock.step(step)
    tasks[1].cancel()
    await engine.drain()
    tasks[0].cancel()
    while await engine.mail_dispatcher.send_due():
        pass
    db.close()


def test_a_month_is_recorded_told_and_accounted_for_to_the_minute(tmp_path: Path) -> None:
    file, clock = tmp_path / database.DATABASE_FILE, FakeClock(BEGIN)
    clock.run(live(file, clock, AWAY[0]))
    clock.advance((AWAY[1] - clock.now()) / 1000)
    clock.run(live(file, clock, BEGIN + LENGTH + 5 * MINUTE))

    db = database.open_read_only(file)
    for name in FALLS:
        _every_slot_left_and_said_the_truth(db, name)
    _outages_are_the_falls(db)
    _the_month_adds_up(db)
    told = Counter(
        news["notice"] for mail in outbox.list_mails(db) if mail.kind == "outages" for news in mail.body["news"]
    )
    assert told == {"down": 4, "up": 4}
    assert {mail.state for mail in outbox.list_mails(db)} == {"sent"}
    assert verify(db).error is None


def _every_slot_left_and_said_the_truth(db: Any, name: str) -> None:
    found = list(results.read(db, CheckKey(name, "ping"), 0, 1 << 62))
    expected = (LENGTH + 5 * MINUTE - (AWAY[1] - AWAY[0])) // MINUTE
    assert abs(len(found) - expected) <= 2
    gaps = [after.at - before.at for before, after in pairwise(found)]
    unusual = [gap for gap in gaps if abs(gap - MINUTE) > 20]
    # the hour away, and the two steps of the wall clock
    assert sum(gap > 30 * MINUTE for gap in unusual) == 1
    assert len(unusual) == 3
    for result in found:
        assert (result.outcome is Outcome.FAIL) == is_down(name, result.at), result


def _outages_are_the_falls(db: Any) -> None:
    found: dict[str, list[tuple[Millis, Millis]]] = {}
    for outage in history.list_outages(db):
        assert outage.end is not None
        found.setdefault(outage.check.server, []).append((outage.start, outage.end))
    for name, falls in FALLS.items():
        assert len(found[name]) == len(falls)
        for (start, end), (begin, until) in zip(found[name], falls, strict=True):
            assert begin <= start < begin + MINUTE
            assert until <= end < until + MINUTE


def _the_month_adds_up(db: Any) -> None:
    """Compare with the minutes of the script, within the one minute on each side that no probe can know."""
    now = BEGIN + LENGTH + MINUTE
    context = make_context(servers(), [make_subscription("acme", "a"), make_subscription("blue", "b")], timezone=ZONE)
    accounts = {
        each.subscription.server: each.account
        for each in LedgerView(db, now, context.terms).month(*MONTH).subscriptions
    }
    for name, falls in FALLS.items():
        account = accounts[name]
        assert account.up + account.down + account.excluded + account.unknown == LENGTH
        excused = WINDOW[1] - WINDOW[0] if name == "a" else 0
        assert account.excluded == excused
        fallen = sum(end - begin for begin, end in falls) - (30 * MINUTE if name == "a" else 0)
        assert abs(account.down - fallen) <= len(falls) * MINUTE
        # what is not known: the hour away but for the two minutes that its last result holds, and the first minute
        assert abs(account.unknown - (AWAY[1] - AWAY[0] - 2 * MINUTE)) <= 2 * MINUTE
