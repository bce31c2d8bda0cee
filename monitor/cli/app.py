"""What commands share: the configuration, the database, the time, and how values are read and printed."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

from monitor.clock import SystemClock
from monitor.config import load
from monitor.engine.gc_control import gc_paused
from monitor.errors import ConfigError, InputError, StoreError
from monitor.sla.calendar import FIRST_YEAR, LAST_YEAR
from monitor.store import database, results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sqlite_utils import Database

    from monitor.config import Config
    from monitor.ledger.context import LedgerContext
    from monitor.model import Millis

Command = TypeVar("Command", bound="Callable[..., Any]")

_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,3}0*)?)?(Z|[+-]\d{2}(:?\d{2})?)", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_EARLIEST = (dt.datetime(FIRST_YEAR, 1, 1, tzinfo=dt.UTC) - _EPOCH) // _MILLISECOND
_LATEST = (dt.datetime(LAST_YEAR + 1, 1, 1, tzinfo=dt.UTC) - _EPOCH) // _MILLISECOND


class _RecordNumberType(click.ParamType[int]):
    """The number of a record, as listings show it."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse the number. More than 18 digits are refused: no record has such a number."""
        if not re.fullmatch(r"[0-9]{1,18}", str(value)):
            self.fail(f"{value!r} is not the number of a record, such as 12", param, ctx)
        return int(value)


RECORD_NUMBER = _RecordNumberType()


@dataclass
class App:
    """One call of the command line."""

    config_path: Path
    config_error: ConfigError | None = None
    """The faults of the configuration, if the recorded terms are used in its place."""
    _warned: bool = False

    @cached_property
    def config(self) -> Config:
        """The configuration; while it has faults, the terms that are in force, which are enough to read.

        Raises ConfigError with all its faults if there are no recorded terms.
        """
        try:
            return load(self.config_path)
        except ConfigError as error:
            recorded = self._recorded_config()
            if recorded is None:
                raise
            self.config_error = error
            return recorded

    @property
    def valid_config(self) -> Config:
        """The configuration, for what records or probes. Raises ConfigError with all its faults."""
        config = self.config
        if self.config_error is not None:
            raise self.config_error
        return config

    def _recorded_config(self) -> Config | None:
        """Return a configuration of the recorded terms; None if the file does not say where they are, or none are."""
        from monitor.config.recorded import config_from_terms, find_data_dir  # noqa: PLC0415 - only for a faulty file
        from monitor.ledger.terms import terms_in_force  # noqa: PLC0415

        data_dir = find_data_dir(self.config_path)
        if data_dir is None or not (data_dir / database.DATABASE_FILE).exists():
            return None
        try:
            with closing(database.open_read_only(data_dir / database.DATABASE_FILE)) as db:
                found = terms_in_force(db, self.now(db))
        except StoreError:
            return None
        return None if found is None else config_from_terms(self.config_path, data_dir, found[1])

    def _warn_about_config(self) -> None:
        if self.config_error is not None and not self._warned:
            self._warned = True
            faults = self.config_error.faults
            more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
            click.echo(
                f"monitor: the configuration has faults, the terms in force are used: {faults[0]}{more};"
                " see `monitor check-config`",
                err=True,
            )

    @property
    def timezone(self) -> str:
        """The contract's time zone."""
        return self.config.contract.timezone

    @property
    def database_path(self) -> Path:
        """The database file."""
        return self.config.data_dir / database.DATABASE_FILE

    @contextmanager
    def open_for_reading(self) -> Iterator[Database]:
        """Open the database for reading, in one snapshot."""
        path = self.database_path
        self._warn_about_config()
        # everything that is read lives until the answer: garbage collection would scan it in vain
        with (
            gc_paused(),
            closing(database.open_read_only(path)) as db,
            database.translate_errors(path),
            database.snapshot(db),
        ):
            yield db

    @contextmanager
    def open_for_writing(self) -> Iterator[Database]:
        """Open the database for one write transaction. Raises ConfigError if the configuration has faults."""
        self.valid_config  # noqa: B018 - nothing is recorded by a faulty configuration
        db = database.open_read_write(self.database_path)
        try:
            with database.translate_errors(self.database_path), database.transaction(db):
                yield db
        finally:
            db.close()

    def now(self, db: Database) -> Millis:
        """Return the present time, or that of the newest result if the clock was set back behind it."""
        return max(SystemClock().now(), results.newest_result_at(db) or 0)

    def ledger_context(self, at: Millis) -> LedgerContext:
        """Return what the ledger sees of the configuration."""
        from monitor.config.ledger_context import ledger_context  # noqa: PLC0415 - few commands need it, and the mails with it

        return ledger_context(self.config, at)

    def parse_time(self, text: str, option: str) -> Millis:
        """Parse a time: ISO 8601, in the contract's zone if it has no offset. Raises InputError."""
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            raise InputError(f"{option} {text}: not a time; write ISO 8601, such as 2026-10-02T13:15+03:00") from None
        try:
            if moment.tzinfo is None:
                moment = localize(moment, ZoneInfo(self.timezone))
            return _to_millis(moment)
        except ValueError as error:
            raise InputError(f"{option} {text}: {error}") from None

    def format_time(self, at: Millis | None) -> str:
        """Format a time for people: in the contract's zone, with its offset."""
        if at is None:
            return "-"
        moment = (_EPOCH + at * _MILLISECOND).astimezone(ZoneInfo(self.timezone))
        return moment.isoformat(sep=" ", timespec="seconds")


