"""``python -m bench.website PORT [secure]``: an http page on every loopback address.

It answers a request after its head, and closes the connection: it does as little as possible, because it shares the
machine with the measured program. SIGTERM ends it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
BACKLOG = 4096


class _Page(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once."""
        self._head += data
        if self._transport is not None and b"\r\n\r\n" in self._head:
            self._transport.write(ANSWER)
            self._transport.close()


def self_signed_context() -> ssl.SSLContext:
    """Return TLS settings with an untrusted certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    return context


async def serve(port: int, tls: ssl.SSLContext | None) -> None:
    """Serve until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Page, "0.0.0.0", port, backlog=BACKLOG, ssl=tls)  # noqa: S104 - 127.0.0.0/8
    await server.serve_forever()


@contextmanager
def run_website(port: int, *, secure: bool = False) -> Iterator[None]:
    """Serve the page within the context, over TLS if ``secure``."""
    command = [sys.executable, "-m", "bench.website", str(port), *(["secure"] if secure else [])]
    with subprocess.Popen(command) as process:  # noqa: S603 - our own program
        try:
            _wait_until_ready(port, process)
            yield
        finally:
            process.terminate()


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"port {port} is in use")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing answers on port {port}")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), self_signed_context() if len(sys.argv) > 2 else None))  # noqa: PLR2004 - PORT, secure
