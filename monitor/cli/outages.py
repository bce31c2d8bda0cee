"""``monitor outages``: outages, their durations and bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import (
    RECORD_NUMBER,
    App,
    format_duration,
    format_utc,
    json_option,
    print_json,
    print_table,
    to_seconds,
)
from monitor.errors import InputError
from monitor.ledger.accounts.accounts import LedgerView, measure_outage
from monitor.sla.calendar import parse_month
from monitor.sla.terms import month_window
from monitor.store import history as store
from monitor.store import results

if TYPE_CHECKING:
    from monitor.model import Outage


@click.group()
def outages() -> None:
    """List outages, or show one."""


@outages.command("list")
@click.option("--server", metavar="ID", help="Only outages of this server.")
@click.option(
    "--month", metavar="YYYY-MM", help="Only outages that overlap this calendar month in the contract's zone."
)
@json_option
@click.pass_obj
def listing(app: App, *, server: str | None, month: str | None, as_json: bool) -> None:
    """List outages by their start. Durations are those of the whole outage, not cut to the month."""
    with app.open_for_reading() as db:
        now = app.now(db)
        ledger = LedgerView(db, now, app.config.terms(now))
        known = {key.server for key in results.check_ids(db)} | app.config.servers_by_id.keys()
        if server is not None and server not in known:
            raise InputError(f"--server {server}: no such server in the configuration or the records")
        span = month_window(ledger.versions, *parse_month(month)) if month is not None else (None, None)
        found = list(store.list_outages(db, server=server, start=span[0], end=span[1]))
        records = [_outage_json(ledger, outage) for outage in found]
    if as_json:
        print_json({"outages": records})
        return
    print_table(
        ["id", "server", "check", "start", "end", "counted", "bounds", "reason"],
        (_table_row(app, outage, record) for outage, record in zip(found, records, strict=True)),
        empty="no outages",
    )


@outages.command()
@click.argument("number", metavar="ID", type=RECORD_NUMBER)
@json_option
@click.pass_obj
def show(app: App, *, number: int, as_json: bool) -> None:
    """Show one outage with its bounds."""
    with app.open_for_reading() as db:
        outage = store.get_outage(db, number)
        if outage is None:
            raise InputError(f"outage {number}: no such outage; `monitor outages list` shows them")
        now = app.now(db)
        record = _outage_json(LedgerView(db, now, app.config.terms(now)), outage)
    if as_json:
        print_json(record)
        return
    shown = {
        "outage": outage.id,
        "server": outage.check.server,
        "check": outage.check.name,
        "last ok before": app.format_time(outage.last_ok),
        "first fail": app.format_time(outage.start),
        "last fail": app.format_time(outage.last_fail),
        "first ok after": app.format_time(outage.end),
        "reason": outage.reason,
        "counted (4)": format_duration(_to_millis(record["counted_seconds"])),
        "at least": format_duration(_to_millis(record["least_seconds"])),
        "at most": format_duration(_to_millis(record["most_seconds"])),
        "excluded": format_duration(_to_millis(record["excluded_seconds"])),
    }
    print_table(["", ""], shown.items(), empty="")


def _outage_json(ledger: LedgerView, outage: Outage) -> dict[str, Any]:
    durations, excluded = measure_outage(ledger, outage)
    return {
        "id": outage.id,
        "server": outage.check.server,
        "check": outage.check.name,
        "start": format_utc(outage.start),
        "end": format_utc(outage.end),
        "reason": outage.reason,
        "last_ok": format_utc(outage.last_ok),
        "last_fail": format_utc(outage.last_fail),
        "counted_seconds": to_seconds(durations.counted),
        "least_seconds": to_seconds(durations.least),
        "most_seconds": to_seconds(durations.most),
        "excluded_seconds": to_seconds(excluded),
    }


def _table_row(app: App, outage: Outage, record: dict[str, Any]) -> list[Any]:
    least, most = (
        format_duration(_to_millis(record["least_seconds"])),
        format_duration(_to_millis(record["most_seconds"])),
    )
    return [
        outage.id,
        outage.check.server,
        outage.check.name,
        app.format_time(outage.start),
        app.format_time(outage.end) if outage.end is not None else "open",
        format_duration(_to_millis(record["counted_seconds"])),
        f"{least} - {most}",
        outage.reason,
    ]


def _to_millis(value: float) -> int:
    return round(value * 1000)
