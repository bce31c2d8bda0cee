"""``monitor availability``: the accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.books.accounts import Books
from monitor.cli.app import App, human, json_option, print_json, print_table, seconds, utc
from monitor.contract.availability import percent_text
from monitor.contract.calendar import month_of, parse_month
from monitor.errors import InputError

if TYPE_CHECKING:
    from monitor.books.accounts import Accounts, SubscriptionAccount
    from monitor.contract.availability import Percent

LONGEST_DAYS = 36_600


@click.command()
@click.option("--month", metavar="YYYY-MM", help="A calendar month in the contract's zone; the running one otherwise.")
@click.option("--days", type=click.IntRange(1, LONGEST_DAYS), metavar="N", help="The last N days instead of a month.")
@click.option("--at", "at_text", metavar="T", help="The books as they stood then; now otherwise.")
@click.option("--subscription", metavar="ID", help="One subscription only.")
@json_option
@click.pass_obj
def availability(
    app: App,
    month: str | None,
    days: int | None,
    at_text: str | None,
    subscription: str | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Account for a month, by subscription: availability with its bounds, exclusions, target and credit."""
    if month is not None and days is not None:
        raise InputError("--month and --days: give one of them")
    when = parse_month(month) if month is not None else None
    with app.reading() as db:
        now = app.now(db)
        at = now if at_text is None else app.time(at_text, "--at")
        if at > now:
            raise InputError(f"--at {at_text}: lies in the future; the books stand now")
        books = Books(db, at, app.config.terms(at))
        if subscription is not None and not any(subscription in terms.subscriptions for terms in books.versions):
            raise InputError(f"--subscription {subscription}: no such subscription in the configuration")
        if days is not None:
            accounts = books.rolling(days, subscription)
        else:
            accounts = books.month(*(when or month_of(at, books.terms.timezone)), subscription)
    if as_json:
        print_json(_document(accounts))
    else:
        _table(app, accounts)


def _document(accounts: Accounts) -> dict[str, Any]:
    window = {"start": utc(accounts.window.start), "end": utc(accounts.window.end), "label": accounts.label}
    subscriptions = [_record(each) for each in accounts.subscriptions]
    return {"at": utc(accounts.at), "timezone": accounts.timezone, "window": window, "subscriptions": subscriptions}


def _record(each: SubscriptionAccount) -> dict[str, Any]:
    account, credit, subscription = each.account, each.credit, each.subscription
    span = account.span or each.window
    return {
        "id": subscription.id,
        "customer": subscription.customer,
        "server": subscription.server,
        "product": subscription.product,
        "start": utc(span.start),
        "end": utc(span.end),
        "up_seconds": seconds(account.up),
        "down_seconds": seconds(account.down),
        "excluded_seconds": seconds(account.excluded),
        "unknown_seconds": seconds(account.unknown),
        "availability_percent": _percent(account.availability),
        "lowest_percent": _percent(account.lowest),
        "highest_percent": _percent(account.highest),
        "experienced_percent": _percent(account.experienced),
        "coverage_percent": _percent(account.coverage),
        "target_percent": percent_text(account.target),
        "target_met": account.target_met,
        "rounding": account.rounding,
        "credit_percent": str(credit.percent),
        "credit_certain": credit.certain,
        "credit_amount": None if credit.amount is None else str(credit.amount),
        "credit_clause": credit.clause,
        "currency": credit.currency,
        "exclusions": [
            {"clause": charge.clause, "seconds": seconds(charge.length), "reference": charge.reference}
            for charge in account.exclusions
        ],
        "outages": list(account.outages),
    }


def _percent(figure: Percent | None) -> str | None:
    return None if figure is None else percent_text(figure)


def _shown(figure: Percent | None) -> str:
    return "n/a" if figure is None else percent_text(figure)


def _table(app: App, accounts: Accounts) -> None:
    start, end = app.local(accounts.window.start), app.local(accounts.window.end)
    click.echo(f"{accounts.label}: {start} to {end}, as of {app.local(accounts.at)} ({accounts.timezone})\n")
    print_table(
        [
            "subscription",
            "server",
            "product",
            "available",
            "bounds",
            "experienced",
            "coverage",
            "down",
            "excluded",
            "target",
            "credit",
        ],
        (
            [
                each.subscription.id,
                each.subscription.server,
                each.subscription.product,
                _shown(each.account.availability),
                f"{_shown(each.account.lowest)} - {_shown(each.account.highest)}",
                _shown(each.account.experienced),
                _shown(each.account.coverage),
                human(each.account.down),
                human(each.account.excluded),
                _target(each),
                _credit(each),
            ]
            for each in accounts.subscriptions
        ),
        empty="no subscription has a day in this window",
    )


def _target(each: SubscriptionAccount) -> str:
    met = {True: "met", False: "missed", None: "n/a"}[each.account.target_met]
    return f"{percent_text(each.account.target)} {met}"


def _credit(each: SubscriptionAccount) -> str:
    credit = each.credit
    amount = "" if credit.amount is None else f" = {credit.amount} {credit.currency}"
    doubt = "" if credit.certain else ", not certain"
    return f"{credit.percent} %{amount}{doubt}" + (f" ({credit.clause})" if credit.percent else "")
