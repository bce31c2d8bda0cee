"""Keys of services, spoilt or made up: what the configuration allows can be probed with."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.clock import SystemClock
from monitor.engine.reload import endpoint_of
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.http.client import HttpClient
from monitor.probes.icmp.pinger import Pinger
from monitor.probes.net.resolver import Resolver
from monitor.probes.resources import ProbeResources
from tests.probes.mutations import FUZZ_FACTOR, MUTATIONS, Mutation, mutate

EXAMPLES = (
    *("http://www.example.com/", "https://ğ.example:8443/x?y", "http://[::1]/", "https://[fe80::1%25eth0]/#b"),
    *("www.example.com", "127.0.0.1", "fe80::1%eth0", "_dmarc.example", "x.", "A", "TYPE65", "NOERROR", "NXDOMAIN"),
    *("^READY", "(a+)+$", "(?i)x{1,3}", "(?P<n>a)(?P=n)", "any", 'data.items[0].state = "ok"', "200-299", "SOA"),
    *("send x", "expect ^x", "starttls", "Content-Type: text/html", "192.0.2.1", "10 mail.example."),
    "SHA256:" + "A" * 43,
)


def _changed(text: str, spoils: list[Mutation]) -> str:
    return mutate(text.encode(), spoils).decode("utf-8", "replace")


_TEXTS = st.one_of(
    st.sampled_from(EXAMPLES), st.text(max_size=30), st.builds(_changed, st.sampled_from(EXAMPLES), MUTATIONS)
)


def values(field: dataclasses.Field[Any], texts: list[str]) -> list[Any]:
    """Give what of the texts that key allows, alone or as a list."""
    kind = str(field.type)
    tried: list[Any] = []
    if "tuple[str" in kind:
        tried = [tuple(texts), *((text,) for text in texts)]
    elif "str" in kind:
        tried = list(texts)
    return [value for value in tried if field.metadata["check"](value)]


@pytest.mark.parametrize("kind", sorted(set(CHECK_TYPES) - {"icmp"}))
@settings(max_examples=60 * FUZZ_FACTOR, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(_TEXTS, min_size=1, max_size=6))
def test_what_the_keys_allow_can_be_probed_with(kind: str, texts: list[str]) -> None:
    check_type = CHECK_TYPES[kind]
    keys: dict[str, Any] = {"url": f"{kind}://a/"} if check_type.needs_url else {}
    keys |= {"query": "www.example"} if kind == "dns" else {}
    for field in dataclasses.fields(check_type.settings):
        for value in values(field, texts)[:1]:
            keys[field.name] = value
    read = check_type.settings(**keys)
    together = getattr(read, "validate", None)
    if together is None or together("127.0.0.1") is None:
        clock = SystemClock()
        tools = ProbeResources(clock, Pinger(clock), Resolver(clock), HttpClient(Resolver(clock)))
        assert check_type.build(read, tools) is not None
        assert endpoint_of(check_type, read, "127.0.0.1")
