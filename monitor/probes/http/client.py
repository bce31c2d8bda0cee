"""One visit to a web server: connection, TLS, request, answer, and on to where a redirect leads; by callbacks.

A task, a stream and a transport for every page cost more than the page. There is one timer, and at the end nobody is
waited for.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from monitor.clock import SystemClock
from monitor.model import Outcome, Reason
from monitor.probes.failures import SHORTAGES, ProbeError, connection_failure, server_failure, unexpected_failure
from monitor.probes.http.cookies import CookieJar
from monitor.probes.http.request import is_reachable_by_redirect
from monitor.probes.http.response import REDIRECT_STATUSES, HttpResponse
from monitor.probes.http.url import parse_url
from monitor.probes.net.resolver import parse_ip
from monitor.probes.net.tcp_connect import HappyEyeballsConnect, interleave_families, parse_source
from monitor.probes.net.tls import Handshake
from monitor.probes.net.tls_buffer import MAX_HANDSHAKE_BYTES, TlsBuffer
from monitor.probes.probe import BODY, FIRST_BYTE, RESOLVE, SEND, TLS, judge_timeout
from monitor.probes.trace import AttemptTrace

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from monitor.clock import Clock
    from monitor.probes.http.request import Request
    from monitor.probes.net.address import Address
    from monitor.probes.net.resolver import Resolver
    from monitor.probes.probe import Attempt


# --- a connection for callbacks: asyncio's transports cost more than a page and wait for the peer's goodbye -----------

READ_SIZE = 64 * 1024
MAX_RESPONSE_BYTES = 2 * 1024 * 1024
"""Bytes that are taken on one connection: twice the body that is read, so that framing and packing have room."""


class CallbackConnection:
    """One connection; ``close`` it at the end. What is called may raise ``ProbeError`` and ``OSError``."""

    def __init__(
        self, sock: socket.socket, run_callback: Callable[[Callable[[], None]], None], on_data: Callable[[bytes], None]
    ) -> None:
        """The event loop's calls go through ``run_callback``, which sees to what they raise.

        ``on_data`` gets what the server says, bit by bit, and no bytes at its end.
        """
        self._loop = asyncio.get_running_loop()
        self._sock: socket.socket | None = sock
        self._fd = sock.fileno()
        self._run_callback = run_callback
        self._on_data = on_data
        self._unsent = b""
        self._received_bytes = 0
        self._tls: TlsBuffer | None = None
        self._on_established: Callable[[ssl.SSLObject], None] | None = None
        self._loop.add_reader(self._fd, run_callback, self._on_readable)

    def start_tls(
        self,
        context: ssl.SSLContext,
        name: str,
        on_established: Callable[[ssl.SSLObject], None],
        on_rejected: Callable[[ssl.SSLObject], None],
    ) -> None:
        """Speak TLS from here on, with a server that is to be ``name``; ``on_established`` is called when that stands.

        ``on_rejected`` is called before a certificate that is not accepted ends it.
        """
        self._tls = TlsBuffer(context, name, on_rejected)
        self._on_established = on_established
        self._continue_handshake(self._tls, on_established)

    def send(self, data: bytes) -> None:
        """Send it, now or when the socket takes more."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._tls.outgoing()
        self._send_raw(data)

    def close(self) -> None:
        """Hang up at once, with TLS's goodbye, whose answer is not waited for; once more does nothing."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        if self._tls is not None and not self._unsent:
            with suppress(OSError):
                sock.send(self._tls.close())
        self._loop.remove_reader(self._fd)
        if self._unsent:
            self._loop.remove_writer(self._fd)
        sock.close()

    def _on_readable(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        self._received_bytes += len(data)
        if self._received_bytes > (MAX_RESPONSE_BYTES if self._on_established is None else MAX_HANDSHAKE_BYTES):
            raise server_failure(Reason.PROTOCOL, "too long")
        if self._tls is None:
            self._on_data(data)
            return
        self._tls.feed(data)
        if self._on_established is not None:
            self._continue_handshake(self._tls, self._on_established)
        else:
            self._read_decrypted(self._tls)

    def _continue_handshake(self, tls: TlsBuffer, on_established: Callable[[ssl.SSLObject], None]) -> None:
        """Go on with the handshake; its last bytes leave together with what is sent next."""
        if not tls.continue_handshake():
            self._send_raw(tls.outgoing())
            return
        self._on_established = None
        on_established(tls.tls)
        self._read_decrypted(tls)

    def _read_decrypted(self, tls: TlsBuffer) -> None:
        """Pass on what has arrived."""
        while self._sock is not None:
            plain = tls.read(READ_SIZE)
            if plain is None:
                if pending := tls.outgoing():
                    self._send_raw(pending)
                return
            self._on_data(plain)
            if not plain:
                return

    def _send_raw(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            return
        assert self._sock is not None
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        if sent < len(data):
            self._unsent = data[sent:]
            self._loop.add_writer(self._fd, self._run_callback, self._send_unsent)

    def _send_unsent(self) -> None:
        self._loop.remove_writer(self._fd)
        rest, self._unsent = self._unsent, b""
        self._send_raw(rest)


_log = logging.getLogger(__name__)

MAX_REDIRECTS = 10


class HttpCheck(Protocol):
    """What a visit is made for."""

    request: Request
    keep_body: bool
    """Whether the body is looked at."""
    follow_redirects: bool
    """Whether redirects are followed."""
    family: str
    """Which of a name's addresses are tried, see ``interleave_families``."""
    source: str | None
    """The address of this machine to connect from; None: the system chooses."""
    secrets: tuple[str, ...]
    """What no step may show, though the server says it."""

    def tls_context(self) -> ssl.SSLContext:
        """Return the TLS settings; raises ``ProbeError``."""

    def judge_head(self, answer: HttpResponse) -> None:
        """Judge status and headers, before the body is read; raises ``ProbeError``."""

    def judge_body(self, answer: HttpResponse) -> None:
        """Judge the whole answer; the time that this takes is not in the latency. Raises ``ProbeError``."""


