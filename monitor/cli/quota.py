"""``monitor quota``: the yearly and monthly quotas of the support levels, and their use (8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import App, format_utc, json_option, print_json, print_table
from monitor.errors import InputError
from monitor.ledger.support import quotas as quota_ledger
from monitor.ledger.support.quotas import QuotaExceeded, QuotaUseRequest
from monitor.sla.quotas import QUOTA_KINDS, QUOTA_UNITS, QuotaKind, amount_text, parse_amount

if TYPE_CHECKING:
    from monitor.ledger.support.quotas import Quota
    from monitor.sla.quotas import QuotaUse


@click.group()
def quota() -> None:
    """Record the use of a level's quotas, and list what is left.

    Reinstallations count by calendar year, hours of KVM by calendar month, both in the contract's zone.
    """


@quota.command()
@click.option("--subscription", metavar="ID", required=True)
@click.option("--kind", type=click.Choice(QUOTA_KINDS), required=True)
@click.option("--amount", metavar="N", required=True, help="Reinstallations, or hours of KVM (steps of 0.05).")
@click.option("--at", "used_at", metavar="T", help="When it was used; default: now.")
@click.option("--reference", metavar="TEXT", help="Where it was requested, such as a ticket.")
@click.option("--force", metavar="REASON", help="Record a use beyond the quota, with this reason.")
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

    A use beyond what is left of the period is refused with exit status 1 and not recorded, unless --force gives a
    reason, which is recorded with it.
    """
    request = QuotaUseRequest(subscription, kind, _parse_amount(kind, amount), reference, force)
    for option, text in (("--reference", reference), ("--force", force)):
        if text is not None and not text.strip():
            raise InputError(f"{option}: must not be empty")
    when = app.parse_time(used_at, "--at") if used_at is not None else None
    with app.open_for_writing() as db:
        at = app.now(db)
        recorded, left = quota_ledger.record_use(db, app.config.terms(at), request, when, at)
    if isinstance(recorded, QuotaExceeded):
        click.echo(f"monitor: {recorded}", err=True)
        return 1
    if as_json:
        print_json(_use_json(recorded, left))
    else:
        click.echo(recorded.id)
    return 0


def _parse_amount(kind: QuotaKind, text: str) -> int:
    try:
        return parse_amount(kind, text)
    except ValueError as allowed:
        raise InputError(f"--amount {text}: must be {allowed}") from None


@quota.command("list")
@click.option("--subscription", metavar="ID", help="Only this subscription.")
@click.option("--at", metavar="T", help="The year and month of that moment, with the use until then.")
@json_option
@click.pass_obj
def listing(app: App, *, subscription: str | None, at: str | None, as_json: bool) -> None:
    """List each subscription's quotas: included, used and left."""
    with app.open_for_reading() as db:
        now = app.now(db)
        when = app.parse_time(at, "--at") if at is not None else now
        found = quota_ledger.quotas(db, app.config.terms(now), when, now, subscription)
    if as_json:
        print_json({"quota": [_quota_json(each) for each in found]})
        return
    print_table(
        ["subscription", "level", "quota", "period", "included", "used", "left"],
        (
            [
                each.subscription,
                each.level,
                f"{each.kind}, {QUOTA_UNITS[each.kind]}",
                each.label,
                *(amount_text(each.kind, amount) for amount in (each.included, each.used, each.remaining)),
            ]
            for each in found
        ),
        empty="no subscription was in force",
    )


def _quota_json(each: Quota) -> dict[str, Any]:
    return {
        "subscription": each.subscription,
        "kind": each.kind,
        "unit": QUOTA_UNITS[each.kind],
        "level": each.level,
        "period": {"start": format_utc(each.period.start), "end": format_utc(each.period.end), "label": each.label},
        "included": amount_text(each.kind, each.included),
        "used": amount_text(each.kind, each.used),
        "left": amount_text(each.kind, each.remaining),
    }


def _use_json(each: QuotaUse, remaining: Quota) -> dict[str, Any]:
    return {
        "id": each.id,
        "subscription": each.subscription,
        "kind": each.kind,
        "unit": QUOTA_UNITS[each.kind],
        "amount": amount_text(each.kind, each.amount),
        "at": format_utc(each.at),
        "reference": each.reference,
        "forced": each.forced,
        "recorded_at": format_utc(each.recorded_at),
        "recorded_by": each.recorded_by,
        "quota": _quota_json(remaining),
    }
