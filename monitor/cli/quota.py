"""``monitor quota``: what a support level includes so many times a year or for so many hours a month (8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import App, json_option, print_json, print_table, utc
from monitor.errors import InputError
from monitor.ledger.support import quotas as books
from monitor.ledger.support.quotas import Asked, Overdraft
from monitor.sla.quotas import KINDS, UNITS, QuotaKind, amount_of, amount_text

if TYPE_CHECKING:
    from monitor.ledger.support.quotas import Quota
    from monitor.sla.quotas import Use


@click.group()
def quota() -> None:
    """Record what was used of a level's quotas, and list what is left.

    Reinstallations are counted by calendar year, hours of KVM by calendar month, both in the contract's zone.
    """


@quota.command()
@click.option("--subscription", metavar="ID", required=True)
@click.option("--kind", type=click.Choice(KINDS), required=True)
@click.option("--amount", metavar="N", required=True, help="Reinstallations, or hours of KVM (steps of 0.05).")
@click.option("--at", "used_at", metavar="T", help="When it was used; now unless given.")
@click.option("--reference", metavar="TEXT", help="Where it was asked for, such as a ticket.")
@click.option("--force", metavar="REASON", help="Record it also where it is more than what is left.")
@json_option
@click.pass_obj
def use(
    app: App,
    *,
    subscription: str,
    kind: QuotaKind,
    amount: str,
    used_at: str | None,
    reference: str | None,
    force: str | None,
    as_json: bool,
) -> int:
    """Record a use. Prints its id.

    More than what is left of the period is refused with exit status 1, and nothing is recorded; unless it is forced
    with a reason, which is kept.
    """
    asked = Asked(subscription, kind, _amount(kind, amount), reference, force)
    for option, text in (("--reference", reference), ("--force", force)):
        if text is not None and not text.strip():
            raise InputError(f"{option}: say more than nothing")
    when = app.time(used_at, "--at") if used_at is not None else None
    with app.writing() as db:
        at = app.now(db)
        came, left = books.use(db, app.config.terms(at), asked, when, at)
    if isinstance(came, Overdraft):
        click.echo(f"monitor: {came}", err=True)
        return 1
    if as_json:
        print_json(_document(came, left))
    else:
        click.echo(came.id)
    return 0


def _amount(kind: QuotaKind, text: str) -> int:
    try:
        return amount_of(kind, text)
    except ValueError as allowed:
        raise InputError(f"--amount {text}: must be {allowed}") from None


@quota.command("list")
@click.option("--subscription", metavar="ID", help="Of one subscription only.")
@click.option("--at", metavar="T", help="The year and the month of that moment, with what was used until then.")
@json_option
@click.pass_obj
def listing(app: App, *, subscription: str | None, at: str | None, as_json: bool) -> None:
    """List each subscription's quotas: included, used and left."""
    with app.reading() as db:
        now = app.now(db)
        when = app.time(at, "--at") if at is not None else now
        found = books.quotas(db, app.config.terms(now), when, now, subscription)
    if as_json:
        print_json({"quota": [_quota_document(each) for each in found]})
        return
    print_table(
        ["subscription", "level", "quota", "period", "included", "used", "left"],
        (
            [
                each.subscription,
                each.level,
                f"{each.kind}, {UNITS[each.kind]}",
                each.label,
                *(amount_text(each.kind, amount) for amount in (each.included, each.used, each.left)),
            ]
            for each in found
        ),
        empty="no subscription was in force",
    )


def _quota_document(each: Quota) -> dict[str, Any]:
    return {
        "subscription": each.subscription,
        "kind": each.kind,
        "unit": UNITS[each.kind],
        "level": each.level,
        "period": {"start": utc(each.period.start), "end": utc(each.period.end), "label": each.label},
        "included": amount_text(each.kind, each.included),
        "used": amount_text(each.kind, each.used),
        "left": amount_text(each.kind, each.left),
    }


def _document(each: Use, left: Quota) -> dict[str, Any]:
    return {
        "id": each.id,
        "subscription": each.subscription,
        "kind": each.kind,
        "unit": UNITS[each.kind],
        "amount": amount_text(each.kind, each.amount),
        "at": utc(each.at),
        "reference": each.reference,
        "forced": each.forced,
        "recorded_at": utc(each.recorded_at),
        "recorded_by": each.recorded_by,
        "quota": _quota_document(left),
    }
