"""``monitor results``: single results as they were recorded."""

from __future__ import annotations

import csv
import io
import json
from contextlib import ExitStack, contextmanager
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import click

from monitor.cli.app import App, format_utc
from monitor.cli.importing import HEADER, OPTIONAL_COLUMNS
from monitor.errors import InputError
from monitor.formatting import csv_cell
from monitor.model import CheckKey, Outcome
from monitor.store import results as stored

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.store.archive.codec import ResultRow

CHUNK_SIZE = 1_000
"""Lines in one write."""
_OUTCOME_NAMES = [outcome.name.lower() for outcome in Outcome]
_CheckResult: TypeAlias = "tuple[Millis, str, ResultRow]"


@click.command()
@click.argument("server")
@click.option("--check", metavar="NAME", help="Results of this check only.")
@click.option("--start", "start_text", metavar="T", required=True, help="The first moment, included.")
@click.option("--end", "end_text", metavar="T", required=True, help="The end, not included.")
@click.option(
    "--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="The output format."
)
@click.pass_obj
def results(app: App, *, server: str, check: str | None, start_text: str, end_text: str, form: str) -> None:
    """Print the single results of a server in an interval, as they were recorded, in time order.

    The output is CSV, which monitor import csv can read, or one JSON document. It is streamed, whatever its size.
    """
    start, end = app.parse_time(start_text, "--start"), app.parse_time(end_text, "--end")
    if start >= end:
        raise InputError(f"--end {end_text}: must lie after --start {start_text}")
    with app.open_for_reading() as db:
        names = _check_names(app, db, server)
        if check is not None and check not in names:
            has = f"it has {', '.join(names)}" if names else "it has none"
            raise InputError(f"--check {check}: server {server} has no such check; {has}")
        with _stream_results(db, server, names if check is None else [check], start, end) as found:
            if form == "csv":
                _print_csv(server, found)
            else:
                _print_json(server, start, end, found)


def _check_names(app: App, db: Database, server: str) -> list[str]:
    """Return the names of the checks that a server has or had. Raises InputError for an unknown server."""
    configured = next((each for each in app.config.servers if each.id == server), None)
    names = {key.name: None for key in sorted(stored.check_ids(db)) if key.server == server}
    if configured is None and not names:
        raise InputError(f"{server}: no such server in the configuration or the records")
    return list({each.key.name: None for each in configured.checks} | names if configured else names)


@contextmanager
def _stream_results(
    db: Database, server: str, names: list[str], start: Millis, end: Millis
) -> Iterator[Iterable[_CheckResult]]:
    """Merge the results of some checks in time order. Closes their queries at the end."""
    with ExitStack() as stack:
        streams = [_results_of_check(db, CheckKey(server, name), start, end) for name in names]
        for stream in streams:
            stack.callback(stream.close)
        yield merge(*streams) if len(streams) > 1 else streams[0] if streams else ()


def _results_of_check(db: Database, key: CheckKey, start: Millis, end: Millis) -> Generator[_CheckResult]:
    for moment in stored.rows_of_check(db, key, start, end):
        yield moment[0], key.name, moment


def _print_csv(server: str, rows: Iterable[_CheckResult]) -> None:
    lines = (
        (
            *(csv_cell(server), csv_cell(name), format_utc(at), _OUTCOME_NAMES[outcome]),
            *(_format_latency(latency), attempts, csv_cell(reason)),
        )
        for at, name, (_, outcome, attempts, latency, reason, _) in rows
    )
    page: Iterable[tuple[object, ...]] = [(*HEADER, *OPTIONAL_COLUMNS)]
    while page:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(page)
        click.echo(text.getvalue(), nl=False)
        page = list(islice(lines, CHUNK_SIZE))


def _format_latency(latency: int | None) -> str:
    return "" if latency is None else f"{latency // 1000}.{latency % 1000:03d}"


def _print_json(server: str, start: Millis, end: Millis, rows: Iterable[_CheckResult]) -> None:
    head = json.dumps({"server": server, "start": format_utc(start), "end": format_utc(end)}, ensure_ascii=False)
    click.echo(f'{head[:-1]}, "results": [', nl=False)
    lines = (
        json.dumps(
            {
                "check": name,
                "time": format_utc(at),
                "outcome": _OUTCOME_NAMES[outcome],
                "attempts": attempts,
                "latency_seconds": None if latency is None else latency / 1_000_000,
                "reason": reason,
            },
            ensure_ascii=False,
        )
        for at, name, (_, outcome, attempts, latency, reason, _) in rows
    )
    between = "\n"
    while page := list(islice(lines, CHUNK_SIZE)):
        click.echo(between + ",\n".join(page), nl=False)
        between = ",\n"
    click.echo("]}")
