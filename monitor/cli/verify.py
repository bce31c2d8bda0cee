"""``monitor verify``: prove the journal."""

from __future__ import annotations

import click

from monitor.cli.app import App, json_option, print_json
from monitor.cli.progress import progress
from monitor.errors import CorruptDatabaseError
from monitor.formatting import pluralize
from monitor.ledger.verify import VerificationReport
from monitor.ledger.verify import verify as walk
from monitor.store import journal


@click.command()
@json_option
@click.pass_obj
def verify(app: App, *, as_json: bool) -> int:
    """Recompute the journal's chain and everything that depends on it.

    Prints the first thing that is wrong and exits with 1; exits with 0 if the ledger is intact.
    """
    try:
        with app.open_for_reading() as db, progress("verifying", journal.length(db)) as step:
            verdict = walk(db, step)
    except CorruptDatabaseError as error:
        verdict = VerificationReport(0, 0, 0, str(error))
    if as_json:
        body = {"entries": verdict.entries, "results": verdict.results, "outages": verdict.outages}
        print_json({"ok": verdict.error is None, **body, "wrong": verdict.error})
    elif verdict.error is None:
        click.echo(
            f"OK: {pluralize(verdict.entries, 'journal entry', 'journal entries')} verified, chain intact;"
            f" {pluralize(verdict.results, 'result')}, {pluralize(verdict.outages, 'outage')} recomputed"
        )
    else:
        click.echo(f"monitor: {verdict.error}", err=True)
    return 0 if verdict.error is None else 1
