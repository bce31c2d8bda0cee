"""Whatever a server says, nothing but a result comes out."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.clock import SystemClock
from monitor.model import Outcome, Reason
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.database.mssql import parse_pre_login_response as read_mssql_offer
from monitor.probes.database.mysql import failure_from_error as mysql_refusal
from monitor.probes.database.mysql import parse_greeting
from monitor.probes.database.postgresql import failure_from_error as postgresql_refusal
from monitor.probes.dns.message import DnsMessage
from monitor.probes.http.client import HttpClient
from monitor.probes.http.json_expectation import parse_json_expectation
from monitor.probes.http.settings import parse_header, parse_status_range
from monitor.probes.icmp.pinger import Pinger
from monitor.probes.net.address import Address
from monitor.probes.net.connection import Connection, ConnectionProbe, Session, displayed_text
from monitor.probes.net.resolver import Resolver
from monitor.probes.resources import ProbeResources
from monitor.probes.ssh.key_exchange import KeyExchange
from monitor.probes.ssh.probe import parse_kexinit as read_ssh_offer
from monitor.probes.ssh.strings import read_string
from monitor.probes.tcp.settings import parse_script_step
from monitor.probes.trace import run_with_deadline
from tests.probes.mutations import FUZZ_FACTOR, assert_reads_or_fails

if TYPE_CHECKING:
    from monitor.probes.trace import AttemptTrace

HERE = Address(socket.AF_INET, "127.0.0.1")
KEYS: dict[str, dict[str, Any]] = {
    "tcp": {"script": ("expect ^x+$", "send hello", "expect .")},
    "ssh": {"fingerprints": ("SHA256:" + "A" * 43,)},
}

_LINES = st.sampled_from(
    [
        *(
            b"220 x\r\n",
            b"250-x\r\n",
            b"250 x\r\n",
            b"235 x\r\n",
            b"221 x\r\n",
            b"421 x\r\n",
            b"234 x\r\n",
            b"230 x\r\n",
        ),
        *(b"* OK x\r\n", b"* BYE\r\n", b"m1 OK\r\n", b"m2 NO\r\n", b"m5 OK\r\n", b"* CAPABILITY\r\n"),
        *(b"+OK\r\n", b"-ERR\r\n", b".\r\n", b"+PONG\r\n", b"-NOAUTH x\r\n", b"-LOADING\r\n", b"\r\n", b"\n"),
        *(b"SSH-2.0-x\r\n", b"SSH-1.5-x\r\n", b"R\0\0\0\x08\0\0\0\x03", b"E\0\0\0\x0dC53300\0\0\0", b"S", b"N"),
        *(b"\x04\x01\0\x0f\0\0\0\0\0\0\x06\1\0\xff\0", b"\x07\0\0\0\xff\x10\x04#abc", b"\x05\0\0\0\x0a5.5\0"),
        *(b"\0\0\0\x0c\x0a\x14", b"\x15\x03\x03\x00\x02\x02\x28", b"xxx\n"),
    ]
)
SAID = st.lists(st.one_of(_LINES, st.binary(max_size=300)), max_size=12).map(b"".join)


async def _converse(kind: str, said: bytes) -> Any:
    check_type = CHECK_TYPES[kind]
    clock = SystemClock()
    tools = ProbeResources(clock, Pinger(clock), Resolver(clock), HttpClient(Resolver(clock)))
    probe = check_type.build(check_type.settings(**KEYS.get(kind, {})), tools)
    assert isinstance(probe, ConnectionProbe)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with ours, theirs:
        ours.settimeout(0)
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)

        async def look(trail: AttemptTrace) -> None:
            wire = Connection(ours, HERE, trail)
            try:
                await probe.run_session(Session(wire, "127.0.0.1", probe._settings, tools))
            finally:
                wire.close()

        try:
            return await run_with_deadline(clock, 5.0, look)
        finally:
            await tools.http.aclose()


@pytest.mark.parametrize("kind", sorted(set(CHECK_TYPES) - {"icmp", "http", "https", "dns", "ntp"}))
@settings(max_examples=40 * FUZZ_FACTOR, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=SAID)
def test_a_conversation_ends_in_a_result(kind: str, said: bytes) -> None:
    seen = asyncio.run(_converse(kind, said))
    assert seen.outcome in (Outcome.OK, Outcome.FAIL), seen
    assert (seen.reason == "") is (seen.outcome is Outcome.OK)
    assert seen.reason == "" or seen.reason.partition(":")[0] in set(Reason)
    assert len(seen.reason) < 60
    assert seen.reason.isprintable()


@settings(max_examples=500 * FUZZ_FACTOR)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda rest: b"\x0a5.5.5\0" + rest)))
def test_greetings_and_errors_of_mysql_are_read_or_judged(data: bytes) -> None:
    assert_reads_or_fails(lambda: parse_greeting(data))
    assert mysql_refusal(data).outcome is Outcome.FAIL


@settings(max_examples=500 * FUZZ_FACTOR)
@given(st.binary(max_size=200))
def test_offers_of_mssql_are_read_or_judged(data: bytes) -> None:
    assert_reads_or_fails(lambda: read_mssql_offer(data))


@settings(max_examples=500 * FUZZ_FACTOR)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_offers_and_strings_of_ssh_are_read_or_judged(data: bytes, place: int) -> None:
    assert_reads_or_fails(lambda: read_ssh_offer(data))
    assert_reads_or_fails(lambda: read_string(data, place))


def _strings(parts: list[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4) + part for part in parts)


_PARTS = st.one_of(
    st.sampled_from([b"ssh-ed25519", b"ssh-rsa", b"ecdsa-sha2-nistp256", b"rsa-sha2-512", b"nistp256", b"\1\0\1"]),
    st.binary(max_size=70),
    st.binary(min_size=32, max_size=32),
    st.just(b"\4" + bytes(64)),
    st.just(b"\0" + b"\xff" * 256),
)


@settings(max_examples=500 * FUZZ_FACTOR, deadline=None)
@given(st.lists(_PARTS, max_size=4).map(_strings), st.binary(min_size=30, max_size=33), st.lists(_PARTS, max_size=3))
def test_a_reply_of_a_key_exchange_is_proven_or_judged(key: bytes, point: bytes, signature: list[bytes]) -> None:
    assert_reads_or_fails(
        lambda: KeyExchange(b"a", b"b", b"c", b"d").verify_reply(_strings([key, point, _strings(signature)]))
    )


@settings(max_examples=500 * FUZZ_FACTOR)
@given(st.binary(max_size=300))
def test_errors_of_postgresql_are_judged_or_served(data: bytes) -> None:
    found = postgresql_refusal(data)
    assert found is None or found.outcome is Outcome.FAIL


_HEADER = st.binary(min_size=4, max_size=4).map(lambda head: head + b"\0\1\0\1\0\0\0\0\3www\0\0\1\0\1")


@settings(max_examples=1000 * FUZZ_FACTOR)
@given(st.one_of(st.binary(max_size=300), st.tuples(_HEADER, st.binary(max_size=100)).map(b"".join)))
def test_messages_of_name_servers_are_read_or_judged(data: bytes) -> None:
    assert_reads_or_fails(lambda: list(DnsMessage(data).read(1)))


@given(st.text(max_size=60))
def test_keys_are_read_or_refused(text: str) -> None:
    for kind in CHECK_TYPES.values():
        for field in dataclasses.fields(kind.settings):
            check = field.metadata["check"]
            if field.type in ("str", "str | None", str):
                assert check(text) in (True, False)
    for read in (parse_script_step, parse_status_range, parse_header, parse_json_expectation):
        try:
            read(text)
        except ValueError:
            continue


@given(st.binary(max_size=300))
def test_what_a_person_is_shown_moves_no_cursor(data: bytes) -> None:
    assert all(each.isprintable() or each == "\n" for each in displayed_text(data))
