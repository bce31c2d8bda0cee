"""``monitor verify``: verify the journal and the ledger built on it."""

from __future__ import annotations

import click

from monitor.cli.app import App, json_option, print_json
from monitor.cli.progress import progress
from monitor.errors import CorruptDatabaseError
from monitor.formatting import pluralize
from monitor.ledger.verify import VerificationReport
from monitor.ledger.verify import verify as verify_ledger
from monitor.store import journal


@click.command()
@json_option
@click.pass_obj
def verify(app: App, *, as_json: bool) -> int:
    """Recompute the journal's chain and everything that depends on it.

    Exits with 0 if all of it is intact; otherwise names the first error and exits with 1.
    """
    try:
        with app.open_for_reading() as db, progress("verifying", journal.length(db)) as step:
            report = verify_ledger(db, step)
    except CorruptDatabaseError as error:
        report = VerificationReport(0, 0, 0, str(error))
    if as_json:
        body = {"entries": report.entries, "results": report.results, "outages": report.outages}
        print_json({"ok": report.error is None, **body, "wrong": report.error})
    elif report.error is None:
        click.echo(
            f"OK: {pluralize(report.entries, 'journal entry', 'journal entries')} verified, chain intact;"
            f" {pluralize(report.results, 'result')}, {pluralize(report.outages, 'outage')} recomputed"
        )
    else:
        click.echo(f"monitor: {report.error}", err=True)
    return 0 if report.error is None else 1
