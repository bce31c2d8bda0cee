"""``monitor availability``: the accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.account_json import closed_document, correction_document, record_of, told
from monitor.cli.app import App, human, json_option, print_json, print_table, utc
from monitor.errors import InputError
from monitor.ledger.accounts.accounts import Books
from monitor.ledger.months.closing import closing_of
from monitor.ledger.months.corrections import corrections_of
from monitor.ledger.outages import lengths
from monitor.sla.calendar import month_of, parse_month
from monitor.sla.percentages import percent_text
from monitor.store import outages as store

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.accounts.accounts import Accounts, SubscriptionAccount
    from monitor.ledger.months.closing import Closing
    from monitor.ledger.months.corrections import Correction
    from monitor.model import Millis, Outage
    from monitor.sla.percentages import Percent
    from monitor.sla.timeline import Lengths

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
        books = Books(db, at, app.config.terms(now))
        if subscription is not None and not any(
            subscription in terms.subscriptions for terms in reversed(books.versions)
        ):
            raise InputError(f"--subscription {subscription}: no such subscription in the configuration")
        if days is not None:
            accounts = books.rolling(days, subscription)
        else:
            accounts = books.month(*(when or month_of(at, books.terms.timezone)), subscription)
        label = accounts.label if days is None else None
        closing = closing_of(db, label, at) if label is not None else None
        corrections = corrections_of(db, closing.month, at) if closing is not None else []
        corrections = [each for each in corrections if subscription is None or subscription in each.changes]
        outages = _outages(books, db, accounts) if subscription is not None and not as_json else []
    if as_json:
        closed = [correction_document(each, subscription) for each in corrections]
        print_json({**_document(accounts), "closed": closed_document(closing), "corrections": closed})
        return
    _table(app, accounts)
    _details(app, accounts, outages)
    if closing is not None:
        _closed(app, closing, corrections, subscription)


def _document(accounts: Accounts) -> dict[str, Any]:
    window = {"start": utc(accounts.window.start), "end": utc(accounts.window.end), "label": accounts.label}
    subscriptions = [record_of(each) for each in accounts.subscriptions]
    return {"at": utc(accounts.at), "timezone": accounts.timezone, "window": window, "subscriptions": subscriptions}


def _outages(books: Books, db: Database, accounts: Accounts) -> list[tuple[Outage, Lengths, Millis]]:
    """Measure the outages of the accounts, one by one: for a subscription that is asked for alone."""
    found = (store.get(db, number) for each in accounts.subscriptions for number in each.account.outages)
    return [(outage, *lengths(books, outage)) for outage in found if outage is not None]


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


def _details(app: App, accounts: Accounts, outages: list[tuple[Outage, Lengths, Millis]]) -> None:
    charged = [(each, charge) for each in accounts.subscriptions for charge in each.account.exclusions]
    if charged:
        click.echo()
        print_table(
            ["subscription", "excluded by", "clause", "time"],
            ([each.subscription.id, charge.reference, charge.clause, human(charge.length)] for each, charge in charged),
            empty="",
        )
    back = {each.terms_from for each in accounts.subscriptions if each.terms_from is not None}
    for moment in sorted(back):
        names = [each.subscription.id for each in accounts.subscriptions if each.terms_from == moment]
        click.echo(f"\nbefore {app.local(moment)} read with the terms that came into force then: {', '.join(names)}")
    if outages:
        click.echo()
        print_table(
            ["outage", "check", "start", "end", "counted", "bounds", "of it excluded", "reason"],
            (
                [
                    outage.id,
                    outage.check.name,
                    app.local(outage.start),
                    app.local(outage.end) if outage.end is not None else "open",
                    human(long.counted),
                    f"{human(long.least)} - {human(long.most)}",
                    human(excluded),
                    outage.reason,
                ]
                for outage, long, excluded in outages
            ),
            empty="",
        )


def _closed(app: App, closing: Closing, corrections: list[Correction], only: str | None) -> None:
    """Say when the month was closed, and what of it changed since, by whom and why."""
    click.echo(f"\nclosed {app.local(closing.at)} by {closing.recorded_by} (journal entry {closing.entry})")
    for each in corrections:
        click.echo(
            f"corrected {app.local(each.at)} by {each.recorded_by} because of {each.why} (journal entry {each.entry}):"
        )
        for name, changed in each.changes.items():
            if only in (None, name):
                for field, (before, after) in changed.items():
                    click.echo(f"  {name}: {field} was {told(field, before)}, is {told(field, after)}")


def _target(each: SubscriptionAccount) -> str:
    met = {True: "met", False: "missed", None: "n/a"}[each.account.target_met]
    return f"{percent_text(each.account.target)} {met}"


def _credit(each: SubscriptionAccount) -> str:
    credit = each.credit
    amount = "" if credit.amount is None else f" = {credit.amount} {credit.currency}"
    doubt = "" if credit.certain else ", not certain"
    return f"{credit.percent} %{amount}{doubt}" + (f" ({credit.clause})" if credit.percent else "")
