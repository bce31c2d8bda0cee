"""``monitor availability``: the accounts of a month or of the last days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.account_json import account_json, closing_json, correction_json, format_figure
from monitor.cli.app import App, format_duration, format_utc, json_option, print_json, print_table
from monitor.errors import InputError
from monitor.ledger.accounts.accounts import LedgerView, measure_outage
from monitor.ledger.months.closing import closing_of
from monitor.ledger.months.corrections import corrections_of
from monitor.sla.availability import percent_text
from monitor.sla.calendar import month_of, parse_month
from monitor.store import history as store

if TYPE_CHECKING:
    from sqlite_utils import Database

    from monitor.ledger.accounts.accounts import Accounts, SubscriptionAccount
    from monitor.ledger.months.closing import Closing
    from monitor.ledger.months.corrections import Correction
    from monitor.model import Millis, Outage
    from monitor.sla.availability import Percent
    from monitor.sla.timeline import OutageDurations

MAX_DAYS = 36_600


@click.command()
@click.option("--month", metavar="YYYY-MM", help="A calendar month in the contract's zone; default: the running one.")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), metavar="N", help="The last N days instead of a month.")
@click.option("--at", "at_text", metavar="T", help="The accounts as of that moment; default: now.")
@click.option("--subscription", metavar="ID", help="Only this subscription.")
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
    """Print the accounts by subscription: availability with its bounds, exclusions, target and credit."""
    if month is not None and days is not None:
        raise InputError("--month and --days: give only one of them")
    when = parse_month(month) if month is not None else None
    with app.open_for_reading() as db:
        now = app.now(db)
        at = now if at_text is None else app.parse_time(at_text, "--at")
        if at > now:
            raise InputError(f"--at {at_text}: lies in the future")
        ledger = LedgerView(db, at, app.config.terms(now))
        if subscription is not None and not any(
            subscription in terms.subscriptions for terms in reversed(ledger.versions)
        ):
            raise InputError(f"--subscription {subscription}: no such subscription in the configuration")
        if days is not None:
            accounts = ledger.rolling(days, subscription)
        else:
            accounts = ledger.month(*(when or month_of(at, ledger.terms.timezone)), subscription)
        label = accounts.label if days is None else None
        closing = closing_of(db, label, at) if label is not None else None
        corrections = corrections_of(db, closing.month, at) if closing is not None else []
        corrections = [each for each in corrections if subscription is None or subscription in each.changes]
        outages = _measured_outages(ledger, db, accounts) if subscription is not None and not as_json else []
    if as_json:
        closed = [correction_json(each, subscription) for each in corrections]
        print_json({**_accounts_json(accounts), "closed": closing_json(closing), "corrections": closed})
        return
    _print_accounts(app, accounts)
    _print_details(app, accounts, outages)
    if closing is not None:
        _print_closing(app, closing, corrections, subscription)


def _accounts_json(accounts: Accounts) -> dict[str, Any]:
    window = {
        "start": format_utc(accounts.window.start),
        "end": format_utc(accounts.window.end),
        "label": accounts.label,
    }
    subscriptions = [account_json(each) for each in accounts.subscriptions]
    return {
        "at": format_utc(accounts.at),
        "timezone": accounts.timezone,
        "window": window,
        "subscriptions": subscriptions,
    }


def _measured_outages(
    ledger: LedgerView, db: Database, accounts: Accounts
) -> list[tuple[Outage, OutageDurations, Millis]]:
    """Return each outage of the accounts with its durations; used for a single subscription."""
    found = (store.get_outage(db, number) for each in accounts.subscriptions for number in each.account.outages)
    return [(outage, *measure_outage(ledger, outage)) for outage in found if outage is not None]


def _format_percent(figure: Percent | None) -> str:
    return "n/a" if figure is None else percent_text(figure)


def _print_accounts(app: App, accounts: Accounts) -> None:
    start, end = app.format_time(accounts.window.start), app.format_time(accounts.window.end)
    click.echo(f"{accounts.label}: {start} to {end}, as of {app.format_time(accounts.at)} ({accounts.timezone})\n")
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
                _format_percent(each.account.availability),
                f"{_format_percent(each.account.lowest)} - {_format_percent(each.account.highest)}",
                _format_percent(each.account.experienced),
                _format_percent(each.account.coverage),
                format_duration(each.account.down),
                format_duration(each.account.excluded),
                _format_target(each),
                _format_credit(each),
            ]
            for each in accounts.subscriptions
        ),
        empty="no subscription was in force in this window",
    )


def _print_details(app: App, accounts: Accounts, outages: list[tuple[Outage, OutageDurations, Millis]]) -> None:
    charged = [(each, charge) for each in accounts.subscriptions for charge in each.account.exclusions]
    if charged:
        click.echo()
        print_table(
            ["subscription", "excluded by", "clause", "time"],
            (
                [each.subscription.id, charge.reference, charge.clause, format_duration(charge.length)]
                for each, charge in charged
            ),
            empty="",
        )
    terms_starts = {each.terms_from for each in accounts.subscriptions if each.terms_from is not None}
    for moment in sorted(terms_starts):
        names = [each.subscription.id for each in accounts.subscriptions if each.terms_from == moment]
        click.echo(
            f"\nthe terms in force since {app.format_time(moment)} apply to the time before as well: {', '.join(names)}"
        )
    if outages:
        click.echo()
        print_table(
            ["outage", "check", "start", "end", "counted", "bounds", "excluded", "reason"],
            (
                [
                    outage.id,
                    outage.check.name,
                    app.format_time(outage.start),
                    app.format_time(outage.end) if outage.end is not None else "open",
                    format_duration(durations.counted),
                    f"{format_duration(durations.least)} - {format_duration(durations.most)}",
                    format_duration(excluded),
                    outage.reason,
                ]
                for outage, durations, excluded in outages
            ),
            empty="",
        )


def _print_closing(app: App, closing: Closing, corrections: list[Correction], subscription: str | None) -> None:
    """Print when the month was closed, and every correction since, by whom and why."""
    click.echo(f"\nclosed {app.format_time(closing.at)} by {closing.recorded_by} (journal entry {closing.entry})")
    for each in corrections:
        click.echo(
            f"corrected {app.format_time(each.at)} by {each.recorded_by}, reason: {each.reason} "
            f"(journal entry {each.entry}):"
        )
        for name, changed in each.changes.items():
            if subscription in (None, name):
                for field, (before, after) in changed.items():
                    click.echo(
                        f"  {name}: {field} was {format_figure(field, before)}, is {format_figure(field, after)}"
                    )


def _format_target(each: SubscriptionAccount) -> str:
    met = {True: "met", False: "missed", None: "n/a"}[each.account.target_met]
    return f"{percent_text(each.account.target)} {met}"


def _format_credit(each: SubscriptionAccount) -> str:
    credit = each.credit
    amount = "" if credit.amount is None else f" = {credit.amount} {credit.currency}"
    doubt = "" if credit.certain else ", not certain"
    return f"{credit.percent} %{amount}{doubt}" + (f" ({credit.clause})" if credit.percent else "")
