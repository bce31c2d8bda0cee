"""Truth in numbers: round trips, loss and duplicates as the road made them; outages only where chance makes them."""

from __future__ import annotations

import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from monitor.engine.probing.runner import SLOT_MISSED
from monitor.model import Outcome
from monitor.store import database, history
from tests.fakes import all_results
from tests.integration.lab_daemon import Daemon
from tests.integration.network_emulation import LinkConditions, LinkCounts, emulated_network
from tests.integration.network_lab import NetworkLab, lab, skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.model import Outage, Result

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(skip_reason()), reason=skip_reason() or "can run"),
]

SECONDS = 40
"""Of probing, once in four seconds: a road that a busy machine holds up stays within the timeout."""
LOSSY = 450
"""Servers behind each lossy road."""
EARLY = 0.001
"""Seconds by which a round trip may seem shorter than the road says, for the sake of the clocks: the kernel's stamp is
of another than the monitor's."""
ROADS = {
    "fair": LinkConditions(loss=0.01),
    "poor": LinkConditions(loss=0.1),
    "near": LinkConditions(delay=0.005),
    "far": LinkConditions(delay=0.08),
    "shaky": LinkConditions(delay=0.02, jitter=0.03),
    "double": LinkConditions(duplicates=1.0),
    "torn": LinkConditions(loss=0.5),
}
COUNTS = {"fair": LOSSY, "poor": LOSSY, "near": 5, "far": 5, "shaky": 10, "double": 10, "torn": 20}


def address(number: int) -> str:
    return f"198.19.{1 + number // 250}.{1 + number % 250}"


HOSTS = [(kind, number) for kind, count in COUNTS.items() for number in range(count)]
ADDRESSES = {f"{kind}-{number}": address(place) for place, (kind, number) in enumerate(HOSTS)}


@dataclass(frozen=True)
class Told:
    """What the monitor wrote, and what happened."""

    results: list[Result]
    outages: list[Outage]
    seen: dict[str, LinkCounts]
    late: int
    duplicate: int
    missed: int

    def of(self, kind: str) -> list[Result]:
        return [each for each in self.results if each.check.server.startswith(kind)]

    def happened(self, kind: str) -> list[LinkCounts]:
        return [self.seen[host] for server, host in ADDRESSES.items() if server.startswith(kind)]


def configuration(folder: Path) -> Path:
    parts = [
        f'[monitor]\ninterval = 4\ntimeout = 1.1\nretries = 2\nretry_wait = 0.05\ndata_dir = "{folder}"\n',
        '[web]\nlisten = "127.0.0.1:9809"\n',
        '[[customer]]\nid = "c"\nname = "C"\nemails = ["c@example.com"]\n',
        *(f'[[server]]\nid = "{server}"\naddress = "{host}"\nlevel = 2\n' for server, host in ADDRESSES.items()),
    ]
    file = folder / "config.toml"
    file.write_text("\n".join(parts))
    return file


async def metrics() -> dict[str, float]:
    with urllib.request.urlopen("http://127.0.0.1:9809/metrics", timeout=20) as page:  # noqa: ASYNC210 - nothing else runs
        lines = page.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if "#" not in name}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("truth")
    config = configuration(folder)
    roads = {host: ROADS[server.partition("-")[0]] for server, host in ADDRESSES.items()}
    with lab(servers=1) as net, emulated_network(net, roads) as road:
        net.permit_pings()
        seen = watched(net, config)
        road.stop()
        db = database.open_read_only(folder / database.DATABASE_FILE)
        yield Told(
            list(all_results(db)),
            list(history.list_outages(db)),
            road.counts,
            late=int(seen["monitor_icmp_late_replies_total"]),
            duplicate=int(seen["monitor_icmp_duplicate_replies_total"]),
            missed=int(seen["monitor_slots_missed_total"]),
        )


