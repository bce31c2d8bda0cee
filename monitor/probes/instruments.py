"""What probes share, opened once and passed in: the clock, the sockets for pings, the resolver, the HTTP sessions."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.clock import Clock


@dataclass(frozen=True, slots=True)
class Instruments:
    """The shared tools of all probes; they live as long as the daemon, through every reload."""

    clock: Clock


@asynccontextmanager
async def open_instruments(clock: Clock) -> AsyncIterator[Instruments]:
    """Open the tools inside a running loop; leaving closes every socket, session and thread of theirs."""
    yield Instruments(clock)
