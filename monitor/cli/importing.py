"""``monitor import``: import results that were measured elsewhere."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, TextIO

import click

from monitor.cli.app import App, json_option, parse_timestamp, print_json
from monitor.cli.csv_input import MAX_REPORTED_LINES, BadLines, open_csv, quote_value, read_rows
from monitor.cli.progress import progress
from monitor.formatting import pluralize, read_csv_cell
from monitor.ledger.months.retroactive import import_results
from monitor.model import Outcome
from monitor.store import import_staging
from monitor.store.import_staging import StagedRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.store.import_staging import RowConflict

HEADER = ["server", "check", "time", "outcome", "latency_ms"]
OPTIONAL_COLUMNS = ("attempts", "reason")
"""Columns that `monitor results` writes as well."""
OUTCOMES = {outcome.name.lower(): outcome for outcome in Outcome}
CHUNK_SIZE = 10_000
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?(e[+-]?[0-9]{1,2})?", re.ASCII | re.IGNORECASE)
_ATTEMPT_COUNT = re.compile(r"[0-9]{1,6}", re.ASCII)
MAX_REASON_LENGTH = 500
MAX_LATENCY_MS = Decimal(86_400_000)
"""Milliseconds: a day."""


@click.group("import")
def import_() -> None:
    """Import results that were measured elsewhere."""


@import_.command("csv")
@click.argument("file", metavar="FILE")
@json_option
@click.pass_obj
def from_csv(app: App, *, file: str, as_json: bool) -> None:
    """Import a CSV file of results; - reads standard input. Prints how many are new.

    Header and columns: server,check,time,outcome,latency_ms, optionally followed by attempts,reason, as monitor results
    writes them. Times are ISO 8601 with an offset, at most milliseconds, none in the future; the outcome is ok, fail or
    unknown. Lines may be in any order; a line that is already recorded is skipped. The whole file is imported or
    nothing of it.
    """
    app.valid_config  # noqa: B018 - report a faulty configuration before anything is read
    with open_csv(file) as stream, app.open_for_writing() as db:
        now = app.now(db)
        import_staging.create_tables(db)
        faults = BadLines()
        lines = _stage_rows(app, db, stream, now, faults)
        _report_conflicts(db, faults)
        faults.raise_any()
        with progress("recording", lines) as step:
            count = import_results(db, app.config.terms(now), now, step)
    if as_json:
        print_json({"lines": lines, "new": count})
    else:
        click.echo(f"{pluralize(count, 'new result')} of {pluralize(lines, 'line')}")


def _stage_rows(app: App, db: Database, stream: TextIO, now: Millis, faults: BadLines) -> int:
    """Stage every valid line; return how many there are."""
    count = 0
    lines = _read_rows(app, stream, now, faults)
    with progress("reading", 0) as step:
        while chunk := list(islice(lines, CHUNK_SIZE)):
            import_staging.stage_rows(db, chunk)
            count += len(chunk)
            step(count)
    return count


def _read_rows(app: App, stream: TextIO, now: Millis, faults: BadLines) -> Iterator[StagedRow]:
    """Yield the valid lines; add the others to ``faults``."""
    known = {(server.id, check.key.name) for server in app.config.servers for check in server.checks}
    servers = {server.id for server in app.config.servers}
    times: dict[str, Millis] = {}
    for number, row in read_rows(stream, HEADER, faults, optional=OPTIONAL_COLUMNS):
        try:
            yield _parse_row(number, row, known, servers, now, times)
        except ValueError as fault:
            faults.add(number, str(fault))


def _parse_row(
    number: int,
    row: list[str],
    known_checks: set[tuple[str, str]],
    servers: set[str],
    now: Millis,
    parsed_times: dict[str, Millis],
) -> StagedRow:
    """Parse one line. Raises ValueError with the column, the value and the reason."""
    server, name, when, outcome, latency, *more = map(read_csv_cell, row)
    if (server, name) not in known_checks:
        if server not in servers:
            raise ValueError(f"server {quote_value(server)}: not in the configuration")
        raise ValueError(f"check {quote_value(name)}: server {server} has no such check in the configuration")
    at = parsed_times.get(when)
    if at is None:
        if len(parsed_times) > CHUNK_SIZE:
            parsed_times.clear()
        at = parsed_times[when] = _parse_time(when)
    if at > now:
        raise ValueError(f"time {quote_value(when)}: lies in the future")
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome {quote_value(outcome)}: must be ok, fail or unknown")
    return StagedRow(
        number, server, name, at, OUTCOMES[outcome], _parse_latency(latency), *_parse_optional(more, outcome)
    )


def _parse_optional(columns: list[str], outcome: str) -> tuple[int, str | None]:
    """Parse attempts and reason, if the file has them."""
    if not columns:
        return 1, None
    attempts, reason = columns
    if not _ATTEMPT_COUNT.fullmatch(attempts):
        raise ValueError(f"attempts {quote_value(attempts)}: must be a whole number from 0 to 999999")
    if len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
        raise ValueError(
            f"reason {quote_value(reason)}: must be one line of text, {MAX_REASON_LENGTH} characters at most"
        )
    if reason and outcome == "ok":
        raise ValueError(f"reason {quote_value(reason)}: must be empty where the outcome is ok")
    return int(attempts), reason or None


def _parse_time(text: str) -> Millis:
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise ValueError(f"time {quote_value(text)}: {error}") from None


def _parse_latency(text: str) -> int | None:
    """Return milliseconds, whole or decimal, as microseconds rounded half up; None if empty."""
    if not text:
        return None
    value = Decimal(text) if _DECIMAL.fullmatch(text) else None
    if value is None or value > MAX_LATENCY_MS:
        raise ValueError(f"latency_ms {quote_value(text)}: must be a number of milliseconds from 0 to a day, or empty")
    return int((value * 2000 + 1) // 2)


def _report_conflicts(db: Database, faults: BadLines) -> None:
    """Add the lines that contradict another line or a recorded result."""
    found, count = import_staging.find_conflicts(db, MAX_REPORTED_LINES)
    faults.add_all(((conflict.line_number, _conflict_text(conflict)) for conflict in found), count)


def _conflict_text(conflict: RowConflict) -> str:
    where = "the records say" if conflict.other_line is None else f"line {conflict.other_line} says"
    other = conflict.other_outcome.name.lower()
    return f"outcome {conflict.row_outcome.name.lower()!r}: {where} {other} for the same moment"
