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
from monitor.probes.resources import open_instruments
from tests.probes.misbehaving_server import Do
from tests.probes.mutations import Spoil, spoilt
from tests.probes.scripted_server import Server

if TYPE_CHECKING:
    from monitor.probes.tls_contexts import TlsContexts
    from tests.probes.recordings import Recording

LONG = 20.0
"""Seconds: a deadline that nothing reaches, since the server hangs up."""
PATIENCE = 0.05
"""Seconds that a server listens to who says nothing, where its part was spoilt."""
_OURS = {"login needs starttls", "login method not known", "expression too slow"}
"""Why a result may be unknown, whatever is said: what the keys ask for cannot be had of that server."""


@dataclass(frozen=True)
class Files:
    """What certificates and logins want."""

    tls: ssl.SSLContext
    ca: Path
    password: Path
    contexts: TlsContexts
    """Shared by all attempts: to make one takes longer than an attempt."""


class Part:
    """The server's part in one conversation; ``below`` TLS what it sends is spoilt as it travels."""

    def __init__(
        self, recording: Recording, files: Files, spoils: list[Spoil], *, below: bool, patience: float
    ) -> None:
        self._recording = recording
        self._files = files
        self._spoils = spoils
        self._below = below
        self._patience = patience

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError, TimeoutError, ssl.SSLError, ConnectionError):
            await _Caller(reader, writer, self._patience, self._spoils, below=self._below).lead(
                self._recording.said, self._files.tls
            )


class _Caller:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        patience: float,
        spoils: list[Spoil],
        *,
        below: bool,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._spoils = spoils
        self._below = below
        self._sent = 0
        self._heard = b""
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    async def lead(self, moves: tuple[Any, ...], context: ssl.SSLContext) -> None:
        pieces = sum(1 for move in moves if isinstance(move, bytes) or callable(move))
        for move in moves:
            if move is Do.HEAR:
                await self._hear()
            elif move is Do.TLS:
                await self._shake(context)
            elif isinstance(move, int):
                await asyncio.wait_for(self._reader.readexactly(move), self._patience)
            else:
                await self._say(await self._made(move), pieces)

    async def _made(self, move: Any) -> bytes:
        while callable(move):
            try:
                return bytes(move(self._heard))
            except ValueError:
                await self._hear()
        return bytes(move)

    async def _hear(self) -> None:
        while True:
            if self._tls is not None:
                with contextlib.suppress(ssl.SSLWantReadError):
                    self._heard += self._tls.read(65536)
                    return
            data = await self._more()
            if self._tls is None:
                self._heard += data
                return
            self._incoming.write(data)

    async def _more(self) -> bytes:
        data = await asyncio.wait_for(self._reader.read(65536), self._patience)
        if not data:
            raise EOFError
        return data

    async def _shake(self, context: ssl.SSLContext) -> None:
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                self._incoming.write(await self._more())
        await self._flush()
        self._tls = tls

    async def _say(self, data: bytes, pieces: int) -> None:
        if not self._below:
            data = spoilt(data, [each for each in self._spoils if each.piece % pieces == self._sent])
            self._sent += 1
        if self._tls is None:
            self._outgoing.write(data)
        elif data:
            self._tls.write(data)
        await self._flush()

    async def _flush(self) -> None:
        data = self._outgoing.read()
        if data and self._below:
            data = spoilt(data, [each for each in self._spoils if each.piece % 3 == self._sent % 3])
            self._sent += 1
        self._writer.write(data)
        await self._writer.drain()


class Complaints(logging.Handler):
    """Keeps whatever is logged as an error meanwhile."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(logging.Formatter().format(record))


def _open() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@contextlib.contextmanager
def nothing_left_behind() -> Any:
    """See to it that nothing is logged, and no descriptor stays open."""
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    before = _open()
    try:
        yield
    finally:
        logging.getLogger().removeHandler(complaints)
    assert complaints.said == []
    assert _open() == before


def keys_of(recording: Recording, files: Files) -> dict[str, Any]:
    stand_ins = {"CA": files.ca, "PASSWORD": files.password}
    return {key: stand_ins.get(each, each) if isinstance(each, str) else each for key, each in recording.keys.items()}


async def _tried(recording: Recording, files: Files, part: Part) -> Attempt:
    check_type = CHECK_TYPES[recording.kind]
    async with open_instruments(SystemClock()) as opened:
        tools = dataclasses.replace(opened, tls=files.contexts)
        async with Server(part) as server:
            where = {"url": server.url(scheme=recording.kind)} if check_type.needs_url else {"port": server.port}
            probe = check_type.build(check_type.settings(**keys_of(recording, files), **where), tools)
            seen = await probe.attempt(Target("127.0.0.1"), LONG)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return seen


def played(recording: Recording, files: Files, spoils: list[Spoil] | None = None, *, below: bool = False) -> Attempt:
    """Try once, on a loop of its own, against a server that plays that part; nothing stays behind."""
    part = Part(recording, files, spoils or [], below=below, patience=PATIENCE if spoils else LONG)
    with nothing_left_behind():
        return asyncio.run(_tried(recording, files, part))


def is_a_result(seen: Attempt) -> None:
    """Assert that it is ok, or a failure by a word of the set, fit to be shown."""
    if seen.outcome is Outcome.UNKNOWN:
        assert seen.reason in _OURS, seen
        return
    word, _, detail = seen.reason.partition(": ")
    assert (seen.reason == "") is (seen.outcome is Outcome.OK), seen
    assert word in {"", *Reason}, seen
    assert word != "timeout", seen  # the server hung up long before
    assert detail.isascii(), seen
    assert detail.isprintable(), seen
    assert len(detail) < 60, seen
    assert all(each.isprintable() or each == "\n" for step in seen.steps for each in step.text)
