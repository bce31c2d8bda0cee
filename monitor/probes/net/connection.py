"""One connection to a server, in clear or over TLS: what is read is bounded, every fault is judged.

The socket is used as it is, and TLS through memory: so a conversation can be upgraded in the middle, costs little, and
ends at once. The deadline is the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

from monitor.model import Reason
from monitor.probes.connect import handshake_us
from monitor.probes.failures import failed, of_connection
from monitor.probes.net.tls import Handshake, broken, refusal
from monitor.probes.redaction import printable
from monitor.probes.trace import FIRST_BYTE, RECEIVE, SEND, TLS

if TYPE_CHECKING:
    import re

    from monitor.probes.net.address import Address
    from monitor.probes.trace import Trail

MOST_BYTES = 256 * 1024
"""Bytes that are taken in one conversation, what TLS adds included."""
MOST_SHAKING = 48 * 1024
"""Bytes of a TLS handshake: a chain of hundreds of certificates would hold everybody up."""
LONGEST_LINE = 8 * 1024
MOST_LINES = 200
"""Lines of one reply."""
CHUNK = 16 * 1024


class Wire:
    """A connection of one attempt; ``close`` it at the end."""

    def __init__(self, sock: socket.socket, address: Address, trail: Trail) -> None:
        self._sock = sock
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._taken = 0
        self._heard = False
        self._seen = bytearray()
        """What has come since an answer is waited for, as much as a person is shown."""
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.trail = trail
        # an answer to a short line would wait for the server to acknowledge the one before, 40 ms and more
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def secured(self) -> bool:
        """Whether TLS is spoken."""
        return self._tls is not None

    @property
    def handshake_us(self) -> int | None:
        """The kernel's measure of the TCP handshake, see ``connect.handshake_us``."""
        return handshake_us(self._sock)

    @property
    def own_address(self) -> str:
        """The monitor's own address on this connection, without scope."""
        return str(self._sock.getsockname()[0]).partition("%")[0]

    async def send(self, data: bytes, shown: str) -> None:
        """Send all of it; ``shown`` is what a person sees of it, and holds no secret."""
        self.trail.begin(SEND, shown)
        if self._tls is None:
            await self._send(data)
        else:
            try:
                self._tls.write(data)
            except ssl.SSLError:
                raise failed(Reason.TLS) from None
            await self._flush()
        self.trail.end()

    def await_answer(self) -> None:
        """Begin the step of the answer that comes next; the first one is told apart."""
        self.trail.begin(RECEIVE if self._heard else FIRST_BYTE)
        self._heard = True
        self._seen = bytearray(self._buffer[:LONGEST_LINE])

    def heard(self, text: str) -> None:
        """End the step of an answer, with what was heard."""
        self.trail.end(text)

    def heard_bytes(self, data: bytes) -> None:
        """End the step of an answer, with the very words of the server."""
        self.trail.end(readable(data))

    async def reply(self, first: re.Pattern[bytes], rest: re.Pattern[bytes], last: re.Pattern[bytes]) -> list[bytes]:
        """Read lines up to one that matches ``last``; all must match ``first`` or ``rest``. Raises ``NotOkError``."""
        self.await_answer()
        lines: list[bytes] = []
        while len(lines) < MOST_LINES:
            line = await self.line()
            fits = (rest if lines else first).match(line)
            lines.append(line)
            if not fits:
                raise failed(Reason.PROTOCOL)
            if last.match(line):
                self.heard_bytes(b"\n".join(lines))
                return lines
        raise failed(Reason.PROTOCOL, "too long")

    async def line(self) -> bytes:
        """Read one line, without its end; raises ``NotOkError`` where it is too long or does not end."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LONGEST_LINE:
                raise failed(Reason.PROTOCOL, "too long")
            await self._fill()
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line

    async def exactly(self, count: int) -> bytes:
        """Read so many bytes; the caller has seen to it that they are not too many."""
        while len(self._buffer) < count:
            await self._fill()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """Speak TLS from here on, with a server that is to be ``name``. Raises ``NotOkError``."""
        if self._buffer:
            raise failed(Reason.PROTOCOL, "data before TLS")
        self.trail.begin(TLS)
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        before = self._taken
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._receive()
                if not data:
                    raise failed(Reason.TLS, "hung up") from None
                if self._taken - before > MOST_SHAKING:
                    raise failed(Reason.PROTOCOL, "too long") from None
                self._incoming.write(data)
            except ssl.SSLCertVerificationError as error:
                self._say_at_once()
                self.trail.refused(Handshake(tls, self.trail.now()))
                raise failed(refusal(error)) from None
            except ssl.SSLError as error:
                self._say_at_once()
                raise broken(error) from None
        await self._flush()
        self._tls = tls
        self.trail.shook_hands(Handshake(tls, self.trail.now()))

    async def _fill(self) -> None:
        """Take more of what the server says into the buffer; raises ``NotOkError`` where it has hung up."""
        data = await (self._receive() if self._tls is None else self._decrypted(self._tls))
        if not data:
            raise failed(Reason.CLOSED)
        self._buffer += data
        self._seen += data[: LONGEST_LINE - len(self._seen)]

    async def _decrypted(self, tls: ssl.SSLObject) -> bytes:
        while True:
            try:
                return tls.read(CHUNK)
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._receive()
                if not data:
                    return b""
                self._incoming.write(data)
            except ssl.SSLError:
                raise failed(Reason.TLS) from None

    async def _receive(self) -> bytes:
        try:
            data = await self._loop.sock_recv(self._sock, CHUNK)
        except OSError as error:
            raise of_connection(error, self._address) from None
        self._taken += len(data)
        if self._taken > MOST_BYTES:
            raise failed(Reason.PROTOCOL, "too long")
        return data

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._send(self._outgoing.read())

    async def _send(self, data: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._sock, data)
        except OSError as error:
            raise of_connection(error, self._address) from None

    def _say_at_once(self) -> None:
        """Send what TLS has to say last, if the socket takes it without waiting."""
        with contextlib.suppress(OSError):
            self._sock.send(self._outgoing.read())

    def close(self) -> None:
        """Hang up at once, with TLS's goodbye where it was spoken; what came of an answer is left in the trail."""
        if self._seen and self.trail.step in (FIRST_BYTE, RECEIVE):
            self.trail.met(readable(bytes(self._seen)).rstrip("\n"))
        if self._tls is not None:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._say_at_once()
        self._sock.close()


def readable(data: bytes) -> str:
    """Give bytes of a server as text for a person, line breaks kept, whatever they are."""
    return printable(data[:LONGEST_LINE].replace(b"\r\n", b"\n").decode("utf-8", "replace"))
