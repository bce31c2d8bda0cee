"""``monitor status``: the current state of every server and check, and of the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from monitor.cli import support_deadlines as deadlines
from monitor.cli.app import App, format_utc, json_option, print_json, print_table
from monitor.clock import SystemClock, is_synchronised
from monitor.formatting import pluralize
from monitor.ledger.accounts.status import server_statuses
from monitor.ledger.claims.claims import pending_claims
from monitor.ledger.clock import ClockState, describe_clock, judge_without_daemon, read_clock_records
from monitor.ledger.support.deadlines import read_deadlines
from monitor.sla.availability import percent_text
from monitor.store import daemon_lock, daemon_state, outbox
from monitor.store.daemon_state import CLOCK_PROBLEM, MAIL_PROBLEM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from monitor.ledger.accounts.status import ServerStatus

_COLOURS = {"up": "green", "down": "red", "unknown": "yellow", "maintenance": "blue"}


@click.command()
@json_option
@click.pass_obj
def status(app: App, *, as_json: bool) -> None:
    """Show every server and check: state, since when, latency, availability over the rolling window."""
    with app.open_for_reading() as db:
        now = app.now(db)
        found = server_statuses(db, app.ledger_context(now), now)
        overdue = pending_claims(db, now).overdue
        promised = read_deadlines(db, app.config.terms(now), now)
        problems = daemon_state.get(db, "problems") or {}
        if (doubt := _clock_doubt(app, db)) is not None:
            problems = {**problems, CLOCK_PROBLEM: doubt}
        mails = outbox.summary(db)
    running = daemon_lock.is_held(app.config.data_dir)
    if as_json:
        daemon = {"running": running, "problems": problems, "mails_pending": mails.pending, "mails_dead": mails.dead}
        servers = [_server_json(each) for each in found]
        late = {"claims_overdue": len(overdue), **deadlines.deadlines_json(promised)}
        print_json({"at": format_utc(now), "daemon": daemon, **late, "servers": servers})
        return
    if not running:
        click.secho("The daemon is not running: nothing is monitored.", fg="red")
    for text in problems.values():
        click.secho(text, fg="yellow")
    if mails.dead and MAIL_PROBLEM not in problems:
        click.secho(
            f"{pluralize(mails.dead, 'mail')} did not reach all recipients: see `monitor mail list --state dead`.",
            fg="yellow",
        )
    if overdue:
        answers = pluralize(len(overdue), "answer to a claim is", "answers to claims are")
        numbers = ", ".join(str(claim.id) for claim in overdue)
        click.secho(f"{answers} overdue (2 business days, 6.3): {numbers}; see `monitor claim list`.", fg="red")
    deadlines.print_deadlines(app, promised)
    days = app.config.contract.rolling_days
    print_table(
        ["server", "check", "state", "since", "latency", pluralize(days, "day")],
        (row for each in found for row in _table_rows(app, each)),
        empty="no servers are configured",
    )


def _clock_doubt(app: App, db: Database) -> str | None:
    """Return what is wrong with the clock, also where no daemon runs that would say it."""
    wall = SystemClock().now()
    records = read_clock_records(db)
    verdict = judge_without_daemon(records, wall, synchronised=is_synchronised(wall))
    if verdict.state is ClockState.TRUSTED:
        return None
    return describe_clock(verdict, records, wall, ZoneInfo(app.timezone))


def _server_json(each: ServerStatus) -> dict[str, Any]:
    return {
        "id": each.server.id,
        "state": str(each.state),
        "checks": [
            {
                "name": check.check.key.name,
                "type": check.check.type,
                "state": str(check.state),
                "since": format_utc(check.since),
                "latency_seconds": None if check.latency is None else check.latency / 1_000_000,
                "availability_percent": None if check.availability is None else percent_text(check.availability),
            }
            for check in each.checks
        ],
    }


def _table_rows(app: App, each: ServerStatus) -> Iterator[list[str]]:
    yield [each.server.id, "", click.style(str(each.state), fg=_COLOURS[each.state], bold=True), "", "", ""]
    for check in each.checks:
        yield [
            "",
            f"{check.check.key.name} ({check.check.type})",
            click.style(str(check.state), fg=_COLOURS[check.state]),
            app.format_time(check.since),
            "-" if check.latency is None else f"{check.latency / 1000:.3f} ms",
            "n/a" if check.availability is None else f"{percent_text(check.availability)} %",
        ]
