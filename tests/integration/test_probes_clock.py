"""Steps of the wall clock under a running prober: latencies are lengths of time, and no clock is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.network_lab import NetworkLab, lab, prober, skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
_REASON = skip_reason() or ("" if FAKETIME else "needs faketime: apt-get install faketime")
pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(_REASON), reason=_REASON or "can run")]

HOUR = 3600


@pytest.fixture(scope="module")
def net() -> Iterator[NetworkLab]:
    with lab(servers=2) as built:
        yield built


@pytest.mark.parametrize("step", ["+1h", "-1h"])
def test_a_step_of_the_wall_clock_is_in_no_latency(net: NetworkLab, tmp_path: Path, step: str) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    env = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
    pings: list[tuple[str, str, dict[str, Any]]] = [("icmp", net.address(0), {}), ("icmp", net.address6(0), {})]
    with prober(net, *pings, rounds=4, env=env) as asked:
        rounds = [asked.read()]
        clock.write_text(step)
        rounds += [asked.next_round(), asked.next_round()]
        clock.write_text("+0")
        rounds.append(asked.next_round())
    assert abs(rounds[1]["now"] - rounds[0]["now"]) > HOUR / 2, "the clock did not step"
    seen = [each for one in rounds for each in one["attempts"]]
    assert {each["outcome"] for each in seen} == {"OK"}
    assert [each for each in seen if not 0 <= each["latency_us"] <= each["took_us"]] == []
