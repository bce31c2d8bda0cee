"""The wall clock is stepped under a running daemon: probing neither stops nor doubles, and latencies stay true."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.model import CheckKey, Outcome
from tests.integration.lab_config import INTERVAL, TIMEOUT, Customer, LabConfig, Server
from tests.integration.lab_daemon import STOP_TIMEOUT, Daemon, free_port, get_page, metrics, wait_for
from tests.integration.lab_ledger import LedgerReader
from tests.integration.lab_listeners import PORT, Listeners, address, now_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.model import Result
    from monitor.store.outbox import Mail

HOUR = 3_600_000
DAY = 24 * HOUR
COUNT = 10
LATE = 300
"""Milliseconds by which a probe may leave after its slot on a machine that is busy."""


def _library() -> Path | None:
    """Where libfaketime is: Debian keeps it out of the loader's way."""
    folders = Path("/usr/lib").glob("*-linux-gnu/faketime")
    found = [folder / "libfaketime.so.1" for folder in folders if (folder / "libfaketime.so.1").exists()]
    return found[0] if found else None


LIBRARY = _library()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime: apt-get install faketime"),
]


def key(number: int) -> CheckKey:
    return CheckKey(f"s{number}", "ping")


@dataclass
class Scene:
    """A daemon that takes its wall clock from a file."""

    clock: Path
    port: int
    daemon: Daemon
    books: LedgerReader
    doors: Listeners

    def step(self, offset: str) -> None:
        """Set the daemon's wall clock so much beside the machine's."""
        unfinished = self.clock.with_suffix(".unfinished")
        unfinished.write_text(f"{offset}\n")
        unfinished.replace(self.clock)

    def live(self, seconds: float) -> None:
        """Let the daemon work for some seconds."""
        time.sleep(seconds)  # what is tested is that time passes


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    port = free_port()
    servers = [Server(key(n).server, address(n), "acme", "icmp" if n < 3 else f"tcp:{PORT}") for n in range(COUNT)]
    config = LabConfig(port, servers, [Customer("acme")]).write(tmp_path)
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    environment = {
        "LD_PRELOAD": f"{LIBRARY}",
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
        # else every wait of one thread for another ends at once and is begun again, and nothing else gets done
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
    with (
        Listeners(tuple(address(number) for number in range(COUNT))) as doors,
        Daemon(config, environment=environment) as daemon,
    ):
        books = LedgerReader(tmp_path / "data")
        wait_for("everything has results", lambda: len(books.last_outcomes()) == COUNT)
        yield Scene(clock, port, daemon, books, doors)


def _neither_stopped_nor_doubled(scene: Scene, before: dict[CheckKey, int], seconds: float) -> None:
    """So many results more than ``before`` as there were intervals, each check in a rhythm of its own."""
    assert metrics(scene.port)["monitor_slots_missed_total"] == 0
    for number in range(COUNT):
        results = scene.books.results(key(number))
        more = len(results) - before[key(number)]
        assert abs(more - 1000 * seconds / INTERVAL) <= 2, f"{more} results in {seconds} s"
        steps = [later.at - earlier.at for earlier, later in pairwise(results)]
        assert sum(abs(step - INTERVAL) > LATE for step in steps) <= 2, f"out of step more often than stepped: {steps}"


def _counts(scene: Scene) -> dict[CheckKey, int]:
    return {key(number): len(scene.books.results(key(number))) for number in range(COUNT)}


def _true(results: list[Result]) -> None:
    assert {result.outcome for result in results} <= {Outcome.OK}
    for result in results:
        assert result.latency is not None
        assert 0 <= result.latency < 1000 * TIMEOUT


def test_a_step_of_an_hour_forwards_leaves_an_unknown_hour_and_no_gap_in_probing(scene: Scene) -> None:
    before, began = _counts(scene), time.monotonic()
    scene.live(3)
    scene.step("+1h")
    wait_for("the books are an hour ahead", lambda: scene.books.newest_result_at() > now_ms() + HOUR - 5 * INTERVAL)
    scene.live(4)
    _neither_stopped_nor_doubled(scene, before, time.monotonic() - began)
    for number in range(COUNT):
        results = scene.books.results(key(number))
        _true(results)
        [leap] = [later.at - earlier.at for earlier, later in pairwise(results) if later.at - earlier.at > HOUR // 2]
        assert abs(leap - HOUR) < 3 * INTERVAL
    assert re.search(r"the wall clock was stepped by 3(599|600)\d{3} ms", scene.daemon.output())
    _ended_well(scene)
    for account in scene.daemon.run_json("availability", "--days", "1")["subscriptions"]:
        assert account["down_seconds"] == 0
        assert 1000 * account["up_seconds"] <= 1000 * (time.monotonic() - began) + 3 * INTERVAL


def _ended_well(scene: Scene) -> None:
    assert not scene.books.outages()
    assert scene.daemon.stop() < STOP_TIMEOUT
    assert "clock ran backwards" not in scene.daemon.output()
    scene.daemon.verify()


def test_a_step_of_an_hour_backwards_is_followed_only_when_its_hour_has_passed(scene: Scene) -> None:
    before, began = _counts(scene), time.monotonic()
    scene.live(3)
    scene.step("-1h")
    wait_for("the step is noticed", lambda: "the wall clock was stepped by -3" in scene.daemon.output())
    scene.live(4)
    _neither_stopped_nor_doubled(scene, before, time.monotonic() - began)
    for number in range(COUNT):
        results = scene.books.results(key(number))
        _true(results)
        steps = [later.at - earlier.at for earlier, later in pairwise(results)]
        assert all(abs(step - INTERVAL) <= LATE for step in steps), steps
    _ended_well(scene)


def test_a_daemon_whose_ledger_is_ahead_of_its_clock_continues_after_the_ledger(scene: Scene) -> None:
    scene.step("+1h")
    wait_for("the books are an hour ahead", lambda: scene.books.newest_result_at() > now_ms() + HOUR - 5 * INTERVAL)
    scene.doors.close(address(COUNT - 1))
    wait_for("the fall is in the books", scene.books.outages)
    assert scene.daemon.stop() < STOP_TIMEOUT
    scene.step("+0")
    ahead = scene.books.newest_result_at()
    scene.daemon.start()
    began = time.monotonic()
    wait_for("it goes on", lambda: scene.books.newest_result_at() > ahead + 3 * INTERVAL)
    scene.doors.open(address(COUNT - 1))
    wait_for("the end is in the books", lambda: scene.books.outages()[0].end is not None)
    # the scale of the books runs as fast as time does
    assert scene.books.newest_result_at() - ahead <= 1000 * (time.monotonic() - began) + 2 * INTERVAL
    [outage] = scene.books.outages()
    assert outage.check == key(COUNT - 1)
    wait_for("both mails have left", lambda: len(_mails_of_outages(scene)) == 2 and not scene.books.pending_mails())
    [record] = scene.daemon.run_json("outages", "list")["outages"]
    assert 0 < record["counted_seconds"] < 60
    assert scene.daemon.stop() < STOP_TIMEOUT
    assert "clock ran backwards" not in scene.daemon.output()
    scene.daemon.verify()


def _mails_of_outages(scene: Scene) -> list[Mail]:
    """Return the mails about outages: the operators hear of the clock as well."""
    return [mail for mail in scene.books.mails() if mail.kind == "outages"]


def _ready(scene: Scene) -> bool:
    answer = get_page(scene.port, "/readyz")
    return answer is not None and answer.status == 200


def test_what_a_clock_that_was_forty_days_ahead_wrote_is_reported_and_taken_back(scene: Scene) -> None:
    before = scene.books.newest_result_at()
    assert scene.daemon.stop() < STOP_TIMEOUT
    scene.step("+40d")
    scene.daemon.start()
    wait_for("the ledger is days ahead", lambda: scene.books.newest_result_at() > now_ms() + 39 * DAY)
    scene.doors.close(address(COUNT - 1))
    wait_for("the fall is in the ledger", scene.books.outages)
    wait_for("it says so", lambda: metrics(scene.port).get("monitor_clock_holds") == 1)
    assert not _ready(scene)
    assert "leapt 40 d" in scene.daemon.output()
    assert scene.daemon.stop() < STOP_TIMEOUT

    scene.step("+0")
    scene.daemon.start()
    wait_for("the operators have a mail", lambda: any("CLOCK" in mail.subject for mail in scene.books.mails()))
    assert metrics(scene.port)["monitor_clock_behind_seconds"] > 39 * 86_400
    last_sweep = wait_for(
        "a sweep is over", lambda: metrics(scene.port).get("monitor_last_sweep_timestamp_seconds", 0.0)
    )
    assert abs(last_sweep - time.time()) < 60
    assert not _ready(scene)
    status = scene.daemon.run_json("status")
    assert "after this machine's clock" in status["daemon"]["problems"]["clock"]
    page = get_page(scene.port, "/")
    assert page is not None
    assert "monitor clock reject" in page.text
    [waiting] = _mails_of_outages(scene)
    assert waiting.state == "pending"
    assert scene.daemon.run_cli("close").status == 2

    scene.doors.open(address(COUNT - 1))
    decision = scene.daemon.run_json("clock", "reject", "--yes")
    assert decision["results"] > 0
    wait_for("it is ready again", lambda: _ready(scene))
    wait_for("it records by the clock", lambda: before < scene.books.newest_result_at() <= now_ms() + 1000)
    wait_for("every check has a result again", lambda: metrics(scene.port).get("monitor_clock_holds") == 0)
    assert scene.books.outages() == []
    assert scene.daemon.run_json("clock", "show")["state"] == "trusted"
    assert scene.daemon.stop() < STOP_TIMEOUT
    assert "Traceback" not in scene.daemon.output()
    scene.daemon.verify()


def test_a_leap_of_days_under_a_running_daemon_is_not_followed_until_it_is_accepted(scene: Scene) -> None:
    scene.step("+40d")
    wait_for("it says so", lambda: metrics(scene.port).get("monitor_clock_holds") == 1)
    before = scene.books.newest_result_at()
    wait_for("it goes on", lambda: scene.books.newest_result_at() > before + 2 * INTERVAL)
    assert scene.books.newest_result_at() < now_ms() + HOUR
    scene.step("+0")
    wait_for("all is well again", lambda: metrics(scene.port).get("monitor_clock_holds") == 0)
    assert _ready(scene)
    _ended_well(scene)


def test_mail_leaves_in_time_whatever_the_clock_does(scene: Scene) -> None:
    scene.step("-1h")
    wait_for("the step is noticed", lambda: "the wall clock was stepped by -3" in scene.daemon.output())
    scene.doors.close(address(COUNT - 1))
    wait_for("the mail has left", lambda: _mails_of_outages(scene) and not scene.books.pending_mails())
    scene.step("+1h")
    wait_for("the books are an hour ahead", lambda: scene.books.newest_result_at() > now_ms() + HOUR - 5 * INTERVAL)
    scene.doors.open(address(COUNT - 1))
    wait_for("the second has left", lambda: len(_mails_of_outages(scene)) == 2 and not scene.books.pending_mails())
    [outage] = scene.books.outages()
    assert outage.end is not None
