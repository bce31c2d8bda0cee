"""Read a configuration in another process, for the daemon.

Reading 10,000 servers takes seconds of processor time. A thread would compete with the event loop for the interpreter
lock and delay every probe. The process sends the configuration in small parts, between which the loop runs. The memory
that the parser needs, several times that of the result, is released when the process ends; in the daemon it would stay
fragmented.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monitor.config.load import load
from monitor.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.config.settings import Config

CHUNK_SIZE: Final = 100
"""Entries in one part: a few milliseconds of work."""
RELOAD_NICENESS: Final = 5
"""The ``nice`` value of the process at a reload; at the start it is 0."""
_LENGTH_BYTES: Final = 4
_LIST_FIELDS: Final = ("customers", "servers", "subscriptions")
_PROGRAM: Final = (
    "import json, signal, sys; "
    "[signal.signal(one, signal.SIG_DFL) for one in (signal.SIGINT, signal.SIGPIPE)]; "
    "sys.path[:] = json.loads(sys.argv[1]); sys.excepthook = lambda kind, error, trace: "
    "kind is MemoryError or sys.__excepthook__(kind, error, trace); "
    "from monitor.config.loader_process import main; main(sys.argv[2], int(sys.argv[3]))"
)
"""Default signal handlers: the process ends silently when its reader is gone."""


async def load_in_process(path: Path, running_config: Config | None = None) -> Config:
    """Read a configuration; an entry equal to that of the running one is the same object.

    If no process can be started, reads in a thread, which may delay probes, so that a reload still works. Raises
    ConfigError as ``load`` does, InputError if the process ends without an answer.
    """
    try:
        reader = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-c",
                _PROGRAM,
                json.dumps(sys.path),
                str(path),
                str(RELOAD_NICENESS if running_config else 0),
            ),
            stdout=asyncio.subprocess.PIPE,
        )
    except OSError:
        return await asyncio.to_thread(load, path)
    assert reader.stdout is not None
    try:
        return await _receive_config(reader.stdout, running_config)
    except asyncio.IncompleteReadError:
        status = await reader.wait()
        raise InputError(f"{path} could not be read: the process that reads it ended with {status}") from None
    finally:
        with suppress(ProcessLookupError):
            reader.kill()  # it has sent everything, or the caller was cancelled
        await reader.communicate()


async def _receive_config(stream: asyncio.StreamReader, running_config: Config | None) -> Config:
    first = await _read_chunk(stream)
    if isinstance(first, tuple):
        raise ConfigError(first)
    before: dict[str, Mapping[str, Any]] = {
        "customers": running_config.customers_by_id if running_config else {},
        "servers": running_config.servers_by_id if running_config else {},
        "subscriptions": running_config.subscriptions_by_id if running_config else {},
    }
    found: dict[str, list[Any]] = {name: [] for name in _LIST_FIELDS}
    while (part := await _read_chunk(stream)) is not None:
        name, entries = part
        for entry in entries:
            known = before[name].get(entry.id)
            found[name].append(known if known == entry else entry)
        await asyncio.sleep(0)
    config: Config = first
    customers, servers, subscriptions = (tuple(found[name]) for name in _LIST_FIELDS)
    return replace(config, customers=customers, servers=servers, subscriptions=subscriptions)


async def _read_chunk(stream: asyncio.StreamReader) -> Any:
    length = int.from_bytes(await stream.readexactly(_LENGTH_BYTES))
    return pickle.loads(await stream.readexactly(length))  # noqa: S301 - our own process wrote it


def main(path: str, niceness: int) -> None:
    """Read a configuration with the given ``nice`` value and write it to standard output in parts."""
    with suppress(OSError):  # a sandbox may forbid nice
        os.nice(niceness)
    for part in config_chunks(Path(path)):
        text = pickle.dumps(part, pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.write(len(text).to_bytes(_LENGTH_BYTES) + text)
    sys.stdout.buffer.flush()


def config_chunks(path: Path) -> Iterator[object]:
    """Yield all faults; or the configuration without its lists, then the lists in pieces, then None."""
    try:
        config = load(path)
    except ConfigError as error:
        yield error.faults
        return
    yield replace(config, customers=(), servers=(), subscriptions=())
    for name in _LIST_FIELDS:
        entries = getattr(config, name)
        for first in range(0, len(entries), CHUNK_SIZE):
            yield name, entries[first : first + CHUNK_SIZE]
    yield None
