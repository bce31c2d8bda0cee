"""``monitor close``: freeze the accounts of a month that is over."""

from __future__ import annotations

import click

from monitor.cli.account_json import closed_document, record
from monitor.cli.app import App, json_option, print_json
from monitor.ledger.months.closing import close as freeze
from monitor.ledger.months.closing import last_over
from monitor.ledger.months.report import report
from monitor.ledger.recorded_by import recorder
from monitor.mail.text import counted
from monitor.sla.calendar import parse_month


@click.command()
@click.option("--month", metavar="YYYY-MM", help="The last month that is over, unless given.")
@json_option
@click.pass_obj
def close(app: App, *, month: str | None, as_json: bool) -> None:
    """Close a month that is over: its accounts are frozen with their terms.

    The daemon does so by itself. What is recorded later and would change them is kept beside them as a correction. A
    month that is closed already stays as it is. Customers get its report by mail, if it was measured while it ran.
    """
    given = parse_month(month) if month is not None else None
    with app.writing() as db:
        at = app.now(db)
        terms = app.config.terms(at)
        closing, new = freeze(db, terms, given or last_over(terms.timezone, at), at, recorder())
        if new:
            report(db, app.context(at), closing, at)
    if as_json:
        subscriptions = [record(name, found) for name, found in closing.subscriptions.items()]
        body = {"month": closing.month, "closed": closed_document(closing), "new": new}
        print_json({**body, "subscriptions": subscriptions})
        return
    when = f"{app.local(closing.at)} by {closing.recorded_by}, journal entry {closing.entry}"
    if new:
        click.echo(f"{closing.month} is closed: {counted(len(closing.subscriptions), 'subscription')}, {when}")
    else:
        click.echo(f"{closing.month} was closed already: {when}")
