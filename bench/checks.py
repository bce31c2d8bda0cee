"""``python -m bench checks``: 2,000 service checks a minute of all types, a tenth of the servers hanging.

Each server has a ping and two services of alternating types, on stand-ins that speak as much of each protocol as a
check needs (``bench/standins.py``). Those that hang accept every connection and send nothing. The whole daemon runs on
this, and every slot from its start on counts. Then each type is measured alone: the probe as the daemon starts it, in a
process that does nothing else, in short runs whose median counts; and blackbox_exporter, if it has such a prober.
"""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from bench.blackbox import blackbox
from bench.check_kinds import KINDS, SILENT_PORT, modules
from bench.check_load import CheckLoad, measure_checks
from bench.config_generator import service_toml
from bench.daemon_process import lag_quantile, run_daemon
from bench.loopback import addresses
from bench.report import Row
from bench.standins import run_standins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.blackbox import Blackbox
    from bench.check_kinds import BenchKind
    from bench.daemon_process import RunningDaemon, Snapshot

PER_MINUTE = 2_000
"""Service checks."""
SERVICES = 2
HANGING_EVERY = 10
TIMEOUT = 5
RUNS = 3
SETTLE_SECONDS = 5.0
"""Seconds after the longest check run, until its result is recorded."""
MAX_LAG_MS = 50
"""Milliseconds."""
TARGETS = 500
"""Addresses that blackbox_exporter probes in turn."""
_SERVICES = [kind for kind in KINDS if kind.type != "icmp"]
_LAST = re.compile(r'^probe_success\{server="server-(\d+)",check="service-(\d)"\} ([01])$', re.MULTILINE)


def is_hanging(number: int) -> bool:
    """Return whether the server of that number hangs."""
    return number % HANGING_EVERY == 0


def kind_of(number: int, index: int) -> BenchKind:
    """Return the type of a service: two types a server, such that the hanging ones have all types."""
    return _SERVICES[(SERVICES * number + index + number // HANGING_EVERY) % len(_SERVICES)]


def is_expected_ok(number: int, index: int) -> bool:
    """Return whether a service must be ok: for type tcp, a port that accepts connections is enough."""
    return not is_hanging(number) or kind_of(number, index).type == "tcp"


def services_toml(number: int, address: str, folder: Path) -> str:
    """Return the services of a server as TOML."""
    kinds = [kind_of(number, place) for place in range(SERVICES)]
    port = SILENT_PORT if is_hanging(number) else None
    tables = (
        service_toml(f"service-{n}", each.type, each.settings(address, folder, port)) for n, each in enumerate(kinds)
    )
    return "".join(tables)


def measure_daemon(folder: Path, interval: int, seconds: int) -> list[Row]:
    """Measure the daemon on all types at once."""
    servers = PER_MINUTE * interval // 60 // SERVICES
    with run_daemon(
        servers,
        interval=interval,
        timeout=TIMEOUT,
        services_toml=lambda number, address: services_toml(number, address, folder),
    ) as daemon:
        longest = 3 * TIMEOUT + 2  # three attempts, and a second before each retry
        time.sleep(interval + longest + SETTLE_SECONDS)
        before = daemon.snapshot()
        time.sleep(seconds)
        after = daemon.snapshot()
        return _rows(daemon, servers, before, after)


def _rows(daemon: RunningDaemon, servers: int, before: Snapshot, after: Snapshot) -> list[Row]:
    load = f"{PER_MINUTE:,} service checks a minute of all types, a tenth hanging"
    last = [tuple(map(int, found)) for found in _LAST.findall(daemon.get("/metrics").decode())]
    wrong = (
        sum(is_expected_ok(number, place) != answered for number, place, answered in last)
        + SERVICES * servers
        - len(last)
    )
    passed = after.at - before.at
    made = _service_results(after) - _service_results(before)
    return [
        Row(
            f"{load}: slots missed",
            after.total("monitor_slots_missed_total"),
            "slots",
            at_most=0,
            note=f"from the start on; {60 * made / passed:,.0f} service checks a minute at the end",
        ),
        Row(
            f"{load}: services judged wrongly",
            wrong,
            "services",
            at_most=0,
            note=f"of {SERVICES * servers:,}: fail where it hangs, ok elsewhere",
        ),
        Row(f"{load}: lag p99", lag_quantile(before, after, 0.99), "ms", at_most=MAX_LAG_MS),
        Row(f"{load}: processor", 100 * (after.cpu - before.cpu) / passed, "% of a core"),
        Row(f"{load}: memory", after.rss_kib * 1024 / 1e6, "MB"),
    ]


def _service_results(seen: Snapshot) -> float:
    pings = seen.metrics.get('monitor_results_total{prober="icmp"}', 0)
    return seen.total("monitor_results_total") - pings


def measure_kind(kind: BenchKind, folder: Path, rate: int, seconds: float, exporter: Blackbox | None) -> Row:
    """Measure one type alone, ours and the peer's."""
    runs = measure_checks(CheckLoad(kind.type, kind.settings("ADDRESS", folder), rate, seconds, runs=RUNS))
    note = f"{sum(run.answered for run in runs)} of {sum(run.checks for run in runs)} answered"
    peer = None
    if exporter is not None and kind.prober is not None:
        probes = [(kind.name, kind.target(address)) for address in addresses(TARGETS)]
        theirs = [exporter.run_paced(probes, rate, seconds) for _ in range(RUNS)]
        answered, asked = sum(cost.answered for cost in theirs), sum(cost.probes for cost in theirs)
        peer = median(cost.microseconds for cost in theirs) if answered else None
        note += f", the peer's {answered} of {asked}"
    elif kind.prober is None:
        note += "; blackbox_exporter has no such prober"
    else:
        note += "; blackbox_exporter is not installed"
    return Row(
        f"check of type {kind.name}, probe alone, {rate}/s",
        median(run.microseconds for run in runs),
        "us/check",
        peer,
        "blackbox_exporter",
        note="; ".join(filter(None, (note, kind.note))),
        more={"runs": [run.microseconds for run in runs]},
    )


@click.command()
@click.option("--interval", default=30, show_default=True, type=click.IntRange(20), help="Seconds between sweeps.")
@click.option("--stretch", default=40, show_default=True, type=click.IntRange(1), help="Seconds of the whole daemon.")
@click.option(
    "--rate", default=333, show_default=True, type=click.IntRange(1, 2_000), help="Checks of a type, a second."
)
@click.option("--each", default=1.0, show_default=True, help=f"Seconds of each of the {RUNS} runs of a type.")
@click.option("--kind", "names", multiple=True, type=click.Choice([kind.name for kind in KINDS]), help="Only these.")
def main(interval: int, stretch: int, rate: int, each: float, names: Sequence[str]) -> list[Row]:
    """Measure checks of all types: the whole daemon with a tenth of the servers hanging, and each type alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with run_standins(folder):
            found = [] if names else measure_daemon(folder, interval, stretch)
            with blackbox(modules(folder)) as exporter:
                chosen = [kind for kind in KINDS if not names or kind.name in names]
                return [*found, *(measure_kind(kind, folder, rate, each, exporter) for kind in chosen)]
