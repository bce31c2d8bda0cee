"""Compares the kept figures with the accounts, computed from scratch."""

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
"""So many subscriptions are computed one by one; for more it is cheaper to compute all."""


class FigureMismatch(NamedTuple):
    """Figures that were kept, and what the same facts come to when all is computed from the beginning."""

    subscription: str
    window: WindowName
    live: WindowFigures | None
    computed: WindowFigures | None


def find_mismatches(
    db: Database, live_figures: LiveFigures, names: Collection[str] | None = None
) -> list[FigureMismatch]:
    """Compute every subscription, or some, as of the moment of the kept figures, and give what differs.

    A difference may also be a result or a fact that was written since the figures caught up.
    """
    terms = live_figures.current
    if terms is None:
        return []
    books, month = LedgerView(db, live_figures.now, terms), month_of(live_figures.now, terms.timezone)
    computed: dict[tuple[str, WindowName], WindowFigures] = {}
    for only in names if names is not None and len(names) <= MAX_COMPUTED_SINGLY else [None]:
        computed |= _computed_figures("month", books.month(*month, only))
        computed |= _computed_figures("rolling", books.rolling(terms.rolling_days, only))
    found = [
        FigureMismatch(name, window, own, computed.get((name, window)))
        for name in (live_figures.names if names is None else names)
        for window, own in _live_windows(live_figures, name)
    ]
    return [drift for drift in found if drift.live != drift.computed]


def _live_windows(live_figures: LiveFigures, name: str) -> Iterable[tuple[WindowName, WindowFigures | None]]:
    month, rolling = live_figures.figures(name)
    return ("month", month), ("rolling", rolling)


def _computed_figures(window: WindowName, accounts: Accounts) -> dict[tuple[str, WindowName], WindowFigures]:
    return {
        (each.subscription.id, window): WindowFigures(
            up=each.account.up,
            down=each.account.down,
            unknown=each.account.unknown,
            availability=each.account.availability,
            budget=each.budget,
            credit=each.credit.percent if window == "month" else None,
        )
        for each in accounts.subscriptions
    }
