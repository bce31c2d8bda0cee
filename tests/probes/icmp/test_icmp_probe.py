from __future__ import annotations

import asyncio
import resource
import socket
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.icmp import probe as icmp_probe
from monitor.probes.icmp.echo_socket import EchoSocket
from monitor.probes.icmp.packets import error_text
from monitor.probes.icmp.pinger import SOCKET_LIFETIME, ClockPair, Pinger, monotonic_arrival
from monitor.probes.icmp.settings import IcmpSettings
from monitor.probes.net.address import Address, AddressRotation
from monitor.probes.net.resolver import parse_ip
from monitor.probes.probe import Attempt, CallbackProbe, Target

if TYPE_CHECKING:
    from monitor.probes.resources import ProbeResources
    from tests.probes.conftest import AttemptFunction

permitted = pytest.mark.skipif(icmp_probe.icmp_permission_hint() is not None, reason="ICMP is not permitted here")

HERE = Address(socket.AF_INET, "127.0.0.1")


class Listener:
    """Takes attempts until it has as many as it waits for."""

    def __init__(self, awaited: int = 1) -> None:
        self.seen: list[Attempt] = []
        self._awaited = awaited
        self._complete = asyncio.Event()

    def __call__(self, attempt: Attempt) -> None:
        self.seen.append(attempt)
        if len(self.seen) >= self._awaited:
            self._complete.set()

    async def all(self) -> list[Attempt]:
        await self._complete.wait()
        return self.seen


@permitted
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
async def test_an_address_that_answers_is_ok(attempt: AttemptFunction, host: str) -> None:
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    before = time.monotonic()
    seen = await attempt("icmp", server=host)
    after = time.monotonic()
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")
    assert before <= seen.at <= after
    assert seen.latency_us is not None
    assert 0 <= seen.latency_us <= (after - before) * 1_000_000
    assert [step.name for step in seen.steps] == ["resolve", "first-byte"]


@permitted
async def test_the_key_host_goes_before_the_servers_address(attempt: AttemptFunction) -> None:
    seen = await attempt("icmp", server="127.0.0.1", host="127.0.0.2")
    assert seen.steps[-1].text == "127.0.0.2"


@permitted
async def test_thousands_at_once_lose_no_answer(instruments: ProbeResources) -> None:
    probe = CHECK_TYPES["icmp"].build(IcmpSettings(), instruments)
    assert isinstance(probe, CallbackProbe)
    listener = Listener(5000)
    for n in range(5000):
        assert probe.start(Target(f"127.1.{n // 250}.{n % 250 + 1}"), 10.0, listener)
    assert {each.outcome for each in await listener.all()} == {Outcome.OK}


@permitted
async def test_a_loop_that_stands_still_is_not_in_the_round_trip(instruments: ProbeResources) -> None:
    listener = Listener()
    instruments.pinger.ping(HERE, 5.0, listener)
    await asyncio.sleep(0)  # it leaves
    time.sleep(0.2)  # noqa: ASYNC251 - the loop is made to stand still
    (seen,) = await listener.all()
    assert seen.latency_us is not None
    assert seen.latency_us < 200_000


@permitted
async def test_an_answer_that_came_in_time_counts_though_it_was_read_late(instruments: ProbeResources) -> None:
    listener = Listener()
    instruments.pinger.ping(HERE, 0.1, listener)
    await asyncio.sleep(0)  # it leaves
    time.sleep(0.2)  # noqa: ASYNC251 - the loop is made to stand still
    (seen,) = await listener.all()
    assert seen.outcome is Outcome.OK


@permitted
async def test_a_name_needs_a_task_and_an_address_none(instruments: ProbeResources) -> None:
    probe = CHECK_TYPES["icmp"].build(IcmpSettings(), instruments)
    assert isinstance(probe, CallbackProbe)
    seen: list[Attempt] = []
    assert not probe.start(Target("localhost"), 5.0, seen.append)
    assert not probe.start(Target("fe80::1%nothere9"), 5.0, seen.append)
    assert seen == []


@permitted
async def test_closing_ends_what_is_in_flight_as_unknown() -> None:
    pinger = Pinger(SystemClock())
    seen: list[Attempt] = []
    pinger.ping(HERE, 5.0, seen.append)
    await asyncio.sleep(0)
    pinger.ping(HERE, 5.0, seen.append)  # has not left yet
    pinger.close()
    assert [(each.outcome, each.reason) for each in seen] == [(Outcome.UNKNOWN, "monitor stopped")] * 2
    pinger.close()
    await asyncio.sleep(0)
    assert len(seen) == 2