class HttpExchange:
    """One attempt at a page; ``on_done`` is called once with how it ended."""

    def __init__(
        self, check: HttpCheck, resolver: Resolver, clock: Clock, on_done: Callable[[HttpExchange, Attempt], None]
    ) -> None:
        self._check = check
        self._resolver = resolver
        self._clock = clock
        self._on_done: Callable[[HttpExchange, Attempt], None] | None = on_done
        self._loop = asyncio.get_running_loop()
        self._trace = AttemptTrace(clock)
        self._trace.add_secrets(*check.secrets)
        self._timer: asyncio.TimerHandle | None = None
        self._redirects = 0
        self._origin: Address | None = None
        """The address that was connected to first."""
        self._cookies: CookieJar | None = None
        self._lookup: asyncio.Task[tuple[Address, ...]] | None = None
        self._connect: HappyEyeballsConnect | None = None
        self._connection: CallbackConnection | None = None
        self._response: HttpResponse | None = None

    def begin(self, timeout: float) -> None:
        """Set out; ``timeout`` in seconds."""
        self._deadline = self._clock.monotonic() + timeout
        self._timer = self._loop.call_later(timeout, self._on_timeout)
        self._run_step(self._start_request, self._check.request)

    def abort(self, reason: str) -> None:
        """Give up, as the monitor's own doing."""
        self._finish(Outcome.UNKNOWN, reason)

    def cancel(self) -> None:
        """Give up, and tell nobody."""
        self._on_done = None
        self._release()

    def _run_step(self, step: Callable[..., None], *args: Any) -> None:
        """Take a step, and end where it fails."""
        try:
            step(*args)
        except ProbeError as error:
            self._trace.explain(error.explanation)
            self._finish(error.outcome, error.reason)
        except OSError as error:
            verdict = connection_failure(error, self._address)
            self._finish(verdict.outcome, verdict.reason)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not become the server's
            failure = unexpected_failure(error)
            if failure.reason in SHORTAGES:
                _log.error("%s: %s", self._request.host, failure.reason)
            else:
                _log.exception("the code of a visit to %s failed", self._request.host)
            self._finish(failure.outcome, failure.reason)

    def _on_timeout(self) -> None:
        self._finish(*judge_timeout(self._clock.monotonic() - self._deadline, self._trace.step))

    def _start_request(self, request: Request) -> None:
        """Make for the server; its name is looked up where the answer is not known yet."""
        self._request = request
        host = request.connect_to or request.host
        here = parse_ip(host)
        if here is not None:
            self._connect_to((here,))
            return
        self._trace.begin(RESOLVE, host)
        self._lookup = self._loop.create_task(self._resolver.resolve_routable(host))
        self._lookup.add_done_callback(self._on_resolved)

    def _on_resolved(self, lookup: asyncio.Task[tuple[Address, ...]]) -> None:
        if not lookup.cancelled():
            self._run_step(lambda: self._connect_to(lookup.result()))

    def _connect_to(self, addresses: tuple[Address, ...]) -> None:
        tried = interleave_families(addresses, self._check.family)
        self._trace.resolved(self._request.connect_to or self._request.host, tried)
        if self._redirects:
            origin = self._origin
            assert origin is not None
            tried = [address for address in tried if is_reachable_by_redirect(address, origin)]
            if not tried:
                raise server_failure(Reason.REDIRECT, "to nowhere")
        self._address = tried[0]
        self._connect = HappyEyeballsConnect(
            self._trace,
            tried,
            self._request.port,
            self._on_connected,
            self._on_connect_failed,
            parse_source(self._check.source),
        )
        self._connect.start()

    def _on_connect_failed(self, fault: ProbeError) -> None:
        self._finish(fault.outcome, fault.reason)

    def _on_connected(self, sock: socket.socket, address: Address) -> None:
        self._address = address
        self._origin = self._origin or address
        self._connection = CallbackConnection(sock, self._run_step, self._on_data)
        self._run_step(self._start_conversation, self._connection)

    def _start_conversation(self, line: CallbackConnection) -> None:
        if self._request.tls:
            self._trace.begin(TLS)
            line.start_tls(
                self._check.tls_context(), self._request.server_name, self._on_tls_established, self._on_tls_rejected
            )
        else:
            self._send_request(line)

    def _on_tls_established(self, tls: ssl.SSLObject) -> None:
        self._trace.tls_established(Handshake(tls, self._trace.now()))
        assert self._connection is not None
        self._send_request(self._connection)

    def _on_tls_rejected(self, tls: ssl.SSLObject) -> None:
        self._trace.tls_rejected(Handshake(tls, self._trace.now()))

    def _send_request(self, line: CallbackConnection) -> None:
        self._trace.begin(SEND, self._request.displayed)
        self._trace.begin(FIRST_BYTE)
        self._response = HttpResponse(keep_body=self._check.keep_body, bodyless=self._request.method == "HEAD")
        line.send(self._request.encoded)

    def _on_data(self, data: bytes) -> None:
        """Take what came; no bytes are the end of the connection."""
        answer = self._response
        assert answer is not None
        if data:
            answer.feed(data)
            if answer.status and self._trace.step == FIRST_BYTE and self._follows_redirect(answer):
                return
        else:
            answer.on_connection_closed()
        if answer.complete:
            self._trace.end(answer.body_summary)
            self._trace.answer_complete()
            self._close_connection()
            self._check.judge_body(answer)
            self._finish(Outcome.OK, "")

    def _follows_redirect(self, answer: HttpResponse) -> bool:
        """Judge the headers, once they are there; whether they lead elsewhere, where the visit then goes."""
        self._trace.end(answer.displayed_head)
        where = answer.location if self._check.follow_redirects and answer.status in REDIRECT_STATUSES else None
        if where is None:
            self._trace.begin(BODY)
            self._check.judge_head(answer)
            return False
        self._close_connection()
        self._redirects += 1
        if self._redirects > MAX_REDIRECTS:
            raise server_failure(Reason.REDIRECT, "too many")
        self._start_request(self._with_cookies(self._request.redirect_to(where, answer.status), answer))
        return True

    def _with_cookies(self, further: Request, answer: HttpResponse) -> Request:
        """Return the next request with the cookies that this attempt's responses have set for it."""
        cookies = answer.headers(b"set-cookie")
        if self._cookies is None:
            if not cookies:
                return further
            self._cookies = CookieJar()
        now = self._clock.now() / 1000
        self._cookies.store(cookies, parse_url(self._request.url), now)
        return further.with_cookies(self._cookies.header(parse_url(further.url), now))

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None  # they know each other: apart, they are freed without a search for cycles

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._lookup is not None:
            self._lookup.cancel()
        if self._connect is not None:
            self._connect.cancel()
            self._connect = None
        self._close_connection()

    def _finish(self, outcome: Outcome, reason: str) -> None:
        done, self._on_done = self._on_done, None
        if done is None:
            return
        self._release()
        try:
            done(self, self._trace.attempt(outcome, reason))
        except Exception:  # noqa: BLE001 - one listener's fault is not the loop's
            _log.exception("the end of a visit to %s could not be told", self._request.host)


