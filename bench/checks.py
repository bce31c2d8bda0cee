"""``python -m bench checks``: 2,000 service checks a minute of all types, a tenth of the servers hanging.

Each server is pinged and has two services, the types in turn; what they meet are stand-ins that speak each protocol as
far as a check goes (``bench/standins.py``). Those that hang take every connection, and say nothing. The whole daemon
runs over this, and every slot counts from its start on. Then each type is measured by itself: the probe as the daemon
begins it in a process that does nothing else, short runs of which the median counts, and blackbox_exporter likewise
where it has a prober for the same.
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
from bench.check_kinds import KINDS, SILENT, modules
from bench.check_load import Wish, check
from bench.config_generator import check_table
from bench.daemon_process import lag, running
from bench.loopback import addresses
from bench.report import Row
from bench.standins import standins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.blackbox import Blackbox
    from bench.check_kinds import Kind
    from bench.daemon_process import Running, Seen

PER_MINUTE = 2_000
"""Service checks."""
SERVICES = 2
TENTH = 10
TIMEOUT = 5
RUNS = 3
SETTLING = 5.0
"""Seconds beyond the longest cycle, in which what it gave is written down."""
LAG = 50
"""Milliseconds."""
TARGETS = 500
"""Addresses that blackbox_exporter is given in turn."""
_SERVICES = [kind for kind in KINDS if kind.type != "icmp"]
_LAST = re.compile(r'^probe_success\{server="server-(\d+)",check="service-(\d)"\} ([01])$', re.MULTILINE)


def hangs(number: int) -> bool:
    """Whether a server of that number hangs."""
    return number % TENTH == 0


def kind_of(number: int, place: int) -> Kind:
    """Give what a service is: two types a server, so that those that hang have every type among them."""
    return _SERVICES[(SERVICES * number + place + number // TENTH) % len(_SERVICES)]


def answers(number: int, place: int) -> bool:
    """Whether a service is to be found well: a port that takes connections is all that the type tcp asks for."""
    return not hangs(number) or kind_of(number, place).type == "tcp"


def services(number: int, address: str, folder: Path) -> str:
    """Write the services of a server."""
    kinds = [kind_of(number, place) for place in range(SERVICES)]
    port = SILENT if hangs(number) else None
    tables = (
        check_table(f"service-{n}", each.type, each.settings(address, folder, port)) for n, each in enumerate(kinds)
    )
    return "".join(tables)


def whole(folder: Path, interval: int, seconds: int) -> list[Row]:
    """Run the daemon over all types at once."""
    servers = PER_MINUTE * interval // 60 // SERVICES
    with running(
        servers, interval=interval, timeout=TIMEOUT, written=lambda number, address: services(number, address, folder)
    ) as daemon:
        longest = 3 * TIMEOUT + 2  # three attempts, and the second before each of the retries
        time.sleep(interval + longest + SETTLING)
        before = daemon.seen()
        time.sleep(seconds)
        after = daemon.seen()
        return _rows(daemon, servers, before, after)


def _rows(daemon: Running, servers: int, before: Seen, after: Seen) -> list[Row]:
    load = f"{PER_MINUTE:,} service checks a minute of all types, a tenth hanging"
    last = [tuple(map(int, found)) for found in _LAST.findall(daemon.get("/metrics").decode())]
    wrong = sum(answers(number, place) != answered for number, place, answered in last) + SERVICES * servers - len(last)
    passed = after.at - before.at
    made = _services(after) - _services(before)
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
        Row(f"{load}: lag p99", lag(before, after, 0.99), "ms", at_most=LAG),
        Row(f"{load}: processor", 100 * (after.cpu - before.cpu) / passed, "% of a core"),
        Row(f"{load}: memory", after.rss_kib * 1024 / 1e6, "MB"),
    ]


def _services(seen: Seen) -> float:
    pings = seen.metrics.get('monitor_results_total{prober="icmp"}', 0)
    return seen.total("monitor_results_total") - pings


def alone(kind: Kind, folder: Path, rate: int, seconds: float, exporter: Blackbox | None) -> Row:
    """Measure one type by itself, ours and theirs."""
    runs = check(Wish(kind.type, kind.settings("ADDRESS", folder), rate, seconds, runs=RUNS))
    note = f"{sum(run.answered for run in runs)} of {sum(run.checks for run in runs)} answered"
    peer = None
    if exporter is not None and kind.prober is not None:
        probes = [(kind.name, kind.target(address)) for address in addresses(TARGETS)]
        theirs = [exporter.paced(probes, rate, seconds) for _ in range(RUNS)]
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
    """Measure checks of all types: the whole daemon with a tenth of the servers hanging, and each type by itself."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with standins(folder):
            found = [] if names else whole(folder, interval, stretch)
            with blackbox(modules(folder)) as exporter:
                chosen = [kind for kind in KINDS if not names or kind.name in names]
                return [*found, *(alone(kind, folder, rate, each, exporter) for kind in chosen)]
