"""``/``: the operators' page, made on the server out of the live picture.

It needs no script and nothing from elsewhere, and says so to the browser, so that even a name that somebody managed to
smuggle through the escaping could do no harm. Servers with trouble come first.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor.web import wording
from monitor.web.server_list import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.clock import Clock
    from monitor.engine.live.state import Board
    from monitor.engine.live.telemetry import Telemetry
    from monitor.web.health import Health
    from monitor.web.server_list import Wish

OUTAGES_SHOWN = 50


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
        """Give the page piece by piece, some of them empty, so that the event loop can turn in between."""
        board = self._board
        selection = Selection(board, wish)
        for _ in selection.gather():
            yield ""
        zone = ZoneInfo(board.timezone)
        stream = self._template.stream(
            board=board,
            telemetry=self._telemetry,
            complaints=self._health.complaints(),
            wish=wish,
            watched=selection.watched,
            found=selection.found,
            counts=selection.counts,
            cards=selection.cards,
            page=selection.page,
            pages=selection.pages,
            outages=sorted(board.outages.values(), key=lambda outage: -outage.start),
            outages_shown=OUTAGES_SHOWN,
            now=self._clock.now(),
            local=lambda at: wording.local(at, zone),
            machine=wording.machine,
            style=self._style,
        )
        stream.enable_buffering(500)
        yield from stream


def _policy(style: str) -> str:
    """Allow the page's own style, by its digest, and its icon; no script, no frame, nothing from elsewhere."""
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
