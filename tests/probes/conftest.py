"""The instruments that a daemon would open, and short ways to use them."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import Attempt, Target
from monitor.probes.resources import ProbeResources, open_resources

AttemptFunction = Callable[..., Awaitable[Attempt]]


@pytest.fixture
async def instruments() -> AsyncIterator[ProbeResources]:
    async with open_resources(SystemClock()) as opened:
        yield opened


@pytest.fixture
def attempt(instruments: ProbeResources) -> AttemptFunction:
    """Try once: the check type, the timeout in seconds, the server's address, the keys."""

    async def attempt(kind: str, timeout: float = 5.0, server: str = "127.0.0.1", **keys: Any) -> Attempt:  # noqa: ASYNC109
        check_type = CHECK_TYPES[kind]
        probe = check_type.build(check_type.settings(**keys), instruments)
        return await probe.attempt(Target(server), timeout)

    return attempt


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Let every test of a probe meet both event loops that the daemon may run on."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if importlib.util.find_spec("uvloop"):
        factories["uvloop"] = importlib.import_module("uvloop").new_event_loop
    return factories
