"""``monitor verify``: prove the journal."""

from __future__ import annotations

import click

from monitor.cli.app import App, json_option, print_json
from monitor.cli.progress import progress
from monitor.errors import DamagedError
from monitor.ledger.verify import Verdict
from monitor.ledger.verify import verify as walk
from monitor.mail.text import counted
from monitor.store import journal


@click.command()
@json_option
@click.pass_obj
def verify(app: App, *, as_json: bool) -> int:
    """Recompute the journal's chain and what hangs on it.

    Names the first thing that is wrong and exits with 1; exits with 0 where everything holds.
    """
    try:
        with app.reading() as db, progress("verifying", journal.length(db)) as step:
            verdict = walk(db, step)
    except DamagedError as error:
        verdict = Verdict(0, 0, 0, str(error))
    if as_json:
        body = {"entries": verdict.entries, "results": verdict.results, "outages": verdict.outages}
        print_json({"ok": verdict.wrong is None, **body, "wrong": verdict.wrong})
    elif verdict.wrong is None:
        click.echo(
            f"everything holds: {counted(verdict.entries, 'journal entry', 'journal entries')},"
            f" {counted(verdict.results, 'result')}, {counted(verdict.outages, 'outage')}"
        )
    else:
        click.echo(f"monitor: {verdict.wrong}", err=True)
    return 0 if verdict.wrong is None else 1
