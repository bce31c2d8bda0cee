"""Mail relays on loopback: one that speaks SMTP as it should, and one that says what a test tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.smtp import SMTP, AuthResult

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from types import TracebackType


@dataclass(frozen=True)
class Received:
    """One mail that a relay took responsibility for."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    encrypted: bool
    user: str | None
    ehlo: str


class Listener:
    """A server on a free port of 127.0.0.1, for the length of a test."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.port = 0
        self._server: asyncio.Server | None = None

    def make_protocol(self) -> asyncio.BaseProtocol:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self.make_protocol, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()


class Relay(Listener):
    """A relay as they should be: STARTTLS, AUTH, and refusals by recipient."""

    def __init__(
        self,
        *,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
        smtputf8: bool = False,
    ) -> None:
        super().__init__(tls)
        self.starttls = starttls
        self.login = login
        self.smtputf8 = smtputf8
        self.mails: list[Received] = []
        self.replies: dict[str, str] = {}
        """By address, of a sender or a recipient: what is answered instead of yes."""
        self.data_reply = "250 2.0.0 Ok: queued as 4711"
        self.refused_content_of: dict[str, str] = {}
        """By recipient: what is answered to the content of a mail that is for several, or for this one."""

    def make_protocol(self) -> asyncio.BaseProtocol:
        conversation: asyncio.BaseProtocol = SMTP(
            self,
            hostname="relay.test",
            tls_context=self.starttls,
            require_starttls=self.starttls is not None,
            authenticator=self._authenticate if self.login else None,
            auth_required=self.login is not None,
            auth_require_tls=self.starttls is not None,
            enable_SMTPUTF8=self.smtputf8,
        )
        return conversation

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert self.login is not None
        user, password = self.login
        right = (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False, auth_data=data)

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 - aiosmtpd's
        if address not in self.replies:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.replies.get(address, "250 OK")

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:  # noqa: N802 - aiosmtpd's
        if address not in self.replies:
            envelope.rcpt_tos.append(address)
        return self.replies.get(address, "250 OK")

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        for address in envelope.rcpt_tos:
            if address in self.refused_content_of:
                return self.refused_content_of[address]
        if self.data_reply.startswith("250"):
            user = session.auth_data.login.decode() if session.authenticated else None
            encrypted = session.ssl is not None or self.tls is not None
            received = Received(
                envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content, encrypted, user, session.host_name
            )
            self.mails.append(received)
        return self.data_reply


@contextlib.contextmanager
def in_thread(listener: Listener) -> Iterator[None]:
    """Run a server in a loop and a thread of its own, as if it were another program."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(listener.__aenter__(), loop).result()
        yield
        asyncio.run_coroutine_threadsafe(listener.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass
class RelayScript:
    """What a scripted relay answers: by the line's verb, ``DATA.`` for the end of the mail; "" hangs up."""

    greeting: str = "220 relay.test"
    answers: dict[str, str] = field(default_factory=dict)
    default_reply: str = "250 OK"
    stop_reading_after: str = ""
    """The verb after whose answer nothing is read any more, not even that the other side hangs up."""


class ScriptedRelay(Listener):
    """A relay that misbehaves by the book of a test."""

    def __init__(self, script: RelayScript, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.script = script
        self.lines: list[str] = []
        """Every line that was heard, the mail's too."""
        self.connections = 0
        self.open: list[asyncio.Transport] = []

    def make_protocol(self) -> asyncio.BaseProtocol:
        self.connections += 1
        return _ScriptedProtocol(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for transport in self.open:
            transport.abort()
        await super().__aexit__(kind, error, trace)


class _ScriptedProtocol(asyncio.Protocol):
    def __init__(self, relay: ScriptedRelay) -> None:
        self.relay = relay
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.relay.open.append(transport)
        self.reply(self.relay.script.greeting)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            self.on_line(line.decode())

    def on_line(self, line: str) -> None:
        self.relay.lines.append(line)
        script = self.relay.script
        if self.in_data and line != ".":
            if "DATA..." in script.answers:
                self.reply(script.answers["DATA..."])
            return
        verb = "DATA." if self.in_data else line.partition(" ")[0].upper()
        usual = {"DATA": "354 go on", "QUIT": "221 bye"}.get(verb, script.default_reply)
        answer = script.answers.get(verb, usual)
        self.in_data = verb == "DATA" and answer.startswith("354")
        self.reply(answer)
        if verb == script.stop_reading_after and self.transport is not None:
            self.transport.pause_reading()

    def reply(self, answer: str) -> None:
        assert self.transport is not None
        if not answer:
            self.transport.abort()
        elif not self.transport.is_closing() and answer != "silence":
            self.transport.write(answer.encode() + b"\r\n")
