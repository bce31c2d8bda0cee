"""The self-check of the kept figures: everything is computed again from the beginning, and has to come to the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from monitor.ledger.accounts.accounts import Books
from monitor.sla.calendar import month_of
from monitor.sla.live.window_figures import Figures

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlite_utils import Database

    from monitor.ledger.accounts.accounts import Accounts
    from monitor.ledger.live.figures import Keeping
    from monitor.sla.live.window_figures import WindowName


FEW = 20
"""So many subscriptions are computed one by one; for more it is cheaper to compute all."""


class Drift(NamedTuple):
    """Figures that were kept, and what the same facts come to when all is computed from the beginning."""

    subscription: str
    window: WindowName
    kept: Figures | None
    computed: Figures | None


def drifts(db: Database, keeping: Keeping, names: Collection[str] | None = None) -> list[Drift]:
    """Compute every subscription, or some, as of the moment of the kept figures, and give what differs.

    A difference may also be a result or a fact that was written since the figures caught up.
    """
    terms = keeping.current
    if terms is None:
        return []
    books, month = Books(db, keeping.now, terms), month_of(keeping.now, terms.timezone)
    computed: dict[tuple[str, WindowName], Figures] = {}
    for only in names if names is not None and len(names) <= FEW else [None]:
        computed |= _figures("month", books.month(*month, only))
        computed |= _figures("rolling", books.rolling(terms.rolling_days, only))
    found = [
        Drift(name, window, own, computed.get((name, window)))
        for name in (keeping.names if names is None else names)
        for window, own in _kept(keeping, name)
    ]
    return [drift for drift in found if drift.kept != drift.computed]


def _kept(keeping: Keeping, name: str) -> Iterable[tuple[WindowName, Figures | None]]:
    month, rolling = keeping.figures(name)
    return ("month", month), ("rolling", rolling)


def _figures(window: WindowName, accounts: Accounts) -> dict[tuple[str, WindowName], Figures]:
    return {
        (each.subscription.id, window): Figures(
            up=each.account.up,
            down=each.account.down,
            unknown=each.account.unknown,
            availability=each.account.availability,
            budget=each.budget,
            credit=each.credit.percent if window == "month" else None,
        )
        for each in accounts.subscriptions
    }