@pytest.mark.logs_errors
@permitted
async def test_one_listener_that_breaks_does_not_lose_the_others_answers(
    instruments: ProbeResources, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener()

    def broken(_attempt: Attempt) -> None:
        raise ZeroDivisionError

    instruments.pinger.ping(HERE, 5.0, broken)
    instruments.pinger.ping(HERE, 5.0, listener)
    await listener.all()
    assert "127.0.0.1" in caplog.text


async def test_having_no_file_descriptor_left_is_the_monitors_fault() -> None:
    pinger = Pinger(SystemClock())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    seen: list[Attempt] = []
    with socket.socket() as last:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno() + 1, hard))
        try:
            pinger.ping(HERE, 1.0, seen.append)
            await asyncio.sleep(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    pinger.close()
    assert seen[0].outcome is Outcome.UNKNOWN
    assert seen[0].reason in {"no file descriptor", "icmp not permitted"}


@pytest.mark.parametrize(
    ("version", "kind", "code", "text"),
    [
        (4, 3, 0, "unreachable: network"),
        (4, 3, 1, "unreachable: host"),
        (4, 3, 4, None),
        (4, 3, 10, "unreachable: prohibited"),
        (4, 3, 13, "unreachable: prohibited"),
        (4, 3, 99, "unreachable: host"),
        (4, 11, 0, "unreachable: hop limit"),
        (4, 5, 1, None),
        (6, 1, 0, "unreachable: network"),
        (6, 1, 1, "unreachable: prohibited"),
        (6, 1, 3, "unreachable: host"),
        (6, 2, 0, None),
        (6, 3, 0, "unreachable: hop limit"),
    ],
)
def test_errors_of_the_network_have_words(version: int, kind: int, code: int, text: str | None) -> None:
    assert error_text(version, kind, code) == text


seconds = st.floats(0.001, 1.0)  # beyond the rounding of a float


@given(sent=seconds, took=seconds, read=seconds, step=st.floats(-1e6, 1e6), before_step=st.booleans())
def test_a_step_of_the_wall_clock_does_not_bend_a_latency(
    *, sent: float, took: float, read: float, step: float, before_step: bool
) -> None:
    assume(abs(step) > 5.0)  # a smaller one can be mistaken by as much as the time between two readings
    start, epoch = 1000.0, 1_700_000_000_000_000_000
    came = start + sent + took
    after = ClockPair(came + read, epoch + int((sent + took + read + step) * 1e9))
    stamp = epoch + int((sent + took + (0 if before_step else step)) * 1e9)
    assert monotonic_arrival(stamp, ClockPair(start, epoch), after) == pytest.approx(came, abs=1e-6)


@given(stamp=st.integers(0, 10**19), real=st.integers(0, 10**19), later=st.integers(0, 10**19), passed=seconds)
def test_an_arrival_is_always_between_the_two_readings(stamp: int, real: int, later: int, passed: float) -> None:
    before, after = ClockPair(1000.0, real), ClockPair(1000.0 + passed, later)
    assert before.monotonic <= monotonic_arrival(stamp, before, after) <= after.monotonic


@given(octets=st.lists(st.integers(0, 255), min_size=4, max_size=4))
def test_an_ipv4_address_is_spelt_as_the_kernel_spells_it(octets: list[int]) -> None:
    text = ".".join(map(str, octets))
    assert parse_ip(text) == Address(socket.AF_INET, socket.inet_ntoa(bytes(octets)))


@permitted
async def test_answers_that_this_machine_threw_away_are_not_the_servers_fault(
    instruments: ProbeResources, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(instruments.pinger, Pinger)
    echo = instruments.pinger._sockets[socket.AF_INET].transport
    assert isinstance(echo, EchoSocket)
    echo._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener = Listener(300)
    for n in range(300):
        instruments.pinger.ping(Address(socket.AF_INET, f"127.2.0.{n % 250 + 1}"), 0.2, listener)
    reasons = {(each.outcome, each.reason) for each in await listener.all()}
    assert reasons == {(Outcome.OK, ""), (Outcome.UNKNOWN, "receive buffer full")}
    unknown = sum(each.outcome is Outcome.UNKNOWN for each in listener.seen)
    assert instruments.pinger.counts.dropped >= unknown  # some kernels count those of a raw socket twice
    assert "receive buffer" in caplog.text


class ShiftedClock(SystemClock):
    """The machine's clocks, with the monotonic one put forward by hand."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@permitted
async def test_the_socket_and_its_id_are_replaced_now_and_then() -> None:
    clock = ShiftedClock()
    pinger = Pinger(clock)
    before, after = Listener(), Listener()
    pinger.ping(HERE, 5.0, before)
    await asyncio.sleep(0)
    old = pinger._sockets[socket.AF_INET].transport
    assert isinstance(old, EchoSocket)
    await before.all()
    clock.ahead = SOCKET_LIFETIME
    pinger.ping(HERE, 5.0, after)
    await asyncio.sleep(0)
    assert pinger._sockets[socket.AF_INET].transport is not old
    assert [each.outcome for each in await after.all()] == [Outcome.OK]
    assert old.closed
    pinger.close()


# --- a name with several addresses: a retry asks the next one ---------------------------------------------------------


def test_after_a_failure_the_next_address_is_chosen_and_after_a_success_the_first() -> None:
    addresses = [Address(socket.AF_INET, f"192.0.2.{number}") for number in (1, 2, 3)]
    rotation = AddressRotation()
    chosen = []
    for failed in (True, True, True, False, True):
        chosen.append(rotation.choose(addresses))
        rotation.note(chosen[-1], failed=failed)
    assert [each.host for each in chosen] == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.1", "192.0.2.1"]


def test_an_address_that_left_the_name_is_not_remembered() -> None:
    rotation = AddressRotation()
    rotation.note(Address(socket.AF_INET, "192.0.2.9"), failed=True)
    assert rotation.choose([HERE]) == HERE


@permitted
@pytest.mark.parametrize("family", ["4", "6"])
async def test_a_name_is_pinged_by_the_family_that_is_asked_for(attempt: AttemptFunction, family: str) -> None:
    seen = await attempt("icmp", server="localhost", family=family)
    if family == "6" and seen.outcome is Outcome.UNKNOWN:
        assert seen.reason == "no address of that family"
        return
    assert seen.steps[0].text == {"4": "127.0.0.1", "6": "::1"}[family]


@permitted
async def test_an_address_of_the_other_family_is_unknown(attempt: AttemptFunction) -> None:
    seen = await attempt("icmp", server="127.0.0.1", family="6")
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "no address of that family")
