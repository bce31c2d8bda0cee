"""``monitor salvage``: import what can be read from a damaged database."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import click

from monitor.cli.app import App, json_option, print_json
from monitor.cli.progress import StatusLine
from monitor.errors import InputError
from monitor.formatting import pluralize
from monitor.ledger.salvage import salvage as salvage_into
from monitor.ownership import make_file
from monitor.store import head_mark
from monitor.store.damaged_database import DamagedDatabase


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def salvage(app: App, *, file: Path, as_json: bool) -> None:
    """Import what can be read from a damaged database, and record that.

    FILE is the database that the daemon set aside. Its results are imported; other facts of its journal (maintenance,
    exclusions, claims and so on) are written to FILE.facts.jsonl, to be recorded again. Afterwards the present ledger
    is accepted: the daemon no longer reports the damage.
    """
    if file.exists() and app.database_path.exists() and file.samefile(app.database_path):
        raise InputError(f"{file}: this is the database in use; the daemon sets a damaged one aside when it starts")
    line = StatusLine()
    with closing(DamagedDatabase(file)) as damaged, app.open_for_writing() as db:
        now = app.now(db)
        line.show(f"reading {file} ...")
        done = salvage_into(
            db, app.config.terms(now), damaged, now, lambda count: line.show(f"reading {file}: {count} results ...")
        )
    line.clear()
    facts = file.with_name(f"{file.name}.facts.jsonl")
    if done.facts:
        make_file(facts)
        facts.write_text("".join(f"{json.dumps(each._asdict(), ensure_ascii=False)}\n" for each in done.facts))
    (app.config.data_dir / head_mark.MARK_FILE).unlink(missing_ok=True)
    if as_json:
        print_json(
            {
                "entry": done.entry,
                "results": done.read,
                "new": done.new,
                "unreadable": done.unreadable,
                "facts": len(done.facts),
                "facts_file": str(facts) if done.facts else None,
            }
        )
        return
    click.echo(
        f"{pluralize(done.read, 'result')} read, {done.new} new; {pluralize(done.unreadable, 'place')} unreadable;"
        f" journal entry {done.entry}"
    )
    if done.facts:
        click.echo(f"{pluralize(len(done.facts), 'fact')} to record again: {facts}")
