"""A half of 2,000 servers goes silent at once: each outage in its own slot, no other moves, few mails, a live loop."""

from __future__ import annotations

import threading
import time
import urllib.request
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from monitor.engine.probing.scheduler import slot_offset
from monitor.model import Outcome
from monitor.store import database, history, outbox
from tests.fakes import all_results
from tests.integration.lab_daemon import Daemon
from tests.integration.network_lab import NetworkLab, lab, run_program, skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.model import Millis, Outage, Result
    from monitor.store.outbox import Mail

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(skip_reason()), reason=skip_reason() or "can run"),
]

SERVERS = 2_000
INTERVAL = 4_000
CUSTOMERS = 4
SILENT_FOR = 11.0
"""Seconds: two slots of every server at least."""
LONGEST = 1_100
"""Milliseconds that a cycle takes at most."""
MOVED = 1_000
"""Milliseconds by which a slot must have moved to be another one: far beyond what a busy machine delays it."""
PROMPT = 0.25
"""Seconds within which all but a few probes leave after their slots, and the page answers, also on a busy machine."""
PAGE = "http://127.0.0.1:9809"
_RULES = """
table inet silence {
  set silent { type ipv4_addr; }
  chain in { type filter hook input priority 0; icmp type echo-request ip daddr @silent drop; }
}
"""


def address(number: int) -> str:
    return f"127.1.{number // 250}.{1 + number % 250}"


SILENT = frozenset(range(0, SERVERS, 2))


def configuration(folder: Path) -> Path:
    parts = [
        f"[monitor]\ninterval = {INTERVAL // 1000}\ntimeout = 0.3\nretries = 2\nretry_wait = 0.1",
        f'data_dir = "{folder}"\ncanaries = ["127.0.0.1"]\n',
        f'[web]\nlisten = "{PAGE.removeprefix("http://")}"\n[email]\ntransport = "file"\n',
        *(f'[[customer]]\nid = "c{n}"\nname = "C{n}"\nemails = ["c{n}@example.com"]\n' for n in range(CUSTOMERS)),
        *(
            f'[[server]]\nid = "s{n}"\naddress = "{address(n)}"\nlevel = 2\n'
            f'[[subscription]]\nid = "s{n}"\ncustomer = "c{n * CUSTOMERS // SERVERS}"\nserver = "s{n}"\n'
            'product = "server"\n'
            for n in range(SERVERS)
        ),
    ]
    file = folder / "config.toml"
    file.write_text("\n".join(parts))
    return file


def get(path: str) -> str:
    with urllib.request.urlopen(f"{PAGE}{path}", timeout=30) as page:
        text: str = page.read().decode()
        return text


async def told_by_metrics() -> dict[str, float]:
    lines = get("/metrics").splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if "#" not in name}


@dataclass(frozen=True)
class Told:
    """What the monitor wrote while it happened."""

    cut: tuple[Millis, Millis]
    """Before and after the road was cut; the packet filter takes its time for a thousand addresses."""
    mended: tuple[Millis, Millis]
    results: dict[str, list[Result]]
    outages: list[Outage]
    mails: list[Mail]
    missed: int
    left: float
    """How many probes left at all."""
    prompt: float
    """How many of them left within ``PROMPT`` seconds of their slots."""
    answers: list[float]
    """Seconds that each request for the health of the loop took meanwhile."""


