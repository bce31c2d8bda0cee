"""Stores results that could not be recorded in a CSV file beside the database, for ``monitor import csv``."""

from __future__ import annotations

import csv
import datetime as dt
import logging
import os
from typing import TYPE_CHECKING, Final

from monitor.formatting import csv_cell
from monitor.ownership import make_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from monitor.model import Millis, Result

log = logging.getLogger(__name__)

HEADER: Final = ("server", "check", "time", "outcome", "latency_ms", "attempts", "reason")


def time_stamp(at: Millis) -> str:
    """Return a time for use in file names: ``20261002T101500Z``."""
    return f"{dt.datetime.fromtimestamp(at // 1000, dt.UTC):%Y%m%dT%H%M%SZ}"


class UnsavedResults:
    """One file, which is created with the first result that is saved."""

    def __init__(self, data_dir: Path, started_at: Millis) -> None:
        self.path = data_dir / f"unsaved-results-{time_stamp(started_at)}.csv"
        self.count = 0
        """Results in the file."""

    def save(self, results: Iterable[Result]) -> None:
        """Append results and sync them to the disk. Raises OSError."""
        rows = [_row(result) for result in results]
        if not rows:
            return
        make_file(self.path)
        with self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if file.tell() == 0:
                writer.writerow(HEADER)
            writer.writerows(rows)
            file.flush()
            os.fsync(file.fileno())
        self.count += len(rows)


def _row(result: Result) -> tuple[object, ...]:
    at = dt.datetime.fromtimestamp(result.at // 1000, dt.UTC)
    latency = "" if result.latency is None else f"{result.latency // 1000}.{result.latency % 1000:03d}"
    time = f"{at:%Y-%m-%dT%H:%M:%S}.{result.at % 1000:03d}Z"
    server, check, reason = map(csv_cell, (*result.check, result.reason))
    return (server, check, time, result.outcome.name.lower(), latency, result.attempts, reason)