def watched(net: NetworkLab, config: Path) -> dict[str, float]:
    """Let the daemon watch for a while, and give its metrics at the end."""
    with Daemon(config, tuple(net.command())) as daemon:
        time.sleep(SECONDS)  # the road is what it is for as long as this
        seen = net.run_in_namespace(metrics())
        daemon.stop()
    return seen


def test_every_slot_has_a_result_or_is_counted_as_missed(told: Told) -> None:
    # a machine that is busy for a whole second misses several slots of a server, which are one result
    assert sum(each.reason == SLOT_MISSED for each in told.results) <= told.missed
    assert told.of("fair")
    assert told.of("poor")


def test_one_ping_in_a_hundred_lost_makes_no_outage(told: Told) -> None:
    assert [each for each in told.outages if each.check.server.startswith("fair")] == []
    assert {each.outcome for each in told.of("fair") if each.reason != SLOT_MISSED} == {Outcome.OK}
    assert any(each.attempts > 1 for each in told.of("fair"))


def test_one_ping_in_ten_lost_makes_no_more_outages_than_chance(told: Told) -> None:
    slots = told.of("poor")
    failed = sum(each.outcome is Outcome.FAIL for each in slots)
    # one slot in a thousand; 30 of 10,000 would come once in ten million runs
    assert failed <= 30 * len(slots) / 10_000
    assert {each.attempts for each in slots if each.outcome is Outcome.FAIL} <= {3}


@pytest.mark.parametrize("kind", ["fair", "poor", "torn"])
def test_what_was_lost_is_what_the_road_lost(told: Told, kind: str) -> None:
    attempts = sum(each.attempts for each in told.of(kind))
    ok = sum(each.outcome is Outcome.OK for each in told.of(kind))
    lost, requests = (sum(getattr(each, what) for each in told.happened(kind)) for what in ("lost", "requests"))
    assert attempts - ok - told.late <= lost
    # what the daemon had not finished when it was stopped was never written
    assert requests - attempts <= 3 * COUNTS[kind]
    assert abs(attempts - ok - lost) <= told.late + 3 * COUNTS[kind]


@pytest.mark.parametrize("kind", ["fair", "poor", "torn"])
def test_what_was_lost_is_near_what_was_set(told: Told, kind: str) -> None:
    attempts = sum(each.attempts for each in told.of(kind))
    ok = sum(each.outcome is Outcome.OK for each in told.of(kind))
    loss = ROADS[kind].loss
    # five standard deviations of so many coins, and the answers that were on their way for too long
    assert abs(attempts - ok - loss * attempts) <= 5 * (attempts * loss * (1 - loss)) ** 0.5 + told.late


@pytest.mark.parametrize("kind", ["near", "far", "shaky"])
def test_no_round_trip_is_shorter_than_the_road(told: Told, kind: str) -> None:
    trips = [each.latency / 1_000_000 for each in told.of(kind) if each.latency is not None]
    assert min(trips) >= ROADS[kind].delay - EARLY


@pytest.mark.parametrize("kind", ["near", "far", "shaky"])
def test_no_round_trip_is_shorter_than_the_road_measured_itself(told: Told, kind: str) -> None:
    beyond = []
    for server, host in ADDRESSES.items():
        by_monitor = [each for each in told.of(kind) if each.check.server == server]
        if any(each.attempts != 1 for each in by_monitor):  # one came too late: who knows which is which
            continue
        pairs = zip(
            by_monitor, told.seen[host].round_trips, strict=False
        )  # what was not finished at the end was not written
        beyond += [each.latency / 1_000_000 - trip for each, trip in pairs if each.latency is not None]
    assert min(beyond, default=0.0) >= -EARLY


def test_doubled_answers_are_counted_and_change_nothing(told: Told) -> None:
    doubled = sum(each.duplicated for each in told.happened("double"))
    assert {(each.outcome, each.attempts) for each in told.of("double") if each.reason != SLOT_MISSED} == {
        (Outcome.OK, 1)
    }
    assert 0 < told.duplicate <= doubled
    assert doubled - told.duplicate <= 3 * COUNTS["double"]
