"""``/``: the operators' page, made on the server out of the live picture.

It needs no script and nothing from elsewhere, and says so to the browser, so that even a name that somebody managed to
smuggle through the escaping could do no harm. Servers with trouble come first.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor.model import State
from monitor.web import wording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.clock import Clock
    from monitor.engine.board import Board, CheckView, SubscriptionView
    from monitor.engine.telemetry import Telemetry
    from monitor.model import Millis
    from monitor.web.health import Health

PER_PAGE = 100
"""Servers on one page; beyond, there are further pages, and the search."""
OUTAGES_SHOWN = 50
LONGEST_SEARCH = 100
_RANKS = (State.DOWN, State.UNKNOWN, State.MAINTENANCE, State.UP)


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
        state = query.get("state", "")
        page = query.get("page", "")
        return cls(
            search=query.get("q", "").strip()[:LONGEST_SEARCH],
            state=State(state) if state in set(State) else None,
            page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1,  # noqa: PLR2004
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
    def missed(self) -> bool:
        """Whether the target of a subscription is missed in a window that is kept."""
        return any(figures.budget < 0 for view in self.subscriptions for figures in view.figures.values())

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """Trouble first; last what is not looked at."""
        return not self.checks, _RANKS.index(self.concern), not self.missed

    def holds(self, search: str) -> bool:
        """Whether any of its names contains this."""
        names = [self.server]
        names += [view.entry.address for view in self.checks]
        names += [name for view in self.subscriptions for name in (view.entry.id, view.entry.customer)]
        return any(search.casefold() in name.casefold() for name in names)


def cards(board: Board) -> list[Card]:
    """Give every server that is watched, those with trouble first, otherwise in the order of the configuration."""
    subscribed: dict[str, list[SubscriptionView]] = {}
    for view in board.subscriptions.values():
        subscribed.setdefault(view.entry.server, []).append(view)
    made = [_card(board, server, checks, subscribed.get(server, [])) for server, checks in board.servers.items()]
    return sorted(made, key=lambda card: card.rank)


def _card(board: Board, server: str, checks: list[CheckView], subscriptions: list[SubscriptionView]) -> Card:
    state = board.server_state(server)
    fallen = any(board.shown(view) is State.DOWN for view in checks)
    return Card(server, state, State.DOWN if fallen else state, tuple(checks), tuple(subscriptions))


class OperatorsPage:
    """Renders the page; everything it shows is in memory."""

    def __init__(self, board: Board, telemetry: Telemetry, health: Health, clock: Clock) -> None:
        self._board = board
        self._telemetry = telemetry
        self._health = health
        self._clock = clock
        environment = Environment(
            loader=PackageLoader("monitor.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(
            duration=wording.duration, latency=wording.latency, percent=wording.percent, left=wording.left
        )
        self._style = environment.get_template("page.css.j2").render()
        self._template = environment.get_template("page.html")
        self.policy = _policy(self._style)
        """The ``Content-Security-Policy`` to serve it under."""

    def render(self, wish: Wish) -> Iterator[str]:
        """Give the page piece by piece, so that the event loop can turn in between."""
        board, now = self._board, self._clock.now()
        everything = cards(board)
        wanted = [card for card in everything if card.holds(wish.search)]
        counts = {state: sum(card.concern is state for card in wanted) for state in _RANKS}
        shown = [card for card in wanted if wish.state in (None, card.concern)]
        pages = max(1, -(-len(shown) // PER_PAGE))
        page = min(wish.page, pages)
        zone = ZoneInfo(board.timezone)
        stream = self._template.stream(
            board=board,
            telemetry=self._telemetry,
            complaints=self._health.complaints(),
            wish=wish,
            watched=len(everything),
            found=len(wanted),
            counts=counts,
            cards=shown[(page - 1) * PER_PAGE : page * PER_PAGE],
            page=page,
            pages=pages,
            outages=sorted(board.outages.values(), key=lambda outage: -outage.start),
            outages_shown=OUTAGES_SHOWN,
            now=now,
            local=lambda at: wording.local(at, zone),
            machine=wording.machine,
            style=self._style,
        )
        stream.enable_buffering(500)
        return iter(stream)


def _policy(style: str) -> str:
    """Allow the page's own style, by its digest, and its icon; no script, no frame, nothing from elsewhere."""
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
