"""``python -m bench soak``: 10,000 servers for half an hour: memory, size of the database, lag.

The daemon is scraped every minute. Its memory at the end is compared with that after a third of the time, until when it
grows to its normal size.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from bench.daemon_process import WEBSITE_PORT, lag_quantile, run_daemon
from bench.report import Row
from bench.website import run_website

if TYPE_CHECKING:
    from bench.daemon_process import Snapshot

SAMPLE_INTERVAL = 60.0
SERVICES = 2
MIB = 1024
MAX_GROWTH_MIB = 5
"""MiB of variation that count as flat: a fiftieth of the goal."""


@click.command()
@click.option("--servers", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--minutes", default=30, show_default=True, type=click.IntRange(3))
@click.option("--interval", default=60, show_default=True, type=click.IntRange(4), help="Seconds between sweeps.")
def main(servers: int, minutes: int, interval: int) -> list[Row]:
    """Run the whole daemon for a long time, and measure whether it grows."""
    samples: list[tuple[Snapshot, int]] = []
    with run_website(WEBSITE_PORT), run_daemon(servers, services=SERVICES, interval=interval) as daemon:
        daemon.wait_for_sweeps(interval)
        for minute in range(minutes + 1):
            samples.append((daemon.snapshot(), daemon.database_bytes))
            seen, size = samples[-1]
            click.echo(f"{minute:>4} min  {seen.rss_kib / MIB:7.1f} MiB  {size / MIB / MIB:9.1f} MiB on disk", err=True)
            if minute < minutes:
                time.sleep(SAMPLE_INTERVAL)
    return rows(samples, f"{servers:,} x (ping + {SERVICES} http), {minutes} min")


def rows(samples: list[tuple[Snapshot, int]], load: str) -> list[Row]:
    """Return the rows of all samples."""
    (first, size), (last, at_end) = samples[0], samples[-1]
    settled, _ = samples[len(samples) // 3]
    results = last.total("monitor_results_total") - first.total("monitor_results_total")
    history = [{"rss_kib": seen.rss_kib, "database_bytes": size} for seen, size in samples]
    missed = last.total("monitor_slots_missed_total") - first.total("monitor_slots_missed_total")
    return [
        Row(f"{load}: memory at the end", last.rss_kib * 1024 / 1e6, "MB", at_most=250, more={"course": history}),
        Row(
            f"{load}: memory grown in the last two thirds",
            (last.rss_kib - settled.rss_kib) / MIB,
            "MiB",
            at_most=MAX_GROWTH_MIB,
            note="flat",
        ),
        Row(
            f"{load}: database grown, a result",
            (at_end - size) / max(1.0, results),
            "bytes",
            note=f"{at_end / MIB / MIB:.1f} MiB at the end; hours that are not over yet are not packed",
        ),
        Row(f"{load}: processor", 100 * (last.cpu - first.cpu) / (last.at - first.at), "% of a core"),
        Row(f"{load}: lag p99", lag_quantile(first, last, 0.99), "ms", at_most=50),
        Row(f"{load}: slots missed", missed, "slots", at_most=0),
        Row(
            f"{load}: failed or unknown",
            last.total("monitor_results_failed_total") + last.total("monitor_results_unknown_total"),
            "results",
            at_most=0,
        ),
    ]
