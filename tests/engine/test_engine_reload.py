"""From the configuration of a server to checks that are ready to run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from monitor.clock import SystemClock
from monitor.engine.reload import EngineConfig, prepare_config
from monitor.model import Check, CheckKey, Server
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import RetryPolicy
from monitor.probes.resources import open_resources

if TYPE_CHECKING:
    from monitor.engine.probing.running_checks import ScheduledCheck

EVERYWHERE = RetryPolicy(5.0, 2, 5.0)


def prepared(**keys: object) -> ScheduledCheck:
    """A service of type tcp with those keys, ready to run."""
    check = Check(CheckKey("web-01", "gate"), "tcp", CHECK_TYPES["tcp"].settings(**keys))
    server = Server("web-01", "192.0.2.10", 4, None, (check,))
    config = EngineConfig(cast("Any", None), (server,), (), EVERYWHERE, cast("Any", None))

    async def prepare() -> ScheduledCheck:
        async with open_resources(SystemClock()) as resources:
            return (await prepare_config(config, resources)).scheduled_checks["web-01"][0]

    return asyncio.run(prepare())


@pytest.mark.parametrize(
    ("keys", "policy"),
    [
        ({}, None),
        ({"timeout": 2_500}, RetryPolicy(2.5, 2, 5.0)),
        ({"retries": 0}, RetryPolicy(5.0, 0, 5.0)),
        ({"retry_wait": 0}, RetryPolicy(5.0, 2, 0.0)),
        ({"timeout": 10_000, "retries": 1, "retry_wait": 1_000}, RetryPolicy(10.0, 1, 1.0)),
    ],
)
def test_a_check_has_a_retry_policy_of_its_own_where_its_keys_say_so(
    keys: dict[str, object], policy: RetryPolicy | None
) -> None:
    assert prepared(**keys).retry_policy == policy


def test_an_inverted_check_is_known_to_the_runner() -> None:
    assert prepared(invert=True).inverted
    assert not prepared().inverted
