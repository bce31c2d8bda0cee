"""``monitor verify``: verify the journal and the ledger built on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from monitor.cli.app import App, json_option, print_json
from monitor.cli.progress import StatusLine
from monitor.errors import CorruptDatabaseError, InputError
from monitor.formatting import pluralize
from monitor.ledger.verify import VerificationReport
from monitor.ledger.verify import verify as verify_ledger
from monitor.store import daemon_lock, head_mark, journal

if TYPE_CHECKING:
    from collections.abc import Callable


@click.command()
@json_option
@click.pass_obj
def verify(app: App, *, as_json: bool) -> int:
    """Recompute the journal's chain and everything that depends on it.

    Exits with 0 if all of it is intact; otherwise names the first error and exits with 1. Without a database, or with
    one that has no entries, there is nothing to verify: exit status 2.
    """
    if not app.database_path.exists():
        raise InputError(f"{app.database_path}: there is no database, so nothing is verified{_daemon_ran(app)}")
    line = StatusLine()
    try:
        with app.open_for_reading() as db:
            report = verify_ledger(db, _show_entries(line, journal.length(db)), lambda stage: _show_stage(line, stage))
            loss = head_mark.find_loss(db, head_mark.read(app.config.data_dir))
        if loss is not None and report.error is None:
            report = replace(report, error=loss)
    except CorruptDatabaseError as error:
        report = VerificationReport(0, 0, 0, str(error))
    finally:
        line.clear()
    if report.error is None and not report.entries:
        raise InputError(f"{app.database_path}: the journal has no entries, so nothing is verified{_daemon_ran(app)}")
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


def _daemon_ran(app: App) -> str:
    """Return what to add where a daemon has run on this folder: then its ledger is lost."""
    lock = app.config.data_dir / daemon_lock.LOCK_FILE
    return "; a daemon has run here: its database was deleted or replaced, restore a backup" if lock.exists() else ""


def _show_stage(line: StatusLine, stage: str) -> None:
    line.show(f"verifying {stage} ...")


def _show_entries(line: StatusLine, length: int) -> Callable[[int], None]:
    """Return what shows the number of entries that are verified, at each hundredth of them."""
    step = max(1, length // 100)

    def show(done: int) -> None:
        if done % step == 0:
            line.show(f"verifying the journal: {done} of {length} entries ...")

    return show