def localize(moment: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return a local time in its zone. Raises ValueError, with both offsets, if it does not exist or exists twice."""
    first, second = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None) != moment:
        before, after = _format_offset(first), _format_offset(second)
        raise ValueError(f"does not exist in {zone.key}: the clock moves from {before} to {after}; give an offset")
    raise ValueError(
        f"exists twice in {zone.key}: give the offset, {first.isoformat()} (before the clock moves back) or"
        f" {second.isoformat()} (after it)"
    )


def _format_offset(moment: dt.datetime) -> str:
    return moment.isoformat()[len(moment.replace(tzinfo=None).isoformat()) :]


def parse_timestamp(text: str) -> Millis:
    """Parse a time from a program: ISO 8601 with an offset, at most milliseconds. Raises ValueError with the reason."""
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError("must be ISO 8601 with an offset, at most milliseconds, such as 2026-10-02T13:15:00+03:00")
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a valid date and time") from None
    return _to_millis(found)


def _to_millis(moment: dt.datetime) -> Millis:
    """Return the moment in milliseconds. Raises ValueError for a year outside of the calendar's range."""
    at = (moment - _EPOCH) // _MILLISECOND
    if not _EARLIEST <= at < _LATEST:
        raise ValueError(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return at


def format_utc(at: Millis | None) -> str | None:
    """Format a time for programs: UTC with Z, milliseconds only if they are not zero."""
    if at is None:
        return None
    moment = _EPOCH + at * _MILLISECOND
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds" if at % 1000 else "seconds") + "Z"


def to_seconds(length: Millis) -> int | float:
    """Return a duration in seconds, exactly: an integer if it is whole.

    The float is only for JSON's decimals: the shortest text of ``n / 1000`` is the exact decimal for every duration
    below 280,000 years.
    """
    return length // 1000 if length % 1000 == 0 else length / 1000


def format_duration(length: Millis) -> str:
    """Format a duration for people: ``2 h 5 min``, ``7 min 30 s``, ``0 s``."""
    sign, rest = ("-" if length < 0 else ""), abs(length)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    if rest or not parts:
        parts.append(f"{to_seconds(rest)} s")
    return sign + " ".join(parts)


def confirm(question: str, *, yes: bool) -> bool:
    """Ask before something that cannot be undone; ``yes`` is the answer. Raises InputError where nobody can answer."""
    if yes:
        return True
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        raise InputError("not confirmed, nothing was recorded: answer y, or add --yes") from None


def print_json(body: object) -> None:
    """Print one JSON document, in ASCII if the output's encoding does not have all its characters."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        text = json.dumps(body, indent=2)
    click.echo(text)


def print_table(headers: Iterable[str], rows: Iterable[Iterable[Any]], *, empty: str) -> None:
    """Print a table, or the line ``empty`` if it has no rows."""
    from tabulate import tabulate  # noqa: PLC0415 - only tables need it

    body = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not body:
        click.echo(empty)
        return
    click.echo(tabulate(body, headers=list(headers), disable_numparse=True, tablefmt="simple"))


def json_option(command: Command) -> Command:
    """Add ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)
