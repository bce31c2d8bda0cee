"""``monitor import``: results measured elsewhere."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, TextIO

import click

from monitor.cli.app import App, json_option, moment, print_json
from monitor.cli.csv_input import MOST_FAULTS, BadLines, opened, quoted, rows
from monitor.cli.progress import progress
from monitor.ledger.months.retroactive import take_in
from monitor.mail.text import counted
from monitor.model import Outcome
from monitor.store import import_staging
from monitor.store.import_staging import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from monitor.model import Millis
    from monitor.store.import_staging import Clash

HEADER = ["server", "check", "time", "outcome", "latency_ms"]
MORE = ("attempts", "reason")
"""Columns that `monitor results` writes as well."""
OUTCOMES = {outcome.name.lower(): outcome for outcome in Outcome}
CHUNK = 10_000
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?(e[+-]?[0-9]{1,2})?", re.ASCII | re.IGNORECASE)
_ATTEMPTS = re.compile(r"[0-9]{1,6}", re.ASCII)
LONGEST_REASON = 500
LONGEST_LATENCY = Decimal(86_400_000)
"""Milliseconds: a day."""


@click.group("import")
def import_() -> None:
    """Take in results that were measured elsewhere."""


@import_.command("csv")
@click.argument("file", metavar="FILE")
@json_option
@click.pass_obj
def from_csv(app: App, *, file: str, as_json: bool) -> None:
    """Take in a CSV file of results; - reads standard input. Prints how many were new.

    Header and columns: server,check,time,outcome,latency_ms, or these and attempts,reason, as monitor results writes
    them. Times are ISO 8601 with an offset, at most milliseconds, none in the future; the outcome is ok, fail or
    unknown. Lines may come in any order; a line that is known already is nothing new. A file is taken whole or not at
    all.
    """
    app.config  # noqa: B018 - a faulty configuration is told before anything is read
    with opened(file) as stream, app.writing() as db:
        now = app.now(db)
        import_staging.prepare(db)
        faults = BadLines()
        lines = _stage(app, db, stream, now, faults)
        _note_clashes(db, faults)
        faults.raise_any()
        with progress("recording", lines) as step:
            count = take_in(db, app.config.terms(now), now, step)
    if as_json:
        print_json({"lines": lines, "new": count})
    else:
        click.echo(f"{counted(count, 'new result')} of {counted(lines, 'line')}")


def _stage(app: App, db: Database, stream: TextIO, now: Millis, faults: BadLines) -> int:
    """Read every good line into the waiting room; gives how many there are."""
    count = 0
    lines = _lines(app, stream, now, faults)
    with progress("reading", 0) as step:
        while chunk := list(islice(lines, CHUNK)):
            import_staging.put(db, chunk)
            count += len(chunk)
            step(count)
    return count


def _lines(app: App, stream: TextIO, now: Millis, faults: BadLines) -> Iterator[Line]:
    """Read line after line; bad ones are noted and left out."""
    known = {(server.id, check.key.name) for server in app.config.servers for check in server.checks}
    servers = {server.id for server in app.config.servers}
    times: dict[str, Millis] = {}
    for number, row in rows(stream, HEADER, faults, more=MORE):
        try:
            yield _line(number, row, known, servers, now, times)
        except ValueError as fault:
            faults.add(number, str(fault))


def _line(
    number: int,
    row: list[str],
    known: set[tuple[str, str]],
    servers: set[str],
    now: Millis,
    times: dict[str, Millis],
) -> Line:
    """Read one line. Raises ValueError with the column, the value and the reason."""
    server, name, when, outcome, latency, *more = row
    if (server, name) not in known:
        if server not in servers:
            raise ValueError(f"server {quoted(server)}: not in the configuration")
        raise ValueError(f"check {quoted(name)}: server {server} has no such check in the configuration")
    at = times.get(when)
    if at is None:
        if len(times) > CHUNK:
            times.clear()
        at = times[when] = _time(when)
    if at > now:
        raise ValueError(f"time {quoted(when)}: lies in the future")
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome {quoted(outcome)}: must be ok, fail or unknown")
    return Line(number, server, name, at, OUTCOMES[outcome], _latency(latency), *_more(more, outcome))


def _more(more: list[str], outcome: str) -> tuple[int, str | None]:
    """Read attempts and reason, where a file has them."""
    if not more:
        return 1, None
    attempts, reason = more
    if not _ATTEMPTS.fullmatch(attempts):
        raise ValueError(f"attempts {quoted(attempts)}: must be a whole number from 0 to 999999")
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        raise ValueError(f"reason {quoted(reason)}: must be one line of text, {LONGEST_REASON} characters at most")
    if reason and outcome == "ok":
        raise ValueError(f"reason {quoted(reason)}: must be empty where the outcome is ok")
    return int(attempts), reason or None


def _time(text: str) -> Millis:
    try:
        return moment(text)
    except ValueError as error:
        raise ValueError(f"time {quoted(text)}: {error}") from None


def _latency(text: str) -> int | None:
    """Read milliseconds, whole or decimal, as microseconds rounded half up; empty is none."""
    if not text:
        return None
    value = Decimal(text) if _NUMBER.fullmatch(text) else None
    if value is None or value > LONGEST_LATENCY:
        raise ValueError(f"latency_ms {quoted(text)}: must be a number of milliseconds from 0 to a day, or empty")
    return int((value * 2000 + 1) // 2)


def _note_clashes(db: Database, faults: BadLines) -> None:
    """Note the lines that contradict another one or the records."""
    found, count = import_staging.clashes(db, MOST_FAULTS)
    faults.add_all(((clash.number, _contradiction(clash)) for clash in found), count)


def _contradiction(clash: Clash) -> str:
    where = "the records say" if clash.other is None else f"line {clash.other} says"
    return f"outcome {clash.said.name.lower()!r}: {where} {clash.outcome.name.lower()} for the same moment"
