"""``monitor close``: freeze the accounts of a finished month."""

from __future__ import annotations

import click

from monitor.cli.account_json import closing_json, figures_json
from monitor.cli.app import App, json_option, print_json
from monitor.clock import SystemClock, is_synchronised
from monitor.formatting import pluralize
from monitor.ledger.clock import require_trusted_clock
from monitor.ledger.months.closing import close as freeze
from monitor.ledger.months.closing import last_finished_month
from monitor.ledger.months.report import queue_reports
from monitor.ledger.recorded_by import recorded_by
from monitor.sla.calendar import parse_month


@click.command()
@click.option("--month", metavar="YYYY-MM", help="Default: the last finished month.")
@json_option
@click.pass_obj
def close(app: App, *, month: str | None, as_json: bool) -> None:
    """Close a finished month: freeze its accounts with their terms.

    The daemon closes months by itself. Facts recorded later that change the accounts are kept as corrections. A month
    that is already closed does not change. Customers get the month's report by mail if it was measured while it ran.
    """
    given = parse_month(month) if month is not None else None
    wall = SystemClock().now()
    with app.open_for_writing() as db:
        require_trusted_clock(db, wall, synchronised=is_synchronised(wall))
        at = app.now(db)
        terms = app.config.terms(at)
        closing, new = freeze(db, terms, given or last_finished_month(terms.timezone, at), at, recorded_by())
        if new:
            queue_reports(db, app.ledger_context(at), closing, at)
    if as_json:
        subscriptions = [figures_json(name, found) for name, found in closing.subscriptions.items()]
        body = {"month": closing.month, "closed": closing_json(closing), "new": new}
        print_json({**body, "subscriptions": subscriptions})
        return
    when = f"{app.format_time(closing.at)} by {closing.recorded_by}, journal entry {closing.entry}"
    if new:
        click.echo(f"{closing.month} is closed: {pluralize(len(closing.subscriptions), 'subscription')}, {when}")
    else:
        click.echo(f"{closing.month} was already closed: {when}")
