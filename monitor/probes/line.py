"""A connection that stands, in clear or over TLS, used by callbacks: the socket as it is, TLS through memory.

Streams and transports cost more than what is said over them here, and wait for the other side's goodbye at the end.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from monitor.model import Reason
from monitor.probes.failures import failed
from monitor.probes.net.tls import broken, refusal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

CHUNK = 64 * 1024
MOST_BYTES = 2 * 1024 * 1024
"""Bytes that are taken on one connection: twice the body that is read, so that framing and packing have room."""
MOST_SHAKING = 48 * 1024
"""Bytes of them until TLS stands: a chain of hundreds of certificates would hold everybody up."""


class Line:
    """One connection; ``close`` it at the end. What is called may raise ``NotOkError`` and ``OSError``."""

    def __init__(
        self, sock: socket.socket, take: Callable[[Callable[[], None]], None], hear: Callable[[bytes], None]
    ) -> None:
        """The event loop's calls go through ``take``, which sees to what they raise.

        ``hear`` gets what the server says, bit by bit, and no bytes at its end.
        """
        self._loop = asyncio.get_running_loop()
        self._sock: socket.socket | None = sock
        self._fd = sock.fileno()
        self._take = take
        self._hear = hear
        self._unsent = b""
        self._taken = 0
        self._tls: ssl.SSLObject | None = None
        self._secured: Callable[[ssl.SSLObject], None] | None = None
        self._loop.add_reader(self._fd, take, self._readable)

    def secure(
        self,
        context: ssl.SSLContext,
        name: str,
        then: Callable[[ssl.SSLObject], None],
        refused: Callable[[ssl.SSLObject], None],
    ) -> None:
        """Speak TLS from here on, with a server that is to be ``name``; ``then`` is called when that stands.

        ``refused`` is called before a certificate that is not accepted ends it.
        """
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._secured, self._refused = then, refused
        self._shake(self._tls, then)

    def say(self, data: bytes) -> None:
        """Send it, now or when the socket takes more."""
        if self._tls is not None:
            try:
                self._tls.write(data)
            except ssl.SSLError:
                raise failed(Reason.TLS) from None
            data = self._outgoing.read()
        self._send(data)

    def close(self) -> None:
        """Hang up at once, with TLS's goodbye, whose answer is not waited for; once more does nothing."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        if self._tls is not None and not self._unsent:
            with suppress(OSError):  # an SSLError is one
                self._tls.unwrap()
            with suppress(OSError):
                sock.send(self._outgoing.read())
        self._loop.remove_reader(self._fd)
        if self._unsent:
            self._loop.remove_writer(self._fd)
        sock.close()

    def _readable(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        self._taken += len(data)
        if self._taken > (MOST_BYTES if self._secured is None else MOST_SHAKING):
            raise failed(Reason.PROTOCOL, "too long")
        if self._tls is None:
            self._hear(data)
            return
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        if self._secured is not None:
            self._shake(self._tls, self._secured)
        else:
            self._unlock(self._tls)

    def _shake(self, tls: ssl.SSLObject, then: Callable[[ssl.SSLObject], None]) -> None:
        """Go on with the handshake; its last word leaves together with what is said next."""
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send(self._outgoing.read())
            return
        except ssl.SSLCertVerificationError as error:
            self._refused(tls)
            raise failed(refusal(error)) from None
        except ssl.SSLEOFError:
            raise failed(Reason.CLOSED) from None
        except ssl.SSLError as error:
            raise broken(error) from None
        self._secured = None
        then(tls)
        self._unlock(tls)

    def _unlock(self, tls: ssl.SSLObject) -> None:
        """Hear what has come."""
        while self._sock is not None:
            try:
                plain = tls.read(CHUNK)
            except ssl.SSLWantReadError:
                if self._outgoing.pending:
                    self._send(self._outgoing.read())
                return
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                plain = b""
            except ssl.SSLError:
                raise failed(Reason.TLS) from None
            self._hear(plain)
            if not plain:
                return

    def _send(self, data: bytes) -> None:
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
            self._loop.add_writer(self._fd, self._take, self._send_rest)

    def _send_rest(self) -> None:
        self._loop.remove_writer(self._fd)
        rest, self._unsent = self._unsent, b""
        self._send(rest)
