"""One connection to a server, in clear or over TLS: what is read is bounded, every fault is judged.

The socket is used as it is, and TLS through memory: so a conversation can be upgraded in the middle, costs little, and
ends at once. The deadline is the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from monitor.model import Reason
from monitor.probes.failures import connection_failure, server_failure
from monitor.probes.net.tcp_connect import connect_any, handshake_us, interleave_families, parse_source, usable_family
from monitor.probes.net.tls import Handshake
from monitor.probes.net.tls_buffer import MAX_HANDSHAKE_BYTES, TlsBuffer
from monitor.probes.probe import FIRST_BYTE, RECEIVE, RESOLVE, SEND, TLS
from monitor.probes.redaction import printable
from monitor.probes.trace import run_with_deadline

if TYPE_CHECKING:
    import re
    import ssl
    from pathlib import Path

    from monitor.probes.net.address import Address
    from monitor.probes.probe import Attempt, Target
    from monitor.probes.resources import ProbeResources
    from monitor.probes.trace import AttemptTrace

MAX_BYTES = 256 * 1024
"""Bytes that are taken in one conversation, what TLS adds included."""
MAX_LINE_LENGTH = 8 * 1024
MAX_REPLY_LINES = 200
"""Lines of one reply."""
READ_SIZE = 16 * 1024
_MAX_DISPLAYED_HEX = 64
"""Bytes of a binary answer that a person is shown: the last ones."""


class Connection:
    """A connection of one attempt; ``close`` it at the end."""

    def __init__(self, sock: socket.socket, address: Address, trace: AttemptTrace) -> None:
        self._sock = sock
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._received_bytes = 0
        self._has_answered = False
        self._displayed_answer = bytearray()
        """What has come since an answer is waited for, as much as a person is shown."""
        self._tls: TlsBuffer | None = None
        self.trace = trace
        # an answer to a short line would wait for the server to acknowledge the one before, 40 ms and more
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def is_tls(self) -> bool:
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

    async def send(self, data: bytes, description: str) -> None:
        """Send all of it; ``description`` is what a person sees of it, and holds no secret."""
        self.trace.begin(SEND, description)
        if self._tls is None:
            await self._send(data)
        else:
            self._tls.write(data)
            await self._send(self._tls.outgoing())
        self.trace.end()

    def begin_answer(self) -> None:
        """Begin the step of the answer that comes next; the first one is told apart."""
        self.trace.begin(RECEIVE if self._has_answered else FIRST_BYTE)
        self._has_answered = True
        self._displayed_answer = bytearray(self._buffer[:MAX_LINE_LENGTH])

    def end_answer(self, text: str) -> None:
        """End the step of an answer, with what was heard."""
        self.trace.end(text)

    def end_answer_with(self, data: bytes) -> None:
        """End the step of an answer, with the very words of the server."""
        self.trace.end(displayed_text(data))

    async def read_reply(
        self, first: re.Pattern[bytes], rest: re.Pattern[bytes], last: re.Pattern[bytes], *, own_code: bool = False
    ) -> list[bytes]:
        """Read lines up to one that matches ``last``; all must match ``first`` or ``rest``. Raises ``ProbeError``.

        With ``own_code`` the last line must also begin with the code of the first line: group 1 of ``first``.
        """
        self.begin_answer()
        lines: list[bytes] = []
        while len(lines) < MAX_REPLY_LINES:
            line = await self.read_line()
            fits = (rest if lines else first).match(line)
            lines.append(line)
            if not fits:
                raise server_failure(Reason.PROTOCOL)
            ends = last.match(line)
            if ends and (not own_code or line.startswith(_code_of(first, lines[0]))):
                self.end_answer_with(b"\n".join(lines))
                return lines
        raise server_failure(Reason.PROTOCOL, "too long")

    async def read_line(self) -> bytes:
        """Read one line, without its end; raises ``ProbeError`` where it is too long or does not end."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE_LENGTH:
                raise server_failure(Reason.PROTOCOL, "too long")
            await self._fill_buffer()
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line

    async def read_exactly(self, count: int) -> bytes:
        """Read so many bytes; the caller has seen to it that they are not too many."""
        while len(self._buffer) < count:
            await self._fill_buffer()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def read_until(self, expected: bytes) -> None:
        """Read one answer up to some bytes, wherever they are in it; what comes after them is left for the next."""
        self.begin_answer()
        searched = 0
        while (start := self._buffer.find(expected, searched)) < 0:
            searched = max(0, len(self._buffer) - len(expected) + 1)
            await self._fill_buffer()
        end = start + len(expected)
        self.end_answer(bytes(self._buffer[max(0, end - _MAX_DISPLAYED_HEX) : end]).hex(" "))
        del self._buffer[:end]

    async def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """Speak TLS from here on, with a server that is to be ``name``. Raises ``ProbeError``."""
        if self._buffer:
            raise server_failure(Reason.PROTOCOL, "data before TLS")
        self.trace.begin(TLS)
        tls = self._tls = TlsBuffer(context, name, self._on_rejected)
        before = self._received_bytes
        while not tls.continue_handshake():
            await self._send(tls.outgoing())
            data = await self._receive()
            if not data:
                raise server_failure(Reason.TLS, "hung up")
            if self._received_bytes - before > MAX_HANDSHAKE_BYTES:
                raise server_failure(Reason.PROTOCOL, "too long")
            tls.feed(data)
        await self._send(tls.outgoing())
        self.trace.tls_established(Handshake(tls.tls, self.trace.now()))

    def _on_rejected(self, tls: ssl.SSLObject) -> None:
        self.trace.tls_rejected(Handshake(tls, self.trace.now()))

    async def _fill_buffer(self) -> None:
        """Take more of what the server says into the buffer; raises ``ProbeError`` where it has hung up."""
        data = await (self._receive() if self._tls is None else self._read_decrypted(self._tls))
        if not data:
            raise server_failure(Reason.CLOSED)
        self._buffer += data
        self._displayed_answer += data[: MAX_LINE_LENGTH - len(self._displayed_answer)]

    async def _read_decrypted(self, tls: TlsBuffer) -> bytes:
        while (plain := tls.read(READ_SIZE)) is None:
            await self._send(tls.outgoing())
            data = await self._receive()
            if not data:
                return b""
            tls.feed(data)
        return plain

    async def _receive(self) -> bytes:
        try:
            data = await self._loop.sock_recv(self._sock, READ_SIZE)
        except OSError as error:
            raise connection_failure(error, self._address) from None
        self._received_bytes += len(data)
        if self._received_bytes > MAX_BYTES:
            raise server_failure(Reason.PROTOCOL, "too long")
        return data

    async def _send(self, data: bytes) -> None:
        if not data:
            return
        try:
            await self._loop.sock_sendall(self._sock, data)
        except OSError as error:
            raise connection_failure(error, self._address) from None

    def close(self) -> None:
        """Hang up at once, with TLS's goodbye where it was spoken; what came of an answer is left in the trail."""
        if self._displayed_answer and self.trace.step in (FIRST_BYTE, RECEIVE):
            self.trace.note(displayed_text(bytes(self._displayed_answer)).rstrip("\n"))
        if self._tls is not None:
            with contextlib.suppress(OSError):
                self._sock.send(self._tls.close())
        self._sock.close()