class Patient:
    """Asks again and again whether the loop turns, on the monitor's side, in a thread."""

    def __init__(self, net: NetworkLab) -> None:
        self.answers: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: net.run_in_namespace(self._ask()))
        self._thread.start()

    async def _ask(self) -> None:
        while not self._over.wait(0.1):
            began = time.monotonic()
            get("/healthz")
            self.answers.append(time.monotonic() - began)

    def end(self) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("silence")
    silent = ", ".join(address(n) for n in sorted(SILENT))
    with lab(servers=1) as net:
        net.permit_pings()
        nft = net.command("nft", "-f", "-")
        run_program(*nft, text=_RULES)
        with Daemon(configuration(folder), tuple(net.command())) as daemon:
            time.sleep(2.5 * INTERVAL / 1000)  # every server has been seen to answer
            patient = Patient(net)
            cut = filtered(nft, f"add element inet silence silent {{ {silent} }}")
            time.sleep(SILENT_FOR)
            mended = filtered(nft, "flush set inet silence silent")
            time.sleep(2 * INTERVAL / 1000)
            patient.end()
            seen = net.run_in_namespace(told_by_metrics())
            daemon.stop()
        db = database.open_read_only(folder / database.DATABASE_FILE)
        by_server: dict[str, list[Result]] = {f"s{n}": [] for n in range(SERVERS)}
        for each in all_results(db):
            by_server[each.check.server].append(each)
        mails = list(outbox.list_mails(db))
        found = list(history.list_outages(db))
        yield Told(
            cut,
            mended,
            by_server,
            found,
            mails,
            missed=int(seen["monitor_slots_missed_total"]),
            left=seen["monitor_probe_lag_seconds_count"],
            prompt=seen[f'monitor_probe_lag_seconds_bucket{{le="{PROMPT}"}}'],
            answers=patient.answers,
        )


def filtered(nft: list[str], rule: str) -> tuple[Millis, Millis]:
    """Put a rule into force; gives when that began and when it was done."""
    before = int(time.time() * 1000)
    run_program(*nft, text=rule)
    return before, int(time.time() * 1000)


def test_every_outage_is_found_in_its_servers_own_next_slot(told: Told) -> None:
    assert {each.check.server for each in told.outages} == {f"s{n}" for n in SILENT}
    assert len(told.outages) == len(SILENT)
    for outage in told.outages:
        assert told.cut[0] - MOVED <= outage.start <= told.cut[1] + INTERVAL + MOVED
        assert outage.reason == "timeout"
        assert outage.end is not None
        # a retry can meet the mended server, and the result has the time of its first attempt
        assert told.mended[0] - LONGEST - MOVED <= outage.end <= told.mended[1] + INTERVAL + MOVED


def test_nobody_else_saw_anything(told: Told) -> None:
    others = [each for n in set(range(SERVERS)) - SILENT for each in told.results[f"s{n}"]]
    assert {each.outcome for each in others} == {Outcome.OK}


def test_no_slot_moves_and_none_is_missed(told: Told) -> None:
    assert told.missed == 0
    for server, seen in told.results.items():
        assert len(seen) >= 4
        # both clocks are read in whole milliseconds, so a result can be written a millisecond before its slot
        off = [(each.at - slot_offset(server, INTERVAL) + MOVED) % INTERVAL - MOVED for each in seen]
        assert max(map(abs, off)) < MOVED, server
        assert all(abs(after.at - before.at - INTERVAL) < MOVED for before, after in pairwise(seen))


def test_mails_are_grouped(told: Told) -> None:
    told_of = [mail for mail in told.mails if mail.kind == "outages" and mail.customer]
    # two sweeps see the beginning, two the end, since the cable was not cut between two of them
    assert CUSTOMERS <= len(told_of) <= 4 * CUSTOMERS
    news = [(each["server"], each["notice"]) for mail in told_of for each in mail.body["news"]]
    assert sorted(news) == sorted((f"s{n}", notice) for n in SILENT for notice in ("down", "up"))


def test_the_loop_stays_responsive(told: Told) -> None:
    assert len(told.answers) > 50
    # all of them are pushed aside by a machine that is busy with something else for a moment; a loop that is held up by
    # a thousand outages at once would let go of far more
    assert told.prompt >= 0.95 * told.left
    answers = sorted(told.answers)
    assert answers[len(answers) * 95 // 100] <= PROMPT
    assert answers[-1] < INTERVAL / 1000
