"""``monitor hardware``: failed parts and their replacement within 12 hours (5.2.1, 5.2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import (
    RECORD_NUMBER,
    App,
    format_duration,
    format_utc,
    json_option,
    print_json,
    print_table,
    to_seconds,
)
from monitor.errors import InputError
from monitor.ledger.support import hardware as hardware_ledger
from monitor.sla.hardware import CLAUSE, HARDWARE_PRODUCT
from monitor.sla.terms import PRODUCTS

if TYPE_CHECKING:
    from monitor.model import Millis
    from monitor.sla.hardware import HardwareCase


@click.group()
def hardware() -> None:
    """Record failed hardware and its replacement, and list the cases.

    Only for product server, whose hardware is the provider's: the goal is 8 hours, the guarantee 12 hours (5.2.2).
    """


@hardware.command("open")
@click.option("--subscription", metavar="ID", required=True)
@click.option("--part", metavar="TEXT", required=True, help="What failed.")
@click.option("--at", metavar="T", help="When it failed; default: now.")
@click.option(
    "--reference", metavar="TEXT", help="The customer's ticket, which is also the claim for the credit (6.1)."
)
@json_option
@click.pass_obj
def open_(app: App, *, subscription: str, part: str, at: str | None, reference: str | None, as_json: bool) -> None:
    """Record that a part failed. Prints the case's id."""
    for option, text in (("--part", part), ("--reference", reference)):
        if text is not None and not text.strip():
            raise InputError(f"{option}: must not be empty")
    opened_at = app.parse_time(at, "--at") if at is not None else None
    with app.open_for_writing() as db:
        now = app.now(db)
        case = hardware_ledger.open_case(db, app.config.terms(now), subscription, part, reference, opened_at, now)
    _print_case(case, now, as_json=as_json)


@hardware.command()
@click.argument("number", metavar="ID", type=RECORD_NUMBER)
@click.option("--at", metavar="T", help="When it was replaced; default: now.")
@json_option
@click.pass_obj
def replaced(app: App, *, number: int, at: str | None, as_json: bool) -> None:
    """Record that the part was replaced. Prints the case's id.

    Exactly 12 hours is in time; after that a credit of 10 % of the monthly fee is owed: see `monitor credits`.
    """
    replaced_at = app.parse_time(at, "--at") if at is not None else None
    with app.open_for_writing() as db:
        now = app.now(db)
        case = hardware_ledger.record_replacement(db, app.timezone, number, replaced_at, now)
    _print_case(case, now, as_json=as_json)


@hardware.command("list")
@json_option
@click.pass_obj
def listing(app: App, *, as_json: bool) -> None:
    """List the cases with goal, guarantee and whether they were met."""
    with app.open_for_reading() as db:
        now, found = app.now(db), hardware_ledger.cases(db)
    if as_json:
        print_json({"hardware": [_case_json(case, now) for case in found]})
        return
    print_table(
        ["id", "subscription", "part", "failed", "goal", "due", "replaced", "state"],
        (
            [
                case.id,
                case.subscription,
                case.part,
                app.format_time(case.opened_at),
                app.format_time(case.goal),
                app.format_time(case.due),
                app.format_time(case.replaced_at),
                _format_state(case, now),
            ]
            for case in found
        ),
        empty="no hardware cases",
    )


def _format_state(case: HardwareCase, now: Millis) -> str:
    if case.overdue(now):
        return f"overdue by {format_duration((now - case.due) // 1000 * 1000)}"
    if case.due_soon(now):
        return f"open, due in {format_duration((case.due - now) // 1000 * 1000)}"
    if case.replaced_at is None:
        return "open"
    return (
        f"replaced, {format_duration(case.replaced_at - case.due)} late" if case.breached(now) else "replaced in time"
    )


def _print_case(case: HardwareCase, now: Millis, *, as_json: bool) -> None:
    if as_json:
        print_json(_case_json(case, now))
    else:
        click.echo(case.id)


def _case_json(case: HardwareCase, now: Millis) -> dict[str, Any]:
    return {
        "id": case.id,
        "subscription": case.subscription,
        "server": case.server,
        "part": case.part,
        "reference": case.reference,
        "state": str(case.state),
        "opened_at": format_utc(case.opened_at),
        "goal": format_utc(case.goal),
        "due": format_utc(case.due),
        "replaced_at": format_utc(case.replaced_at),
        "took_seconds": to_seconds(case.elapsed(now)),
        "in_time": case.in_time(now),
        "overdue": case.overdue(now),
        "due_soon": case.due_soon(now),
        "clause": CLAUSE,
        "credit_percent": str(PRODUCTS[HARDWARE_PRODUCT].hardware_percent) if case.breached(now) else "0",
        "recorded_at": format_utc(case.recorded_at),
        "recorded_by": case.recorded_by,
    }
