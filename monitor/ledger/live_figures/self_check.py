"""Compares the live figures with the accounts, computed from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.live_figures.window_figures import WindowFigures
from monitor.sla.calendar import month_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlite_utils import Database

    from monitor.ledger.accounts.accounts import Accounts
    from monitor.ledger.live_figures.figures import LiveFigures
    from monitor.ledger.live_figures.window_figures import WindowName


MAX_COMPUTED_SINGLY = 20
"""The most subscriptions to compute one by one; for more it is cheaper to compute all."""


class FigureMismatch(NamedTuple):
    """The live figures of a window, and those computed from scratch from the same facts."""

    subscription: str
    window: WindowName
    live: WindowFigures | None
    computed: WindowFigures | None


def find_mismatches(
    db: Database, live_figures: LiveFigures, names: Collection[str] | None = None
) -> list[FigureMismatch]:
    """Compute all subscriptions, or some, as of the moment of the live figures; return the differences.

    A result or a fact that was recorded since the last ``catch_up`` can cause a difference too.
    """
    terms = live_figures.current
    if terms is None:
        return []
    ledger, month = LedgerView(db, live_figures.now, terms), month_of(live_figures.now, terms.timezone)
    computed: dict[tuple[str, WindowName], WindowFigures] = {}
    for only in names if names is not None and len(names) <= MAX_COMPUTED_SINGLY else [None]:
        computed |= _computed_figures("month", ledger.month(*month, only))
        computed |= _computed_figures("rolling", ledger.rolling(terms.rolling_days, only))
    compared = [
        FigureMismatch(name, window, live, computed.get((name, window)))
        for name in (live_figures.names if names is None else names)
        for window, live in _live_windows(live_figures, name)
    ]
    return [mismatch for mismatch in compared if mismatch.live != mismatch.computed]


def _live_windows(live_figures: LiveFigures, name: str) -> Iterable[tuple[WindowName, WindowFigures | None]]:
    month, rolling = live_figures.figures(name)
    return ("month", month), ("rolling", rolling)


def _computed_figures(window: WindowName, accounts: Accounts) -> dict[tuple[str, WindowName], WindowFigures]:
    return {
        (subscription_account.subscription.id, window): WindowFigures(
            up=subscription_account.account.up,
            down=subscription_account.account.down,
            unknown=subscription_account.account.unknown,
            availability=subscription_account.account.availability,
            budget=subscription_account.budget,
            credit=subscription_account.credit.percent if window == "month" else None,
        )
        for subscription_account in accounts.subscriptions
    }
