"""``/``: the operators' page, rendered on the server from the live state.

It uses no script and nothing from elsewhere, and its headers tell the browser so: even a name that passed the escaping
unescaped would do no harm. Servers with problems come first.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor import formatting
from monitor.web.server_list import ServerList

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.clock import Clock
    from monitor.engine.live.state import LiveState
    from monitor.engine.live.telemetry import Telemetry
    from monitor.web.health import Health
    from monitor.web.server_list import ServerQuery

MAX_OUTAGES_SHOWN = 50


class OperatorsPage:
    """Renders the page from memory."""

    def __init__(self, live_state: LiveState, telemetry: Telemetry, health: Health, clock: Clock) -> None:
        self._live_state = live_state
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
            duration=formatting.format_coarse_duration,
            latency=formatting.format_latency,
            percent=formatting.format_hundredths,
            left=formatting.format_error_budget,
        )
        self._style = environment.get_template("page.css.j2").render()
        self._template = environment.get_template("page.html")
        self.content_security_policy = _content_security_policy(self._style)
        """The ``Content-Security-Policy`` of the page."""

    def render(self, query: ServerQuery) -> Iterator[str]:
        """Yield the page in pieces, some of them empty, so that the event loop can run in between."""
        live_state = self._live_state
        selection = ServerList(live_state, query)
        for _ in selection.load_in_steps():
            yield ""
        zone = ZoneInfo(live_state.timezone)
        stream = self._template.stream(
            live_state=live_state,
            telemetry=self._telemetry,
            problems=self._health.problems(),
            health=self._health,
            query=query,
            total=selection.total,
            matching=selection.matching,
            counts=selection.counts,
            cards=selection.cards,
            page=selection.page,
            pages=selection.page_count,
            outages=sorted(live_state.outages.values(), key=lambda outage: -outage.start),
            outages_shown=MAX_OUTAGES_SHOWN,
            now=self._clock.now(),
            format_local=lambda at: formatting.format_iso_minute(at, zone),
            format_iso_utc=formatting.format_iso_utc,
            style=self._style,
        )
        stream.enable_buffering(500)
        yield from stream


def _content_security_policy(style: str) -> str:
    """Return a policy that allows the page's own style, by its digest, and its icon, and nothing else."""
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
