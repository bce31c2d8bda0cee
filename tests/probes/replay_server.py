"""Plays a recording to one check, whole or spoilt, and sees to what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.clock import SystemClock
from monitor.model import Outcome, Reason
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import Attempt, Target
from monitor.probes.resources import open_resources
from tests.probes.misbehaving_server import Action
from tests.probes.mutations import Mutation, mutate
from tests.probes.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from monitor.probes.net.tls import TlsContexts
    from tests.probes.recordings import Recording

UNREACHED_TIMEOUT = 20.0
"""Seconds: a deadline that nothing reaches, since the server hangs up."""
READ_TIMEOUT = 0.05
"""Seconds that a server listens to who says nothing, where its part was spoilt."""
_UNKNOWN_REASONS = {"login needs starttls", "login method not known", "expression too slow"}
"""Why a result may be unknown, whatever is said: what the keys ask for cannot be had of that server."""


@dataclass(frozen=True)
class ReplayFiles:
    """What certificates and logins want."""

    tls: ssl.SSLContext
    ca: Path
    password: Path
    contexts: TlsContexts
    """Shared by all attempts: to make one takes longer than an attempt."""


class ReplayServer:
    """The server's part in one conversation; ``below_tls`` TLS what it sends is spoilt as it travels."""

    def __init__(
        self,
        recording: Recording,
        files: ReplayFiles,
        mutations: list[Mutation],
        *,
        below_tls: bool,
        read_timeout: float,
    ) -> None:
        self._recording = recording
        self._files = files
        self._mutations = mutations
        self._below_tls = below_tls
        self._read_timeout = read_timeout

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError, TimeoutError, ssl.SSLError, ConnectionError):
            await _ReplaySession(reader, writer, self._read_timeout, self._mutations, below_tls=self._below_tls).play(
                self._recording.steps, self._files.tls
            )


class _ReplaySession:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        read_timeout: float,
        mutations: list[Mutation],
        *,
        below_tls: bool,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._read_timeout = read_timeout
        self._mutations = mutations
        self._below_tls = below_tls
        self._sent = 0
        self._received = b""
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    async def play(self, steps: tuple[Any, ...], context: ssl.SSLContext) -> None:
        pieces = sum(1 for move in steps if isinstance(move, bytes) or callable(move))
        for move in steps:
            if move is Action.RECEIVE:
                await self._receive()
            elif move is Action.TLS:
                await self._handshake(context)
            elif isinstance(move, int):
                await asyncio.wait_for(self._reader.readexactly(move), self._read_timeout)
            else:
                await self._send(await self._render(move), pieces)

    async def _render(self, step: Any) -> bytes:
        while callable(step):
            try:
                return bytes(step(self._received))
            except ValueError:
                await self._receive()
        return bytes(step)

    async def _receive(self) -> None:
        while True:
            if self._tls is not None:
                with contextlib.suppress(ssl.SSLWantReadError):
                    self._received += self._tls.read(65536)
                    return
            data = await self._read()
            if self._tls is None:
                self._received += data
                return
            self._incoming.write(data)

    async def _read(self) -> bytes:
        data = await asyncio.wait_for(self._reader.read(65536), self._read_timeout)
        if not data:
            raise EOFError
        return data

    async def _handshake(self, context: ssl.SSLContext) -> None:
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                self._incoming.write(await self._read())
        await self._flush()
        self._tls = tls

    async def _send(self, data: bytes, pieces: int) -> None:
        if not self._below_tls:
            data = mutate(data, [each for each in self._mutations if each.piece % pieces == self._sent])
            self._sent += 1
        if self._tls is None:
            self._outgoing.write(data)
        elif data:
            self._tls.write(data)
        await self._flush()

    async def _flush(self) -> None:
        data = self._outgoing.read()
        if data and self._below_tls:
            data = mutate(data, [each for each in self._mutations if each.piece % 3 == self._sent % 3])
            self._sent += 1
        self._writer.write(data)
        await self._writer.drain()


class LogRecorder(logging.Handler):
    """Keeps whatever is logged as an error meanwhile."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(logging.Formatter().format(record))


def _count_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@contextlib.contextmanager
def assert_no_leaks() -> Any:
    """See to it that nothing is logged, and no descriptor stays open."""
    complaints = LogRecorder()
    logging.getLogger().addHandler(complaints)
    before = _count_descriptors()
    try:
        yield
    finally:
        logging.getLogger().removeHandler(complaints)
    assert complaints.messages == []
    assert _count_descriptors() == before


def keys_of(recording: Recording, files: ReplayFiles) -> dict[str, Any]:
    stand_ins = {"CA": files.ca, "PASSWORD": files.password}
    return {key: stand_ins.get(each, each) if isinstance(each, str) else each for key, each in recording.keys.items()}


async def _attempt(recording: Recording, files: ReplayFiles, replay_server: ReplayServer) -> Attempt:
    check_type = CHECK_TYPES[recording.check_type]
    async with open_resources(SystemClock()) as opened:
        tools = dataclasses.replace(opened, tls=files.contexts)
        async with ScriptedServer(replay_server) as server:
            where = {"url": server.url(scheme=recording.check_type)} if check_type.needs_url else {"port": server.port}
            probe = check_type.build(check_type.settings(**keys_of(recording, files), **where), tools)
            seen = await probe.attempt(Target("127.0.0.1"), UNREACHED_TIMEOUT)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return seen


def replay(
    recording: Recording, files: ReplayFiles, mutations: list[Mutation] | None = None, *, below_tls: bool = False
) -> Attempt:
    """Try once, on a loop of its own, against a server that plays that part; nothing stays behind."""
    part = ReplayServer(
        recording,
        files,
        mutations or [],
        below_tls=below_tls,
        read_timeout=READ_TIMEOUT if mutations else UNREACHED_TIMEOUT,
    )
    with assert_no_leaks():
        return asyncio.run(_attempt(recording, files, part))


def assert_valid_result(attempt: Attempt) -> None:
    """Assert that it is ok, or a failure by a word of the set, fit to be shown."""
    if attempt.outcome is Outcome.UNKNOWN:
        assert attempt.reason in _UNKNOWN_REASONS, attempt
        return
    word, _, detail = attempt.reason.partition(": ")
    assert (attempt.reason == "") is (attempt.outcome is Outcome.OK), attempt
    assert word in {"", *Reason}, attempt
    assert word != "timeout", attempt  # the server hung up long before
    assert detail.isascii(), attempt
    assert detail.isprintable(), attempt
    assert len(detail) < 60, attempt
    assert all(each.isprintable() or each == "\n" for step in attempt.steps for each in step.text)
