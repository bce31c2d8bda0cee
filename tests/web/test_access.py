"""Who gets the operators' page, and who is told why not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.web.access import PROXY_HEADERS, AccessPolicy

LOCAL = "127.0.0.1"


def status(
    doorman: AccessPolicy, peer: str | None = LOCAL, own: str | None = LOCAL, host: str = "127.0.0.1:9809", **more: str
) -> int:
    """The status that a request is refused with; 200 where it is not."""
    refusal = doorman.denial_for(
        peer, own, {"Host": host, **{name.replace("_", "-"): value for name, value in more.items()}}
    )
    return refusal.status if refusal else 200


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_see_it(peer: str) -> None:
    assert status(AccessPolicy("0.0.0.0", ""), peer) == 200


@pytest.mark.parametrize("peer", ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7", "fe80::1%eth0", "", None])
def test_nobody_else_may_see_it_whatever_it_listens_on(peer: str | None) -> None:
    assert status(AccessPolicy("0.0.0.0", "https://sla.example.com/"), peer, "192.0.2.1") == 403


@pytest.mark.parametrize("own", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"])
def test_a_program_of_this_machine_may_ask_by_another_of_its_addresses(own: str) -> None:
    host = "[2001:db8::1]:9809" if own == "2001:db8::1" else "192.0.2.1:9809"
    assert status(AccessPolicy("::", ""), own, own, host) == 200


def test_a_connection_that_is_gone_is_not_this_machine_s() -> None:
    assert status(AccessPolicy("127.0.0.1", ""), "", "") == 403


@pytest.mark.parametrize("header", PROXY_HEADERS)
def test_a_proxy_does_not_open_it_to_the_world(header: str) -> None:
    assert status(AccessPolicy("127.0.0.1", ""), **{header: "198.51.100.9"}) == 403


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:9809",
        "LOCALHOST.:9809",
        "127.0.0.1",
        "127.0.0.9:8080",
        "[::1]:9809",
        "sla.example.com",
        "Monitor.Internal:9809",
    ],
)
def test_it_is_known_by_these_names(host: str) -> None:
    assert status(AccessPolicy("monitor.internal", "https://sla.example.com/x"), host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:9809",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "0.0.0.0:9809",
        "[::",
        "@",
    ],
)
def test_a_web_site_cannot_have_its_name_point_here(host: str) -> None:
    assert status(AccessPolicy("0.0.0.0", "https://sla.example.com/"), host=host) == 421


@given(host=st.text())
def test_no_host_header_upsets_it(host: str) -> None:
    assert status(AccessPolicy("::", ""), host=host) in {200, 421}


def test_a_refusal_says_how_to_get_in() -> None:
    refusal = AccessPolicy("0.0.0.0", "").denial_for("192.0.2.7", "192.0.2.1", {"Host": "192.0.2.1"})
    assert refusal is not None
    assert "ssh -L 9809:127.0.0.1:9809" in refusal.text