def _code_of(pattern: re.Pattern[bytes], line: bytes) -> bytes:
    match = pattern.match(line)
    return match[1] if match else b""


def displayed_text(data: bytes) -> str:
    """Return bytes of a server as text for a person, line breaks kept, whatever they are."""
    return printable(data[:MAX_LINE_LENGTH].replace(b"\r\n", b"\n").decode("utf-8", "replace"))


# --- a probe over one connection: connect, perhaps start TLS, then run the session of its type ------------------------


class EndpointSettings(Protocol):
    """As much of a type's settings as connecting hangs on."""

    @property
    def host(self) -> str | None:
        """What to connect to; the server's address where it is None."""

    @property
    def port(self) -> int:
        """The port."""

    @property
    def family(self) -> str:
        """Which of a name's addresses: ``any``, ``4``, ``6``."""

    @property
    def source(self) -> str | None:
        """The address of this machine to connect from; None: the system chooses."""


class TlsOptions(Protocol):
    """As much of a type's settings as TLS hangs on."""

    @property
    def server_name(self) -> str | None:
        """The name that is asked for, and that the certificate must have."""

    @property
    def verify_certificate(self) -> bool:
        """Whether the certificate is judged."""

    @property
    def ca_file(self) -> Path | None:
        """Which authorities are trusted."""

    @property
    def lowest_version(self) -> str:
        """The lowest version of TLS that the server may agree on."""

    @property
    def certificate_file(self) -> Path | None:
        """The certificate that the server may ask for."""

    @property
    def key_file(self) -> Path | None:
        """Its key; None where ``certificate_file`` holds it."""


S = TypeVar("S", bound=EndpointSettings)


class Session(Generic[S]):
    """What a conversation has at hand."""

    def __init__(self, connection: Connection, host: str, settings: S, resources: ProbeResources) -> None:
        self.connection = connection
        self.host = host
        self.settings = settings
        self.resources = resources

    async def start_tls(self, settings: TlsOptions) -> None:
        """Speak TLS from here on, as the keys say. Raises ``ProbeError``."""
        context = self.resources.tls.get(
            verify=settings.verify_certificate,
            ca_file=settings.ca_file,
            lowest_version=settings.lowest_version,
            certificate_file=settings.certificate_file,
            key_file=settings.key_file,
        )
        await self.connection.start_tls(context, (settings.server_name or self.host).rstrip(".").partition("%")[0])

    def read_password(self, file: Path) -> str:
        """Read a password, which no step will show. Raises ``ProbeError``, unknown, where it cannot be read."""
        password = self.resources.credentials.read(file)
        self.connection.trace.add_secrets(password)
        return password


class ConnectionProbe(Generic[S]):
    """Connects and runs the session of its type, which a subclass defines."""

    __slots__ = ("_resources", "_settings")

    def __init__(self, settings: S, resources: ProbeResources) -> None:
        self._settings = settings
        self._resources = resources

    async def run_session(self, session: Session[S]) -> None:
        """Return if the server is ok; raises ``ProbeError`` if not."""
        raise NotImplementedError

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
        """Try once; of a name with several addresses, at the first that takes the connection."""

        async def look(trail: AttemptTrace) -> None:
            await self._run_attempt(trail, self._settings.host or target.host)

        return await run_with_deadline(self._resources.clock, timeout, look)

    async def _run_attempt(self, trace: AttemptTrace, host: str) -> None:
        trace.begin(RESOLVE, host)
        settings = self._settings
        family = usable_family(settings.family, settings.source)
        found = interleave_families(await self._resources.resolver.resolve_routable(host), family)
        trace.resolved(host, found)
        address, sock = await connect_any(trace, found, settings.port, parse_source(settings.source))
        wire = Connection(sock, address, trace)
        try:
            await self.run_session(Session(wire, host, self._settings, self._resources))
        finally:
            wire.close()
