"""``monitor exclude``: time that does not count, for a reason that the agreement knows (4.2 to 4.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import NUMBER, App, json_option, print_json, print_table, utc
from monitor.errors import InputError
from monitor.ledger import exclusions as books
from monitor.ledger.months import retroactive
from monitor.model import Span
from monitor.sla.terms import PERSONAL_CLAUSES, RECORDED_CLAUSES

if TYPE_CHECKING:
    from monitor.ledger.exclusions import Record


@click.group()
def exclude() -> None:
    """Exclude time from the accounts, and list or withdraw what was excluded.

    Maintenance is announced instead (4.1, 4.9); what is not measured needs no exclusion (4.5).
    """


@exclude.command()
@click.option("--outage", type=NUMBER, metavar="ID", help="An outage: from its first fail to its end, also while open.")
@click.option("--server", metavar="ID", help="Instead of an outage: an interval of this server.")
@click.option("--start", metavar="T", help="Of the interval.")
@click.option("--end", metavar="T", help="Of the interval.")
@click.option("--check", metavar="NAME", help="Excuse this check only; the whole server otherwise.")
@click.option("--subscription", metavar="ID", help=f"For this one only; clauses {', '.join(PERSONAL_CLAUSES)}.")
@click.option("--clause", metavar="N.N", required=True, help=f"{', '.join(RECORDED_CLAUSES)}.")
@click.option("--reason", metavar="TEXT", required=True)
@json_option
@click.pass_obj
def add(
    app: App,
    *,
    outage: int | None,
    server: str | None,
    start: str | None,
    end: str | None,
    check: str | None,
    subscription: str | None,
    clause: str,
    reason: str,
    as_json: bool,
) -> None:
    """Record an exclusion. Prints its id.

    One of an outage excuses the outage's check and grows with it. Nothing is ever deleted: who recorded what and when
    is kept.
    """
    span = _span(app, outage, server, start, end)
    _say_why(reason)
    asked = books.Asked(
        clause=clause, reason=reason, outage=outage, server=server, span=span, check=check, subscription=subscription
    )
    with app.writing() as db:
        at = app.now(db)
        record = retroactive.exclude(db, app.config.terms(at), asked, at)
    _print(record, as_json=as_json)


@exclude.command("list")
@json_option
@click.pass_obj
def listing(app: App, *, as_json: bool) -> None:
    """List exclusions, those withdrawn too."""
    with app.reading() as db:
        records = books.known_exclusions(db, app.now(db))
    if as_json:
        print_json({"exclusions": [document(record) for record in records]})
        return
    print_table(
        ["id", "clause", "server", "check", "subscription", "start", "end", "reason", "recorded", "withdrawn"],
        (
            [
                record.id,
                record.clause,
                record.server,
                record.check,
                record.subscription,
                app.local(record.start),
                "open" if record.end is None else app.local(record.end),
                record.reason,
                f"{app.local(record.recorded_at)} by {record.recorded_by}",
                _withdrawn(app, record),
            ]
            for record in records
        ),
        empty="nothing was excluded",
    )


@exclude.command()
@click.argument("number", metavar="ID", type=NUMBER)
@click.option("--reason", metavar="TEXT", required=True)
@json_option
@click.pass_obj
def withdraw(app: App, *, number: int, reason: str, as_json: bool) -> None:
    """Withdraw an exclusion: it is kept, and counts no more."""
    _say_why(reason)
    with app.writing() as db:
        record = retroactive.withdraw(db, number, reason, app.now(db))
    _print(record, as_json=as_json)


def _span(app: App, outage: int | None, server: str | None, start: str | None, end: str | None) -> Span | None:
    interval = (server, start, end)
    if outage is not None and any(each is not None for each in interval):
        raise InputError("--outage stands alone: it says server, start and end itself")
    if outage is not None:
        return None
    if server is None or start is None or end is None:
        raise InputError("give --outage, or --server with --start and --end")
    return Span(app.time(start, "--start"), app.time(end, "--end"))


def _say_why(reason: str) -> None:
    if not reason.strip():
        raise InputError("--reason: say why")


def _print(record: Record, *, as_json: bool) -> None:
    if as_json:
        print_json(document(record))
    else:
        click.echo(record.id)


def document(record: Record) -> dict[str, Any]:
    """Give an exclusion as JSON shows it everywhere."""
    withdrawn = record.withdrawn
    return {
        "id": record.id,
        "server": record.server,
        "check": record.check,
        "outage": record.outage,
        "subscription": record.subscription,
        "start": utc(record.start),
        "end": utc(record.end),
        "clause": record.clause,
        "reason": record.reason,
        "recorded_at": utc(record.recorded_at),
        "recorded_by": record.recorded_by,
        "withdrawn_at": utc(withdrawn.at) if withdrawn else None,
        "withdrawn_by": withdrawn.by if withdrawn else None,
        "withdrawn_reason": withdrawn.reason if withdrawn else None,
    }


def _withdrawn(app: App, record: Record) -> str:
    withdrawn = record.withdrawn
    return f"{app.local(withdrawn.at)} by {withdrawn.by}: {withdrawn.reason}" if withdrawn else ""
