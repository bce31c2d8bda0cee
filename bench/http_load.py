"""HTTP requests at a rate, or in sequence, from a separate process: ``python -m bench.http_load`` reads the task.

On standard input: a JSON document with ``port``, ``paths``, ``rate`` (a second), ``seconds``, ``lines`` (persistent
connections), ``headers`` and ``holding``. On standard output: the number of requests, the number of responses with
status 200 and the text ``holding``, and the response times.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of the requests; times are milliseconds."""

    asked: int
    answered: int
    p50: float
    p99: float
    longest: float


async def send_requests(
    port: int, paths: Sequence[str], rate: float, seconds: float, lines: int, headers: Mapping[str, str], holding: str
) -> dict[str, Any]:
    """Send the requests; one that waits for a free connection counts from when it was due."""
    due: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()
    response_times: list[float] = []
    good = 0
    head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **headers}.items())

    async def run_connection() -> None:
        nonlocal good
        reader = writer = None
        while (next_one := await due.get()) is not None:
            at, path = next_one
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                assert reader is not None
                writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
                was_good = await _read_response(
                    reader, holding.encode()
                )  # other connections count while this one waits
                good += was_good
            except (OSError, asyncio.IncompleteReadError):
                writer = None
            response_times.append(1000 * (time.monotonic() - at))
        if writer is not None:
            writer.close()

    workers = [asyncio.create_task(run_connection()) for _ in range(lines)]
    began, number = time.monotonic(), 0
    for path in cycle(paths):
        at = began + number / rate
        if at - began >= seconds:
            break
        if (wait := at - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        due.put_nowait((at, path))
        number += 1
    for _ in workers:
        due.put_nowait(None)
    await asyncio.gather(*workers)
    response_times.sort()
    return {
        "asked": number,
        "answered": good,
        "p50": response_times[len(response_times) // 2],
        "p99": response_times[len(response_times) * 99 // 100],
        "longest": response_times[-1],
    }


async def _read_response(reader: asyncio.StreamReader, holding: bytes) -> bool:
    """Read one response; return whether it has status 200 and contains a text."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else None
    body = b""
    if length is not None:
        body = await reader.readexactly(length)
    else:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:size]
        await reader.readuntil(b"\r\n")
    return head.startswith(b"http/1.1 200") and holding in body


class LoadGenerator:
    """Requests that run in another process."""

    def __init__(
        self,
        port: int,
        paths: Sequence[str],
        rate: float,
        seconds: float,
        lines: int = 1,
        headers: Mapping[str, str] | None = None,
        holding: str = "",
    ) -> None:
        task: dict[str, Any] = {"port": port, "paths": list(paths), "rate": rate, "seconds": seconds, "lines": lines}
        task |= {"headers": dict(headers or {}), "holding": holding}
        command = [sys.executable, "-m", "bench.http_load"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(task))
        self._process.stdin.close()

    def result(self) -> LoadResult:
        """Wait for all responses; return the result."""
        assert self._process.stdout is not None
        output = self._process.stdout.read()
        self._process.wait()
        return LoadResult(**json.loads(output))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(send_requests(**json.load(sys.stdin)))))
