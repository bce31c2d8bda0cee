"""The servers on the operators' page and their order: those with problems first."""

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
"""Servers on one page."""
MAX_SEARCH_LENGTH = 100
_MAX_PAGE_DIGITS = 6
_STATE_ORDER = (State.DOWN, State.UNKNOWN, State.MAINTENANCE, State.UP)
_STEP_SIZE = 500
"""Servers processed before the event loop may run."""


@dataclass(frozen=True, slots=True)
class ServerQuery:
    """The servers that a request selects."""

    search: str = ""
    """Part of an id of a server, customer or subscription, or of an address."""
    state: State | None = None
    page: int = 1

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> ServerQuery:
        """Return the query of a URL; invalid values are ignored."""
        state, page = query.get("state", ""), query.get("page", "")
        is_number = page.isascii() and page.isdigit() and len(page) <= _MAX_PAGE_DIGITS
        return cls(
            search=query.get("q", "").strip()[:MAX_SEARCH_LENGTH],
            state=State(state) if state in set(State) else None,
            page=max(1, int(page)) if is_number else 1,
        )


@dataclass(frozen=True, slots=True)
class ServerCard:
    """One server with its checks and subscriptions."""

    server: str
    state: State
    worst_state: State
    """The state for order, colour and counts: ``down`` also if only a service is down."""
    checks: tuple[CheckView, ...]
    subscriptions: tuple[SubscriptionView, ...]

    @property
    def since(self) -> Millis | None:
        """The start of the state of its first check."""
        return self.checks[0].since if self.checks else None

    @property
    def sort_key(self) -> tuple[bool, int, bool]:
        """Problems first, within a state missed targets first; servers without checks last."""
        met = all(figures.budget >= 0 for view in self.subscriptions for figures in view.figures.values())
        return not self.checks, _STATE_ORDER.index(self.worst_state), met

    def matches(self, search: str) -> bool:
        """Return whether one of its names contains a text, which must be in lower case."""
        return (
            search in self.server.lower()
            or any(search in view.entry.address.lower() for view in self.checks)
            or any(search in f"{view.entry.id}\n{view.entry.customer}".lower() for view in self.subscriptions)
        )


class ServerList:
    """The servers that match a query; empty until ``load_in_steps`` is finished."""

    def __init__(self, live_state: LiveState, query: ServerQuery) -> None:
        self._live_state = live_state
        self._query = query
        self.total = len(live_state.servers)
        """The number of all servers."""
        self.matching = 0
        """The number of servers that match the search, in any state."""
        self.counts = dict.fromkeys(_STATE_ORDER, 0)
        """The same by worst state."""
        self._selected: list[ServerCard] = []

    def load_in_steps(self) -> Iterator[None]:
        """Select from the live state in steps, between which the event loop can run."""
        live_state, query = self._live_state, self._query
        search = query.search.lower()
        subscribed: dict[str, list[SubscriptionView]] = {}
        for view in live_state.subscriptions.values():
            subscribed.setdefault(view.entry.server, []).append(view)
        by_rank: dict[tuple[bool, int, bool], list[ServerCard]] = {}
        servers = iter(live_state.servers.items())
        while some := list(islice(servers, _STEP_SIZE)):
            yield
            for server, checks in some:
                card = _build_card(live_state, server, checks, subscribed.get(server, []))
                if not card.matches(search):
                    continue
                self.matching += 1
                self.counts[card.worst_state] += 1
                if query.state in (None, card.worst_state):
                    by_rank.setdefault(card.sort_key, []).append(card)
        self._selected = [card for rank in sorted(by_rank) for card in by_rank[rank]]

    @property
    def page_count(self) -> int:
        """The number of pages, at least one."""
        return max(1, -(-len(self._selected) // PER_PAGE))

    @property
    def page(self) -> int:
        """The number of the shown page: the requested one, or the last."""
        return min(self._query.page, self.page_count)

    @property
    def cards(self) -> list[ServerCard]:
        """The servers on the shown page."""
        return self._selected[(self.page - 1) * PER_PAGE : self.page * PER_PAGE]


def _build_card(
    live_state: LiveState, server: str, checks: list[CheckView], subscriptions: list[SubscriptionView]
) -> ServerCard:
    state = live_state.server_display_state(server)
    any_down = any(live_state.display_state(view) is State.DOWN for view in checks)
    return ServerCard(server, state, State.DOWN if any_down else state, tuple(checks), tuple(subscriptions))
