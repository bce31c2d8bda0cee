"""All credits of one service in one month, from whatever source, stay under its monthly fee (6.6)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.accounts.credits import CreditCause, _apply_cap
from monitor.model import Subscription
from monitor.sla.credits import Credit, credit_amount
from tests.fakes import ledger_in_memory
from tests.ledger.results.import_fixture import NOW, TERMS

if TYPE_CHECKING:
    from monitor.ledger.accounts.accounts import SubscriptionAccount
    from monitor.model import CreditPolicy

PAID = Subscription("s", "c", "web-01", "server", Decimal("49.90"), "USD", 1, None, None)


def an_account(policy: CreditPolicy) -> SubscriptionAccount:
    terms = replace(TERMS, subscriptions={"s": PAID}, credit=policy)
    return LedgerView(ledger_in_memory(), NOW, terms).rolling(30).subscriptions[0]


def cause(percent: int, *, claimed: bool) -> CreditCause:
    return CreditCause(
        Credit(percent, certain=True, amount=credit_amount(PAID, percent), currency="USD", clause="5.2.2"), claimed
    )


@given(
    st.sampled_from(["on-claim", "automatic"]),
    st.lists(st.tuples(st.integers(1, 100), st.booleans()), max_size=6),
)
def test_credits_together_never_exceed_the_fee_and_what_is_due_goes_first(
    policy: CreditPolicy, found: list[tuple[int, bool]]
) -> None:
    causes = [cause(percent, claimed=claimed) for percent, claimed in found]
    paid = _apply_cap(causes, an_account(policy))
    assert sum(credit.amount or 0 for _, _, credit in paid) <= Decimal("49.90")
    due = [(each, credit) for each, is_due, credit in paid if is_due]
    whole = sum(each.credit.amount or 0 for each, _ in due)
    assert sum(credit.amount or 0 for _, credit in due) == min(whole, Decimal("49.90"))
    assert len(due) == (len(found) if policy == "automatic" else sum(claimed for _, claimed in found))


def test_a_credit_that_the_cap_leaves_nothing_of_is_still_listed() -> None:
    paid = _apply_cap([cause(60, claimed=True), cause(50, claimed=True)], an_account("on-claim"))
    assert [str(credit.amount) for _, _, credit in paid] == ["29.94", "19.96"]
