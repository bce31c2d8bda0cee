"""Which servers the operators' page shows, and in which order: those with trouble first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from monitor.model import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.engine.live.state import CheckView, LiveState, SubscriptionView
    from monitor.model import Millis

PER_PAGE = 100
"""Servers on one page; beyond, there are further pages, and the search."""
MAX_SEARCH_LENGTH = 100
_MAX_PAGE_DIGITS = 6
_STATE_ORDER = (State.DOWN, State.UNKNOWN, State.MAINTENANCE, State.UP)
_STEP_SIZE = 500
"""Servers looked through before the event loop may turn again."""


@dataclass(frozen=True, slots=True)
class ServerQuery:
    """What of the servers somebody wants to see."""

    search: str = ""
    """Part of an id of a server, customer or subscription, or of an address."""
    state: State | None = None
    page: int = 1

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> ServerQuery:
        """Read it from an address; what makes no sense there is not asked for."""
        state, page = query.get("state", ""), query.get("page", "")
        is_number = page.isascii() and page.isdigit() and len(page) <= _MAX_PAGE_DIGITS
        return cls(
            search=query.get("q", "").strip()[:MAX_SEARCH_LENGTH],
            state=State(state) if state in set(State) else None,
            page=max(1, int(page)) if is_number else 1,
        )


@dataclass(frozen=True, slots=True)
class ServerCard:
    """One server, with what is looked at on it and who relies on it."""

    server: str
    state: State
    worst_state: State
    """What it is sorted, coloured and counted by: ``down`` also where only a service is."""
    checks: tuple[CheckView, ...]
    subscriptions: tuple[SubscriptionView, ...]

    @property
    def since(self) -> Millis | None:
        """Since when its reachability is what it is."""
        return self.checks[0].since if self.checks else None

    @property
    def sort_key(self) -> tuple[bool, int, bool]:
        """Its place: trouble first, within it missed targets; last what is not looked at."""
        met = all(figures.budget >= 0 for view in self.subscriptions for figures in view.figures.values())
        return not self.checks, _STATE_ORDER.index(self.worst_state), met

    def matches(self, search: str) -> bool:
        """Whether any of its names contains this, which is given in small letters."""
        return (
            search in self.server.lower()
            or any(search in view.entry.address.lower() for view in self.checks)
            or any(search in f"{view.entry.id}\n{view.entry.customer}".lower() for view in self.subscriptions)
        )


class ServerList:
    """The servers that answer a wish. Empty until it is gathered."""

    def __init__(self, live_state: LiveState, query: ServerQuery) -> None:
        self._live_state = live_state
        self._query = query
        self.total = len(live_state.servers)
        """How many there are."""
        self.matching = 0
        """How many of them match the search, in whatever state."""
        self.counts = dict.fromkeys(_STATE_ORDER, 0)
        """The same by what concerns them."""
        self._selected: list[ServerCard] = []

    def load_in_steps(self) -> Iterator[None]:
        """Look through the board; pauses now and then, so that the event loop can turn in between."""
        board, wish = self._live_state, self._query
        search = wish.search.lower()
        subscribed: dict[str, list[SubscriptionView]] = {}
        for view in board.subscriptions.values():
            subscribed.setdefault(view.entry.server, []).append(view)
        by_rank: dict[tuple[bool, int, bool], list[ServerCard]] = {}
        servers = iter(board.servers.items())
        while some := list(islice(servers, _STEP_SIZE)):
            yield
            for server, checks in some:
                card = _build_card(board, server, checks, subscribed.get(server, []))
                if not card.matches(search):
                    continue
                self.matching += 1
                self.counts[card.worst_state] += 1
                if wish.state in (None, card.worst_state):
                    by_rank.setdefault(card.sort_key, []).append(card)
        self._selected = [card for rank in sorted(by_rank) for card in by_rank[rank]]

    @property
    def page_count(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-len(self._selected) // PER_PAGE))

    @property
    def page(self) -> int:
        """The page that is shown: the one wished for, or the last there is."""
        return min(self._query.page, self.page_count)

    @property
    def cards(self) -> list[ServerCard]:
        """What stands on it."""
        return self._selected[(self.page - 1) * PER_PAGE : self.page * PER_PAGE]


def _build_card(
    live_state: LiveState, server: str, checks: list[CheckView], subscriptions: list[SubscriptionView]
) -> ServerCard:
    state = live_state.server_display_state(server)
    fallen = any(live_state.display_state(view) is State.DOWN for view in checks)
    return ServerCard(server, state, State.DOWN if fallen else state, tuple(checks), tuple(subscriptions))
