"""``monitor credits``: the credits of a month (6.1 to 6.6)."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import App, print_json, print_table
from monitor.errors import InputError
from monitor.formatting import csv_cell
from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.accounts.credits import month_credits
from monitor.sla.calendar import month_text, parse_month

if TYPE_CHECKING:
    from monitor.ledger.accounts.credits import MonthCredit

COLUMNS = (
    "month",
    "subscription",
    "customer",
    "clause",
    "cause",
    "percent",
    "amount",
    "currency",
    "credited_in",
    "claimed",
    "due",
    "certain",
    "final",
)


@click.command("credits")
@click.option("--month", metavar="YYYY-MM", required=True, help="A calendar month in the contract's zone.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), help="Default: table.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_obj
def credits_(app: App, *, month: str, form: str | None, as_json: bool) -> None:
    """List the credits of a month, by subscription, with the clause of each and whether it was claimed.

    The credits of a subscription in one month never exceed its monthly fee (6.6). A credit is due if it was claimed in
    time (6.2), or always with [contract] credit = "automatic".
    """
    if as_json and form not in (None, "json"):
        raise InputError(f"--json and --format {form}: give only one of them")
    when = parse_month(month)
    with app.open_for_reading() as db:
        now = app.now(db)
        found = month_credits(db, LedgerView(db, now, app.config.terms(now)), *when)
    label = month_text(*when)
    records = [_credit_json(each) for each in found]
    if as_json or form == "json":
        print_json({"month": label, "credits": records})
    elif form == "csv":
        _print_csv(label, records)
    else:
        _print_credits(label, records)


def _credit_json(each: MonthCredit) -> dict[str, Any]:
    credit = each.credit
    return {
        "subscription": each.subscription.id,
        "customer": each.subscription.customer,
        "clause": credit.clause,
        "cause": each.cause,
        "percent": str(credit.percent),
        "amount": None if credit.amount is None else str(credit.amount),
        "currency": credit.currency,
        "credited_in": each.credited_in,
        "claimed": each.claimed,
        "due": each.due,
        "certain": credit.certain,
        "final": each.final,
    }


def _print_csv(month: str, records: list[dict[str, Any]]) -> None:
    """Print CSV for the billing system: a header, then a line for each credit; null is an empty cell."""
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow(COLUMNS)
    for record in records:
        cells = (({"month": month} | record)[column] for column in COLUMNS)
        lines.writerow(str(cell).lower() if isinstance(cell, bool) else csv_cell(cell) for cell in cells)


def _print_credits(month: str, records: list[dict[str, Any]]) -> None:
    print_table(
        ["subscription", "customer", "clause", "for", "rate", "amount", "credited in", "claimed", "due", "state"],
        (
            [
                each["subscription"],
                each["customer"],
                each["clause"],
                each["cause"],
                f"{each['percent']} %",
                "-" if each["amount"] is None else f"{each['amount']} {each['currency']}",
                each["credited_in"],
                "yes" if each["claimed"] else "no",
                "yes" if each["due"] else "no",
                ("final" if each["final"] else "provisional") + ("" if each["certain"] else ", not certain"),
            ]
            for each in records
        ),
        empty=f"no credit is owed for {month}",
    )
