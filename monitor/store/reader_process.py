"""Long database queries in a separate process, so that they delay neither the event loop nor a thread.

A thread that computes shares the interpreter lock with the event loop and delays probes. A process does not, has the
lowest priority, and can be killed at any moment, because it only reads. It runs one query at a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from monitor.errors import MonitorError, StoreError
from monitor.store.database import open_read_only
from monitor.store.database_thread import ReaderThread, run_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

T = TypeVar("T")

NICENESS: Final = 19
"""The priority of the process (``nice``): the lowest."""
_LENGTH_BYTES: Final = 8
_BOOTSTRAP: Final = (
    "import json, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "signal.signal(signal.SIGPIPE, signal.SIG_DFL); "
    "sys.path[:] = json.loads(sys.argv[1]); from monitor.store.reader_process import main; main(sys.argv[2])"
)
"""The parent kills the process; it ignores the SIGINT that a terminal sends to both."""


class ReaderProcess:
    """Runs picklable work in another process: module functions with their arguments."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()

    async def run(self, work: Callable[[Database], T]) -> T:
        """Do the work on one state of the database; cancellation kills the process at once.

        If the system cannot start another process, a thread does it. Raise StoreError for a database error, or if the
        process ends without an answer.
        """
        async with self._lock:
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", _BOOTSTRAP, json.dumps(sys.path), str(self._path)),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                )
            except OSError:
                return await self._run_in_thread(work)
            try:
                output, _ = await process.communicate(pickle.dumps(work))
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return cast("T", _decode_output(output, process.returncode))

    async def _run_in_thread(self, work: Callable[[Database], T]) -> T:
        reader = await asyncio.to_thread(ReaderThread, self._path)
        try:
            return await reader.run(work)
        finally:
            await reader.close()

    async def close(self) -> None:
        """Do nothing: no process stays open between two queries."""


def _decode_output(output: bytes, status: int | None) -> Any:
    length = int.from_bytes(output[:_LENGTH_BYTES])
    if len(output) < _LENGTH_BYTES or len(output) != _LENGTH_BYTES + length:
        raise StoreError(f"the process that reads the database ended with {status}")
    answer = pickle.loads(output[_LENGTH_BYTES:])  # noqa: S301 - our own process wrote it
    if isinstance(answer, MonitorError):
        raise answer
    return answer


def main(path: str) -> None:
    """Read the work from standard input, and write its result to standard output."""
    with suppress(OSError):  # a sandbox may forbid it
        os.nice(NICENESS)
    work = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own process wrote it
    try:
        answer = run_read(open_read_only(Path(path)), work)
    except MonitorError as error:
        answer = error
    text = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.write(len(text).to_bytes(_LENGTH_BYTES) + text)
    sys.stdout.buffer.flush()
