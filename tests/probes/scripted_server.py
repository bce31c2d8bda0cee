"""Servers on loopback that behave, and servers that do not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterator
    from types import TracebackType

    Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


ACCEPT_LOOP_TURNS = 5
"""Turns of the loop in which a connection that stands already is taken: uvloop cannot end with one half taken."""


class ScriptedServer:
    """Plays a script on every connection to a free port of 127.0.0.1, and hangs up at its end."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._playing: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.connections = 0

    def url(self, path: str = "/", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        for _ in range(ACCEPT_LOOP_TURNS):
            await asyncio.sleep(0)
        self._server.close()
        for task in self._playing:
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._play(reader, writer))
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._script(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side has gone
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class PageServer:
    """Answers every request with what it is given for its path, and remembers the requests."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self._pages = pages
        self.requests: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(request)
        writer.write(self._pages[request.split(" ")[1]])
        await writer.drain()


def page(body: bytes = b"hello", status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def redirect(to: str, headers: str = "") -> bytes:
    return page(b"", "302 Found", f"Location: {to}\r\n{headers}")


def sends(data: bytes) -> Script:
    """Say it to whoever has asked something, and hang up."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(data)
        await writer.drain()

    return script


def sends_and_hangs(data: bytes) -> Script:
    """Say it, and nothing more, for as long as anyone listens."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await reader.read()

    return script


def drips(data: bytes) -> Script:
    """Say it byte by byte, again and again, so that something always comes."""

    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            for byte in data:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.02)

    return script


async def resets(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up with a reset, before anything was said."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """Give a port that listens and takes no more connections: the kernel drops what comes."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Give a port that is taken by nobody who listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def answers_and_hangs(tls: ssl.SSLContext, answer: bytes) -> Iterator[int]:
    """Give a port where the first caller is answered over TLS, and then neither hung up on nor listened to."""
    over = threading.Event()

    def serve() -> None:
        with listener.accept()[0] as plain, tls.wrap_socket(plain, server_side=True) as sock:
            sock.recv(65536)
            sock.sendall(answer)
            over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join()
