"""``monitor exclude``: exclude time from the accounts by a clause of the agreement (4.2 to 4.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import RECORD_NUMBER, App, format_utc, json_option, print_json, print_table
from monitor.errors import InputError
from monitor.ledger import exclusions as exclusion_ledger
from monitor.ledger.months import retroactive
from monitor.model import Span
from monitor.sla.terms import CUSTOMER_CLAUSES, RECORDED_CLAUSES

if TYPE_CHECKING:
    from monitor.ledger.exclusions import ExclusionRecord


@click.group()
def exclude() -> None:
    """Exclude time from the accounts, and list or withdraw exclusions.

    Announce maintenance instead with monitor maintenance (4.1, 4.9). Time without measurement needs no exclusion (4.5).
    """


@exclude.command()
@click.option("--outage", type=RECORD_NUMBER, metavar="ID", help="Exclude this outage, from its first fail to its end.")
@click.option("--server", metavar="ID", help="Exclude an interval of this server instead.")
@click.option("--start", metavar="T", help="Bound of the interval.")
@click.option("--end", metavar="T", help="Bound of the interval.")
@click.option("--check", metavar="NAME", help="Only this check; default: the whole server.")
@click.option("--subscription", metavar="ID", help=f"Only this subscription; clauses {', '.join(CUSTOMER_CLAUSES)}.")
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

    The exclusion of an outage covers the outage's check until the outage ends. Exclusions are never deleted; who
    recorded them and when is kept.
    """
    span = _interval(app, outage, server, start, end)
    _require_reason(reason)
    request = exclusion_ledger.ExclusionRequest(
        clause=clause, reason=reason, outage=outage, server=server, span=span, check=check, subscription=subscription
    )
    with app.open_for_writing() as db:
        at = app.now(db)
        record = retroactive.exclude(db, app.config.terms(at), request, at)
    _print_exclusion(record, as_json=as_json)


@exclude.command("list")
@json_option
@click.pass_obj
def listing(app: App, *, as_json: bool) -> None:
    """List exclusions, also those withdrawn."""
    with app.open_for_reading() as db:
        records = exclusion_ledger.known_exclusions(db, app.now(db))
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
        empty="no exclusions",
    )


@exclude.command()
@click.argument("number", metavar="ID", type=RECORD_NUMBER)
@click.option("--reason", metavar="TEXT", required=True)
@json_option
@click.pass_obj
def withdraw(app: App, *, number: int, reason: str, as_json: bool) -> None:
    """Withdraw an exclusion: it stays recorded and no longer counts."""
    _require_reason(reason)
    with app.open_for_writing() as db:
        record = retroactive.withdraw(db, number, reason, app.now(db))
    _print_exclusion(record, as_json=as_json)


def _interval(app: App, outage: int | None, server: str | None, start: str | None, end: str | None) -> Span | None:
    interval = (server, start, end)
    if outage is not None and any(each is not None for each in interval):
        raise InputError("--outage cannot be combined with --server, --start and --end")
    if outage is not None:
        return None
    if server is None or start is None or end is None:
        raise InputError("give --outage, or --server with --start and --end")
    return Span(app.parse_time(start, "--start"), app.parse_time(end, "--end"))


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InputError("--reason: must not be empty")


def _print_exclusion(record: ExclusionRecord, *, as_json: bool) -> None:
    if as_json:
        print_json(exclusion_json(record))
    else:
        click.echo(record.id)


def exclusion_json(record: ExclusionRecord) -> dict[str, Any]:
    """Return an exclusion as JSON."""
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
