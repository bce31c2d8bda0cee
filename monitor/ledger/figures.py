"""An account as the journal keeps it: whole milliseconds, hundredths of a percent, money as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.ledger.accounts.accounts import SubscriptionAccount


def figures(each: SubscriptionAccount) -> dict[str, Any]:
    """Give every figure of one subscription's window, complete: two accounts are the same where these are."""
    account, credit, subscription = each.account, each.credit, each.subscription
    span = account.span or each.window
    return {
        "customer": subscription.customer,
        "server": subscription.server,
        "product": subscription.product,
        "start": span.start,
        "end": span.end,
        "up": account.up,
        "down": account.down,
        "excluded": account.excluded,
        "unknown": account.unknown,
        "availability": account.availability,
        "lowest": account.lowest,
        "highest": account.highest,
        "experienced": account.experienced,
        "coverage": account.coverage,
        "target": account.target,
        "target_met": account.target_met,
        "rounding": account.rounding,
        "credit": credit.percent,
        "credit_certain": credit.certain,
        "credit_amount": None if credit.amount is None else str(credit.amount),
        "credit_clause": credit.clause,
        "currency": credit.currency,
        "exclusions": [
            {"clause": charge.clause, "length": charge.length, "reference": charge.reference}
            for charge in account.exclusions
        ],
        "outages": list(account.outages),
    }
