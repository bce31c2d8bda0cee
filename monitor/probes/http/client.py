"""One visit to a web server: connection, TLS, request, answer, and on to where a redirect leads; by callbacks.

A task, a stream and a transport for every page cost more than the page. There is one timer, and at the end nobody is
waited for.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from monitor.model import Outcome, Reason
from monitor.probes.answer import REDIRECTS, Answer
from monitor.probes.failures import NotOkError, failed, of_connection
from monitor.probes.line import Line
from monitor.probes.net.resolver import literal
from monitor.probes.net.tcp_connect import Opening
from monitor.probes.net.tls import Handshake
from monitor.probes.reach import in_turn
from monitor.probes.trace import BODY, FIRST_BYTE, RESOLVE, SEND, TLS, Trail, overdue

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from monitor.clock import Clock
    from monitor.probes.http.messages import Request
    from monitor.probes.net.address import Address
    from monitor.probes.net.resolver import Resolver
    from monitor.probes.probe import Attempt

_log = logging.getLogger(__name__)

MOST_REDIRECTS = 10


class Errand(Protocol):
    """What a visit is made for."""

    request: Request
    keep: bool
    """Whether the body is looked at."""
    follow: bool
    """Whether redirects are followed."""
    family: str
    """Which of a name's addresses are tried, see ``in_turn``."""
    secrets: tuple[str, ...]
    """What no step may show, though the server says it."""

    def context(self) -> ssl.SSLContext:
        """Give the TLS settings; raises ``NotOkError``."""

    def accept(self, answer: Answer) -> None:
        """Judge status and headers, before the body is read; raises ``NotOkError``."""

    def judge(self, answer: Answer) -> None:
        """Judge the whole answer; the time that this takes is not in the latency. Raises ``NotOkError``."""


class Visit:
    """One attempt at a page; ``done`` is called once with how it ended."""

    def __init__(
        self, errand: Errand, resolver: Resolver, clock: Clock, done: Callable[[Visit, Attempt], None]
    ) -> None:
        self._errand = errand
        self._resolver = resolver
        self._clock = clock
        self._done: Callable[[Visit, Attempt], None] | None = done
        self._loop = asyncio.get_running_loop()
        self._trail = Trail(clock)
        self._trail.hide(*errand.secrets)
        self._timer: asyncio.TimerHandle | None = None
        self._redirects = 0
        self._lookup: asyncio.Task[tuple[Address, ...]] | None = None
        self._opening: Opening | None = None
        self._line: Line | None = None
        self._answer: Answer | None = None

    def begin(self, timeout: float) -> None:
        """Set out; ``timeout`` in seconds."""
        self._deadline = self._clock.monotonic() + timeout
        self._timer = self._loop.call_later(timeout, self._expire)
        self._take(self._go, self._errand.request)

    def stop(self, reason: str) -> None:
        """Give up, as the monitor's own doing."""
        self._end(Outcome.UNKNOWN, reason)

    def drop(self) -> None:
        """Give up, and tell nobody."""
        self._done = None
        self._leave()

    def _take(self, step: Callable[..., None], *args: Any) -> None:
        """Take a step, and end where it fails."""
        try:
            step(*args)
        except NotOkError as error:
            self._end(error.outcome, error.reason)
        except OSError as error:
            verdict = of_connection(error, self._address)
            self._end(verdict.outcome, verdict.reason)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not become the server's
            _log.exception("the code of a visit to %s failed", self._request.host)
            self._end(Outcome.UNKNOWN, f"error {type(error).__name__}")

    def _expire(self) -> None:
        self._end(*overdue(self._clock.monotonic() - self._deadline, self._trail.step))

    def _go(self, request: Request) -> None:
        """Make for the server; its name is looked up where the answer is not known yet."""
        self._request = request
        host = request.connect_to or request.host
        here = literal(host)
        if here is not None:
            self._dial((here,))
            return
        self._trail.begin(RESOLVE, host)
        self._lookup = self._loop.create_task(self._resolver.routed(host))
        self._lookup.add_done_callback(self._found)

    def _found(self, lookup: asyncio.Task[tuple[Address, ...]]) -> None:
        if not lookup.cancelled():
            self._take(lambda: self._dial(lookup.result()))

    def _dial(self, addresses: tuple[Address, ...]) -> None:
        tried = in_turn(addresses, self._errand.family)
        self._trail.resolved(self._request.connect_to or self._request.host, tried)
        self._address = tried[0]
        self._opening = Opening(self._trail, tried, self._request.port, self._opened, self._refused)
        self._opening.begin()

    def _refused(self, fault: NotOkError) -> None:
        self._end(fault.outcome, fault.reason)

    def _opened(self, sock: socket.socket, address: Address) -> None:
        self._address = address
        self._line = Line(sock, self._take, self._listen)
        self._take(self._greet, self._line)

    def _greet(self, line: Line) -> None:
        if self._request.tls:
            self._trail.begin(TLS)
            line.secure(self._errand.context(), self._request.server_name, self._secured, self._distrusted)
        else:
            self._ask(line)

    def _secured(self, tls: ssl.SSLObject) -> None:
        self._trail.shook_hands(Handshake(tls, self._trail.now()))
        assert self._line is not None
        self._ask(self._line)

    def _distrusted(self, tls: ssl.SSLObject) -> None:
        self._trail.refused(Handshake(tls, self._trail.now()))

    def _ask(self, line: Line) -> None:
        self._trail.begin(SEND, self._request.shown)
        self._trail.begin(FIRST_BYTE)
        self._answer = Answer(keep=self._errand.keep, bodyless=self._request.method == "HEAD")
        line.say(self._request.said)

    def _listen(self, data: bytes) -> None:
        """Take what came; no bytes are the end of the connection."""
        answer = self._answer
        assert answer is not None
        if data:
            answer.feed(data)
            if answer.status and self._trail.step == FIRST_BYTE and self._leads_on(answer):
                return
        else:
            answer.end()
        if answer.complete:
            self._trail.end(f"{answer.size} bytes")
            self._trail.arrived()
            self._hang_up()
            self._errand.judge(answer)
            self._end(Outcome.OK, "")

    def _leads_on(self, answer: Answer) -> bool:
        """Judge the headers, once they are there; whether they lead elsewhere, where the visit then goes."""
        self._trail.end(answer.shown)
        where = answer.location if self._errand.follow and answer.status in REDIRECTS else None
        if where is None:
            self._trail.begin(BODY)
            self._errand.accept(answer)
            return False
        self._hang_up()
        self._redirects += 1
        if self._redirects > MOST_REDIRECTS:
            raise failed(Reason.REDIRECT, "too many")
        self._go(self._request.towards(where, answer.status))
        return True

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None  # they know each other: apart, they are freed without a search for cycles
        if self._answer is not None:
            self._answer.part()

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._lookup is not None:
            self._lookup.cancel()
        if self._opening is not None:
            self._opening.give_up()
            self._opening = None
        self._hang_up()

    def _end(self, outcome: Outcome, reason: str) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        self._leave()
        try:
            done(self, self._trail.attempt(outcome, reason))
        except Exception:  # noqa: BLE001 - one listener's fault is not the loop's
            _log.exception("the end of a visit to %s could not be told", self._request.host)
