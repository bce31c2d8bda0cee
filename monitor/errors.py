"""The errors that cross layers: each carries one clear line for the user."""

from __future__ import annotations

import errno
from dataclasses import dataclass


class MonitorError(Exception):
    """Something a user can fix; its text is the whole message, one line, no traceback needed."""


class InputError(MonitorError):
    """What was asked for cannot be done as asked: exit status 2."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a configuration file: where it is, what stands there, what would be allowed."""

    file: str
    table: str
    """The TOML table as a reader finds it: ``monitor``, ``server web-01``, ``server #3``; empty for the top."""
    key: str
    """Empty when the whole table is meant."""
    value: str
    """What stands there, as TOML would show it; ``missing`` for an absent key."""
    allowed: str
    """What is allowed, or the remedy, without a full stop at its end."""

    def __str__(self) -> str:
        place = f"[{self.table}] " if self.table else ""
        key = f"{self.key} = " if self.key else ""
        return f"{self.file}: {place}{key}{self.value}: {self.allowed}"


class ConfigError(InputError):
    """A configuration that must not come into force: all its faults at once."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class StoreError(MonitorError):
    """The database cannot be opened, read or written as it is."""


class CorruptDatabaseError(StoreError):
    """The database is there and is not what was written: only a backup can restore it."""


def shortage(error: BaseException) -> str | None:
    """Return what the operating system refused this process, if that is the error: memory or a thread."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for found in map(shortage, error.exceptions) if found is not None), None)
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return "the system gives it no more memory; raise its limit (ulimit -v, MemoryMax)"
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "the system permits it no more threads; raise its limit (ulimit -u and -v, TasksMax)"
    if isinstance(error, ImportError) and "failed to map segment" in str(error):
        return "the system gives it no more memory; raise its limit (ulimit -v, MemoryMax)"
    return None
