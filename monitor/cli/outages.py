"""``monitor outages``: what was down, for how long, and how certain that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import NUMBER, App, human, json_option, print_json, print_table, seconds, utc
from monitor.errors import InputError
from monitor.ledger.accounts.accounts import Books
from monitor.ledger.outages import lengths
from monitor.sla.calendar import parse_month
from monitor.sla.segments import month_window
from monitor.store import outages as store
from monitor.store import results

if TYPE_CHECKING:
    from monitor.model import Outage


@click.group()
def outages() -> None:
    """List outages, or show one."""


@outages.command("list")
@click.option("--server", metavar="ID", help="Of one server only.")
@click.option("--month", metavar="YYYY-MM", help="Those that touch a calendar month in the contract's zone.")
@json_option
@click.pass_obj
def listing(app: App, *, server: str | None, month: str | None, as_json: bool) -> None:
    """List outages by their beginning; lengths are whole, not cut to the month."""
    with app.reading() as db:
        now = app.now(db)
        books = Books(db, now, app.config.terms(now))
        known = {key.server for key in results.numbers(db)} | app.config.servers_by_id.keys()
        if server is not None and server not in known:
            raise InputError(f"--server {server}: no such server in the configuration or the records")
        span = month_window(books.versions, *parse_month(month)) if month is not None else (None, None)
        found = list(store.listing(db, server=server, start=span[0], end=span[1]))
        records = [_record(books, outage) for outage in found]
    if as_json:
        print_json({"outages": records})
        return
    print_table(
        ["id", "server", "check", "start", "end", "counted", "bounds", "reason"],
        (_row(app, outage, record) for outage, record in zip(found, records, strict=True)),
        empty="no outages",
    )


@outages.command()
@click.argument("number", metavar="ID", type=NUMBER)
@json_option
@click.pass_obj
def show(app: App, *, number: int, as_json: bool) -> None:
    """Show one outage with its bounds."""
    with app.reading() as db:
        outage = store.get(db, number)
        if outage is None:
            raise InputError(f"outage {number}: there is none; `monitor outages list` shows them")
        now = app.now(db)
        record = _record(Books(db, now, app.config.terms(now)), outage)
    if as_json:
        print_json(record)
        return
    shown = {
        "outage": outage.id,
        "server": outage.check.server,
        "check": outage.check.name,
        "last ok before": app.local(outage.last_ok),
        "first fail": app.local(outage.start),
        "last fail": app.local(outage.last_fail),
        "first ok after": app.local(outage.end),
        "reason": outage.reason,
        "counted (4)": human(_millis(record["counted_seconds"])),
        "certain, at least": human(_millis(record["least_seconds"])),
        "possible, at most": human(_millis(record["most_seconds"])),
        "of it excluded": human(_millis(record["excluded_seconds"])),
    }
    print_table(["", ""], shown.items(), empty="")


def _record(books: Books, outage: Outage) -> dict[str, Any]:
    long, excluded = lengths(books, outage)
    return {
        "id": outage.id,
        "server": outage.check.server,
        "check": outage.check.name,
        "start": utc(outage.start),
        "end": utc(outage.end),
        "reason": outage.reason,
        "last_ok": utc(outage.last_ok),
        "last_fail": utc(outage.last_fail),
        "counted_seconds": seconds(long.counted),
        "least_seconds": seconds(long.least),
        "most_seconds": seconds(long.most),
        "excluded_seconds": seconds(excluded),
    }


def _row(app: App, outage: Outage, record: dict[str, Any]) -> list[Any]:
    least, most = human(_millis(record["least_seconds"])), human(_millis(record["most_seconds"]))
    return [
        outage.id,
        outage.check.server,
        outage.check.name,
        app.local(outage.start),
        app.local(outage.end) if outage.end is not None else "open",
        human(_millis(record["counted_seconds"])),
        f"{least} - {most}",
        outage.reason,
    ]


def _millis(shown: float) -> int:
    return round(shown * 1000)