# --- the client: one new connection a request; no TLS session is resumed, since that would hide a changed certificate


class HttpClient:
    """Makes visits; to be used inside one running loop."""

    def __init__(self, resolver: Resolver, clock: Clock | None = None) -> None:
        self._resolver = resolver
        self._clock = clock or SystemClock()
        self._exchanges: dict[HttpExchange, Callable[[Attempt], None]] = {}

    def start(self, check: HttpCheck, timeout: float, on_done: Callable[[Attempt], None]) -> HttpExchange:
        """Visit a page within ``timeout`` seconds; ``on_done`` is called once, perhaps before this returns."""
        visit = HttpExchange(check, self._resolver, self._clock, self._on_exchange_done)
        self._exchanges[visit] = on_done
        visit.begin(timeout)
        return visit

    async def fetch(self, check: HttpCheck, timeout: float) -> Attempt:  # noqa: ASYNC109 - the attempt reports its timeout
        """Visit a page within ``timeout`` seconds; where the caller stops waiting, the visit ends."""
        future: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()

        def tell(attempt: Attempt) -> None:
            if not future.cancelled():  # it can end after its caller was cancelled, and before that one's turn comes
                future.set_result(attempt)

        visit = self.start(check, timeout, tell)
        try:
            return await future
        finally:
            if self._exchanges.pop(visit, None) is not None:
                visit.cancel()

    def _on_exchange_done(self, visit: HttpExchange, attempt: Attempt) -> None:
        self._exchanges.pop(visit)(attempt)

    async def aclose(self) -> None:
        """End all visits under way; they are told as unknown."""
        for visit in tuple(self._exchanges):
            visit.abort("monitor stopped")
