"""Digests of results: what the journal says of them, and what makes them evidence."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.model import Outcome

if TYPE_CHECKING:
    from monitor.model import Millis, Result

_OUTCOMES = tuple(outcome.name.lower() for outcome in Outcome)


@dataclass(frozen=True, slots=True)
class Digest:
    """What the journal says of one batch of results."""

    batch: int
    count: int
    first: Millis
    last: Millis
    sha256: str


def line(result: Result) -> str:
    """Write one result as the digest reads it: tab-separated, one line.

    Server, check, time, outcome, attempts, latency in microseconds (empty where there is none), reason.
    """
    _, at, outcome, attempts, latency, reason = result
    return line_of(*result.check, at, outcome, attempts, latency, reason)


def line_of(server: str, name: str, at: Millis, outcome: int, attempts: int, latency: int | None, reason: str) -> str:
    """Write the same from what a row has."""
    took = "" if latency is None else latency
    return f"{server}\t{name}\t{at}\t{_OUTCOMES[outcome]}\t{attempts}\t{took}\t{reason}\n"


class Digester:
    """Makes a digest of results that come in the order of time, server and check."""

    def __init__(self, batch: int) -> None:
        self.count = 0
        self._batch = batch
        self._sha = hashlib.sha256()
        self._first = self._last = 0

    def take(self, result: Result) -> None:
        """Take the next one."""
        self.take_line(result.at, line(result))

    def take_line(self, at: Millis, text: str) -> None:
        """Take the next one by its time and its line."""
        self._sha.update(text.encode())
        self._first = self._first if self.count else at
        self._last = at
        self.count += 1

    def digest(self) -> Digest:
        """Give the digest of what came."""
        return Digest(self._batch, self.count, self._first, self._last, self._sha.hexdigest())
