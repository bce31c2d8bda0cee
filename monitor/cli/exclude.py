"""``monitor exclude``: time that does not count, for a reason that the agreement knows (4.2 to 4.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import RECORD_NUMBER, App, format_utc, json_option, print_json, print_table
from monitor.errors import InputError
from monitor.ledger import exclusions as books
from monitor.ledger.months import retroactive
from monitor.model import Span
from monitor.sla.terms import CUSTOMER_CLAUSES, RECORDED_CLAUSES

if TYPE_CHECKING:
    from monitor.ledger.exclusions import ExclusionRecord


@click.group()
def exclude() -> None:
    """Exclude time from the accounts, and list or withdraw what was excluded.

    Maintenance is announced instead (4.1, 4.9); what is not measured needs no exclusion (4.5).
    """


@exclude.command()
@click.option(
    "--outage", type=RECORD_NUMBER, metavar="ID", help="An outage: from its first fail to its end, also while open."
)
@click.option("--server", metavar="ID", help="Instead of an outage: an interval of this server.")
@click.option("--start", metavar="T", help="Of the interval.")
@click.option("--end", metavar="T", help="Of the interval.")
@click.option("--check", metavar="NAME", help="Excuse this check only; the whole server otherwise.")
@click.option("--subscription", metavar="ID", help=f"For this one only; clauses {', '.join(CUSTOMER_CLAUSES)}.")
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
    span = _interval(app, outage, server, start, end)
    _require_reason(reason)
    asked = books.ExclusionRequest(
        clause=clause, reason=reason, outage=outage, server=server, span=span, check=check, subscription=subscription
    )
    with app.open_for_writing() as db:
        at = app.now(db)
        record = retroactive.exclude(db, app.config.terms(at), asked, at)
    _print_exclusion(record, as_json=as_json)


@exclude.command("list")
@json_option
@click.pass_obj
def listing(app: App, *, as_json: bool) -> None:
    """List exclusions, those withdrawn too."""
    with app.open_for_reading() as db:
        records = books.known_exclusions(db, app.now(db))
    if as_json:
        print_json({"exclusions": [exclusion_json(record) for record in records]})
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
                app.format_time(record.start),
                "open" if record.end is None else app.format_time(record.end),
                record.reason,
                f"{app.format_time(record.recorded_at)} by {record.recorded_by}",
                _format_withdrawal(app, record),
            ]
            for record in records
        ),
        empty="nothing was excluded",
    )


@exclude.command()
@click.argument("number", metavar="ID", type=RECORD_NUMBER)
@click.option("--reason", metavar="TEXT", required=True)
@json_option
@click.pass_obj
def withdraw(app: App, *, number: int, reason: str, as_json: bool) -> None:
    """Withdraw an exclusion: it is kept, and counts no more."""
    _require_reason(reason)
    with app.open_for_writing() as db:
        record = retroactive.withdraw(db, number, reason, app.now(db))
    _print_exclusion(record, as_json=as_json)


def _interval(app: App, outage: int | None, server: str | None, start: str | None, end: str | None) -> Span | None:
    interval = (server, start, end)
    if outage is not None and any(each is not None for each in interval):
        raise InputError("--outage stands alone: it says server, start and end itself")
    if outage is not None:
        return None
    if server is None or start is None or end is None:
        raise InputError("give --outage, or --server with --start and --end")
    return Span(app.parse_time(start, "--start"), app.parse_time(end, "--end"))


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InputError("--reason: say why")


def _print_exclusion(record: ExclusionRecord, *, as_json: bool) -> None:
    if as_json:
        print_json(exclusion_json(record))
    else:
        click.echo(record.id)


def exclusion_json(record: ExclusionRecord) -> dict[str, Any]:
    """Give an exclusion as JSON shows it everywhere."""
    withdrawn = record.withdrawn
    return {
        "id": record.id,
        "server": record.server,
        "check": record.check,
        "outage": record.outage,
        "subscription": record.subscription,
        "start": format_utc(record.start),
        "end": format_utc(record.end),
        "clause": record.clause,
        "reason": record.reason,
        "recorded_at": format_utc(record.recorded_at),
        "recorded_by": record.recorded_by,
        "withdrawn_at": format_utc(withdrawn.at) if withdrawn else None,
        "withdrawn_by": withdrawn.by if withdrawn else None,
        "withdrawn_reason": withdrawn.reason if withdrawn else None,
    }


def _format_withdrawal(app: App, record: ExclusionRecord) -> str:
    withdrawn = record.withdrawn
    return f"{app.format_time(withdrawn.at)} by {withdrawn.by}: {withdrawn.reason}" if withdrawn else ""
