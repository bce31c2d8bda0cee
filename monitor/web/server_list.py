"""Which servers the operators' page shows, and in which order: those with trouble first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from monitor.model import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.engine.live.state import Board, CheckView, SubscriptionView
    from monitor.model import Millis

PER_PAGE = 100
"""Servers on one page; beyond, there are further pages, and the search."""
LONGEST_SEARCH = 100
_LONGEST_NUMBER = 6
_RANKS = (State.DOWN, State.UNKNOWN, State.MAINTENANCE, State.UP)
_AT_ONCE = 500
"""Servers looked through before the event loop may turn again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What of the servers somebody wants to see."""

    search: str = ""
    """Part of an id of a server, customer or subscription, or of an address."""
    state: State | None = None
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Wish:
        """Read it from an address; what makes no sense there is not asked for."""
        state, page = query.get("state", ""), query.get("page", "")
        is_number = page.isascii() and page.isdigit() and len(page) <= _LONGEST_NUMBER
        return cls(
            search=query.get("q", "").strip()[:LONGEST_SEARCH],
            state=State(state) if state in set(State) else None,
            page=max(1, int(page)) if is_number else 1,
        )


@dataclass(frozen=True, slots=True)
class Card:
    """One server, with what is looked at on it and who relies on it."""

    server: str
    state: State
    concern: State
    """What it is sorted, coloured and counted by: ``down`` also where only a service is."""
    checks: tuple[CheckView, ...]
    subscriptions: tuple[SubscriptionView, ...]

    @property
    def since(self) -> Millis | None:
        """Since when its reachability is what it is."""
        return self.checks[0].since if self.checks else None

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """Its place: trouble first, within it missed targets; last what is not looked at."""
        met = all(figures.budget >= 0 for view in self.subscriptions for figures in view.figures.values())
        return not self.checks, _RANKS.index(self.concern), met

    def holds(self, search: str) -> bool:
        """Whether any of its names contains this, which is given in small letters."""
        return (
            search in self.server.lower()
            or any(search in view.entry.address.lower() for view in self.checks)
            or any(search in f"{view.entry.id}\n{view.entry.customer}".lower() for view in self.subscriptions)
        )


class Selection:
    """The servers that answer a wish. Empty until it is gathered."""

    def __init__(self, board: Board, wish: Wish) -> None:
        self._board = board
        self._wish = wish
        self.watched = len(board.servers)
        """How many there are."""
        self.found = 0
        """How many of them match the search, in whatever state."""
        self.counts = dict.fromkeys(_RANKS, 0)
        """The same by what concerns them."""
        self._shown: list[Card] = []

    def gather(self) -> Iterator[None]:
        """Look through the board; pauses now and then, so that the event loop can turn in between."""
        board, wish = self._board, self._wish
        search = wish.search.lower()
        subscribed: dict[str, list[SubscriptionView]] = {}
        for view in board.subscriptions.values():
            subscribed.setdefault(view.entry.server, []).append(view)
        by_rank: dict[tuple[bool, int, bool], list[Card]] = {}
        servers = iter(board.servers.items())
        while some := list(islice(servers, _AT_ONCE)):
            yield
            for server, checks in some:
                card = _card(board, server, checks, subscribed.get(server, []))
                if not card.holds(search):
                    continue
                self.found += 1
                self.counts[card.concern] += 1
                if wish.state in (None, card.concern):
                    by_rank.setdefault(card.rank, []).append(card)
        self._shown = [card for rank in sorted(by_rank) for card in by_rank[rank]]

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-len(self._shown) // PER_PAGE))

    @property
    def page(self) -> int:
        """The page that is shown: the one wished for, or the last there is."""
        return min(self._wish.page, self.pages)

    @property
    def cards(self) -> list[Card]:
        """What stands on it."""
        return self._shown[(self.page - 1) * PER_PAGE : self.page * PER_PAGE]


def _card(board: Board, server: str, checks: list[CheckView], subscriptions: list[SubscriptionView]) -> Card:
    state = board.server_state(server)
    fallen = any(board.shown(view) is State.DOWN for view in checks)
    return Card(server, state, State.DOWN if fallen else state, tuple(checks), tuple(subscriptions))
