"""``python -m bench libraries``: what our own code saves beside the library that could do the same.

Pings beside icmplib, pages beside aiohttp's client, the schedule beside one APScheduler job a check; ``bench scrape``
has ``generate_latest``. A row whose gain is under a tenth of what a check costs the whole daemon is a reason to take
the library; the calls for many packets at once have to save more than a twentieth.
"""

from __future__ import annotations

import json
import subprocess
import sys

import click

from bench.daemon_process import WEBSITE_PORT
from bench.report import Row
from bench.services import RESULTS_METRIC, SERVICES, measure_daemon
from bench.website import run_website

PAIRS = (
    ("a ping", "pings", "pings-icmplib", "icmplib, async_ping"),
    ("a ping, many packets a call", "pings", "pings-one-by-one", "one packet a call"),
    ("a page", "pages", "pages-aiohttp", "aiohttp, ClientSession"),
    ("a start of a check", "schedule", "schedule-apscheduler", "APScheduler, a job a check"),
)
"""What is done, by our code and by the other one (``bench.library_load``), and what that is."""


def microseconds(name: str, rate: int, seconds: int) -> tuple[float, str]:
    """Return what one piece of work costs in processor time, and how many went well."""
    command = [sys.executable, "-m", "bench.library_load", name, str(rate), str(seconds)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    seen = json.loads(done.stdout)
    return 1e6 * seen["cpu"] / max(1, seen["done"]), f"{seen['good']} of {seen['done']} well"


def daemon_cost(rate: int, seconds: int, interval: int) -> float:
    """Return the microseconds that a check costs the whole daemon."""
    before, after = measure_daemon(rate, seconds, interval)
    return 1e6 * (after.cpu - before.cpu) / max(1.0, after.total(RESULTS_METRIC) - before.total(RESULTS_METRIC))


@click.command()
@click.option("--rate", default=333, show_default=True, type=click.IntRange(1, 2_000))
@click.option("--seconds", default=15, show_default=True, type=click.IntRange(3))
@click.option("--interval", default=12, show_default=True, type=click.IntRange(4), help="Seconds between sweeps.")
def main(rate: int, seconds: int, interval: int) -> list[Row]:
    """Measure what our own code saves of what a check costs the whole daemon, beside the library for it."""
    found = []
    with run_website(WEBSITE_PORT):
        whole = daemon_cost(rate, seconds, interval)
        for what, own, other, library in PAIRS:
            ours, answered = microseconds(own, rate, seconds)
            theirs, their_answers = microseconds(other, rate, seconds)
            share = 100 * (theirs - ours) / whole
            note = f"saves {share:.0f} % of a check of the whole daemon ({whole:.0f} us); {answered}, {their_answers}"
            found.append(Row(f"{what}, {rate}/s", ours, "us", theirs, library, note=note))
    found.append(Row(f"a check, {SERVICES} http and a ping for each server, whole daemon", whole, "us"))
    return found
