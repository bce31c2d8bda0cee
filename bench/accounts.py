"""Accounts of a month: by the command line, with growing years of history; and from an open database.

``bench/synthetic_ledger.py`` describes the history. The command line is measured as whole processes without output: the
median of the elapsed time, and the processor time, which is more reliable on a busy machine.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from bench.report import Row
from bench.synthetic_ledger import SyntheticLedger
from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.months.closing import close
from monitor.ledger.months.corrections import last_month_differs
from monitor.sla.calendar import parse_month
from monitor.store import database

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlite_utils import Database

GOALS = {"all": 2.0, "one": 0.3, "status": 1.0, "many": 1.0, "drift": 1.0}
"""Seconds."""


def time_median(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Run work several times; return the medians of elapsed and of processor seconds."""
    passed, spent = [], []
    for _ in range(times):
        before, began = os.times(), time.perf_counter()
        work()
        after = os.times()
        passed.append(time.perf_counter() - began)
        spent.append(sum(after[:4]) - sum(before[:4]))
    return median(passed), median(spent)


def measure_row(label: str, work: Callable[[], object], times: int, goal: str = "") -> Row:
    """Return the row of one measurement."""
    passed, spent = time_median(work, times)
    return Row(label, passed, "s", at_most=GOALS.get(goal), note=f"{spent:.2f} s CPU", more={"cpu_seconds": spent})


def cli_call(synthetic: SyntheticLedger, *arguments: str) -> Callable[[], object]:
    """Return a function that runs a command in its own process."""
    command = [sys.executable, "-m", "monitor", "--config", str(synthetic.config), *arguments]
    return lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)  # noqa: S603 - our own program


def measure_command_line(subscriptions: int, years: Sequence[int], times: int) -> list[Row]:
    """Run the same commands after so many years of history each; at the end run the other commands too."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        end = time.gmtime().tm_year
        ledger = SyntheticLedger(Path(folder), subscriptions, end - max(years) + 1)
        first = f"{end - max(years) + 1}-02"
        label = f"{subscriptions:,} subscriptions"
        for year in range(1, max(years) + 1):
            ledger.add_year()
            if year not in years:
                continue
            size = ledger.file.stat().st_size >> 20
            stored = f"{year} {'year' if year == 1 else 'years'} stored ({size} MiB)"
            month = ("availability", "--month", ledger.last_finished_month, "--json")
            rows += [
                measure_row(f"availability of a month, {label}, {stored}", cli_call(ledger, *month), times, "all"),
                measure_row(
                    f"the same, one of them, {stored}", cli_call(ledger, *month, "--subscription", "s7"), times, "one"
                ),
            ]
        rows += [
            measure_row(
                f"availability of the first month, {stored}", cli_call(ledger, "availability", "--month", first), times
            ),
            *_other_commands(ledger, label, times),
            *_closing(ledger, label, times),
        ]
    return rows


def _other_commands(ledger: SyntheticLedger, subscription: str, times: int) -> list[Row]:
    month = ledger.last_finished_month
    return [
        measure_row(f"credits of a month, {subscription}", cli_call(ledger, "credits", "--month", month), times),
        measure_row(f"status, {subscription}", cli_call(ledger, "status"), times, "status"),
        measure_row("explain one instant", cli_call(ledger, "explain", "s7", "--at", f"{month}-12T10:00"), times),
        measure_row(
            f"outages of a month, {subscription}", cli_call(ledger, "outages", "list", "--month", month), times
        ),
    ]


def _closing(ledger: SyntheticLedger, subscription: str, times: int) -> list[Row]:
    """Close a month, and check whether it differs from its closing, as the daemon does every hour."""
    at = ledger.now - 1
    terms, when = ledger.terms(at), parse_month(ledger.last_finished_month)
    db = database.open_read_write(ledger.file)

    def freeze() -> None:
        db.execute("BEGIN IMMEDIATE")
        close(db, terms, when, at, "bench")
        db.conn.rollback()

    closed = measure_row(f"close a month, {subscription}", freeze, times)
    with database.transaction(db):
        close(db, terms, when, at, "bench")
    drifts = measure_row(
        f"whether the month closed last drifted, {subscription}", lambda: last_month_differs(db, at), times, "drift"
    )
    db.close()
    return [closed, drifts]


def measure_store(subscriptions: int, times: int) -> list[Row]:
    """Read a month from an open database."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = SyntheticLedger(Path(folder), subscriptions, time.gmtime().tm_year)
        ledger.add_year()
        when, terms = parse_month(ledger.last_finished_month), ledger.terms(ledger.now)
        db = database.open_read_only(ledger.file)

        def read(db: Database = db) -> None:
            gc.disable()  # as the command line and the daemon do
            try:
                LedgerView(db, ledger.now, terms).month(*when)
            finally:
                gc.enable()

        found = measure_row(
            f"accounts of a month, {subscriptions:,} subscriptions, from open books", read, times, "many"
        )
        db.close()
    return [found]


@click.command()
@click.option("--subscriptions", default=1_000, show_default=True, type=click.IntRange(10))
@click.option("--years", default="1,2,4", show_default=True, help="Measure after so many years each.")
@click.option(
    "--many", default=10_000, show_default=True, type=click.IntRange(10), help="Subscriptions in the open database."
)
@click.option("--times", default=3, show_default=True, type=click.IntRange(1), help="Repetitions; medians count.")
def main(subscriptions: int, years: str, many: int, times: int) -> list[Row]:
    """Measure the accounts of a month, with one and with several years of history."""
    return [
        *measure_command_line(subscriptions, [int(year) for year in years.split(",")], times),
        *measure_store(many, times),
    ]
