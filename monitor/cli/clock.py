"""``monitor clock``: what an operator decides where the clock and the newest record are apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from monitor.cli.app import App, confirm, format_utc, json_option, print_json, to_seconds
from monitor.clock import SystemClock, is_synchronised
from monitor.formatting import pluralize
from monitor.ledger.clock import (
    ClockState,
    accept_clock,
    describe_clock,
    judge_without_daemon,
    read_clock_records,
)
from monitor.ledger.clock_rejection import reject_clock
from monitor.ledger.recorded_by import recorded_by

if TYPE_CHECKING:
    from monitor.ledger.clock import ClockDecision

yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


@click.group()
def clock() -> None:
    """Show the clock against the newest record, and decide where they are apart.

    While they are days apart, no month is closed and no mail leaves for customers.
    """


@clock.command()
@json_option
@click.pass_obj
def show(app: App, *, as_json: bool) -> int:
    """Show the machine's clock and the newest record. Exits with 1 while a decision is needed."""
    wall = SystemClock().now()
    synchronised = is_synchronised(wall)
    with app.open_for_reading() as db:
        records = read_clock_records(db)
    verdict = judge_without_daemon(records, wall, synchronised=synchronised)
    undecided = verdict.state is not ClockState.TRUSTED and not verdict.accepted
    if as_json:
        body = {
            "clock": format_utc(wall),
            "newest_record": format_utc(records.newest),
            "difference_seconds": None if records.newest is None else to_seconds(records.newest - wall),
            "synchronised": synchronised,
            "state": str(verdict.state),
            "accepted": verdict.accepted,
            "holds": verdict.holds,
        }
        print_json(body)
        return int(undecided)
    says = "synchronised" if synchronised else "not known to be synchronised"
    click.echo(f"clock          {app.format_time(wall)}, {says}\nnewest record  {app.format_time(records.newest)}")
    if verdict.state is not ClockState.TRUSTED:
        click.echo(describe_clock(verdict, records, wall, ZoneInfo(app.timezone)))
    return int(undecided)


@clock.command()
@yes_option
@json_option
@click.pass_obj
def accept(app: App, *, yes: bool, as_json: bool) -> int:
    """Confirm that the clock, and what was recorded by it, is right.

    Nothing that was recorded changes. Held mails leave and months are closed. If the newest record lies after the
    clock, new records follow it.
    """
    wall = SystemClock().now()
    if not confirm(f"Is the clock right: {app.format_time(wall)}? Keep everything that was recorded?", yes=yes):
        return 1
    with app.open_for_writing() as db:
        decision = accept_clock(db, wall, recorded_by(), synchronised=is_synchronised(wall))
    if as_json:
        print_json(_decision_json(decision))
    else:
        click.echo(decision.entry)
    return 0


@clock.command()
@yes_option
@json_option
@click.pass_obj
def reject(app: App, *, yes: bool, as_json: bool) -> int:
    """Take back what was recorded after the present time of the clock. Set the clock first.

    Results are set aside and no longer count; outages that began later vanish, others are as they were; mails to
    customers that have not left are withdrawn; months that were closed by that clock are open again. A running daemon
    starts again by itself.
    """
    wall = SystemClock().now()
    question = f"Is the clock right: {app.format_time(wall)}? Take back everything that was recorded after it?"
    if not confirm(question, yes=yes):
        return 1
    with app.open_for_writing() as db:
        decision = reject_clock(db, wall, recorded_by())
    if as_json:
        print_json(_decision_json(decision))
        return 0
    body = decision.body
    click.echo(
        f"journal entry {decision.entry}: {pluralize(body['results'], 'result')} set aside,"
        f" {pluralize(len(body['outages']), 'outage')} taken back, {len(body['reopened'])} open again,"
        f" {pluralize(len(body['mails']), 'mail')} withdrawn"
    )
    return 0


def _decision_json(decision: ClockDecision) -> dict[str, Any]:
    body: dict[str, Any] = {
        name: format_utc(value) if name in ("after", "newest", "wall") else value
        for name, value in decision.body.items()
    }
    if "difference" in body:
        body["difference_seconds"] = to_seconds(body.pop("difference"))
    return {"entry": decision.entry, "decision": decision.kind.removeprefix("clock-"), **body}
