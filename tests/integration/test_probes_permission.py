"""ICMP as the system permits it: to nobody, to everybody, to one capability; and given while the monitor runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.network_lab import NetworkLab, lab, nobody_can_run_python, nobody_prefix, prober, skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

_REASON = skip_reason() or ("" if nobody_can_run_python() else "needs a Python that user 65534 may run")
pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(_REASON), reason=_REASON or "can run")]

NOT_PERMITTED = ("UNKNOWN", "icmp not permitted")


@pytest.fixture(scope="module")
def net() -> Iterator[NetworkLab]:
    with lab(servers=2) as built:
        yield built


def seen(net: NetworkLab, prefix: list[str]) -> tuple[dict[str, str], set[tuple[str, str]]]:
    with prober(net, ("icmp", net.address(0), {}), ("icmp", net.address6(0), {}), prefix=prefix) as asked:
        return asked.permitted, {(each["outcome"], each["reason"]) for each in asked.read()["attempts"]}


def test_without_permission_pings_are_unknown_and_both_remedies_are_told(net: NetworkLab) -> None:
    net.permit_pings(to_all=False)
    permitted, outcomes = seen(net, nobody_prefix())
    assert outcomes == {NOT_PERMITTED}
    assert permitted["socket"] == "none"
    assert 'sysctl -w net.ipv4.ping_group_range="0 2147483647"' in permitted["permission"]
    assert "CAP_NET_RAW" in permitted["permission"]
    assert "setcap cap_net_raw+ep /" in permitted["permission"]
    assert "\n" not in permitted["permission"]


def test_the_first_remedy_permits_datagram_sockets(net: NetworkLab) -> None:
    net.permit_pings()
    permitted, outcomes = seen(net, nobody_prefix())
    net.permit_pings(to_all=False)
    assert permitted == {"permission": None, "socket": "datagram"}
    assert outcomes == {("OK", "")}


def test_the_second_remedy_permits_raw_sockets(net: NetworkLab) -> None:
    net.permit_pings(to_all=False)
    permitted, outcomes = seen(net, nobody_prefix(raw=True))
    assert permitted == {"permission": None, "socket": "raw"}
    assert outcomes == {("OK", "")}


def test_permission_that_is_given_later_is_noticed_at_the_next_ping(net: NetworkLab) -> None:
    net.permit_pings(to_all=False)
    with prober(net, ("icmp", net.address(0), {}), rounds=2, prefix=nobody_prefix()) as asked:
        before = asked.read()["attempts"][0]
        net.permit_pings()
        after = asked.next_round()["attempts"][0]
    net.permit_pings(to_all=False)
    assert (before["outcome"], before["reason"]) == NOT_PERMITTED
    assert after["outcome"] == "OK"
