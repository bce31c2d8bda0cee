from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass, field

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.failures import ProbeError
from monitor.probes.net.address import Address
from monitor.probes.net.resolver import (
    DEFAULT_TTL,
    MAX_LOOKUPS,
    MAX_TTL,
    SLOW_LOOKUP_THRESHOLD,
    Resolver,
    parse_ip,
    system_lookup,
)
from monitor.probes.probe import RESOLVE
from monitor.probes.trace import AttemptTrace, run_with_deadline

HERE = Address(socket.AF_INET, "127.0.0.1")


@dataclass
class HandClock:
    """A clock that is set by hand."""

    mono: float = 1000.0

    def monotonic(self) -> float:
        return self.mono

    def now(self) -> int:
        return 0


@dataclass
class Book:
    """A resolver's source that counts, takes its time for some names, and can be changed."""

    clock: HandClock
    known: dict[str, tuple[Address, ...]] = field(default_factory=lambda: {"www.acme.example": (HERE,)})
    asked: list[str] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    silent: threading.Event = field(default_factory=threading.Event)
    takes: float = 0.0

    def __call__(self, host: str) -> tuple[Address, ...]:
        self.asked.append(host)
        self.began.set()
        if host.startswith("silent"):
            self.silent.wait(30)
        self.clock.mono += self.takes
        return self.known.get(host, ())


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", Address(socket.AF_INET, "192.0.2.1")),
        ("2001:DB8::0:1", Address(socket.AF_INET6, "2001:db8::1")),
        ("::ffff:192.0.2.1", Address(socket.AF_INET6, "::ffff:192.0.2.1")),
        ("fe80::1%lo", Address(socket.AF_INET6, "fe80::1", socket.if_nametoindex("lo"))),
        ("fe80::1%1", Address(socket.AF_INET6, "fe80::1", 1)),
        ("www.acme.example", None),
        ("10.1", None),
        ("", None),
    ],
)
def test_an_address_is_read_in_the_kernels_spelling_and_a_name_is_none(host: str, address: Address | None) -> None:
    assert parse_ip(host) == address


def test_an_interface_that_is_not_there_is_the_monitors_fault() -> None:
    with pytest.raises(ProbeError, match="no such interface") as raised:
        parse_ip("fe80::1%nothere9")
    assert raised.value.outcome is Outcome.UNKNOWN


async def test_an_address_is_never_looked_up() -> None:
    book = Book(HandClock())
    assert await Resolver(book.clock, book).resolve("127.0.0.1") == (HERE,)
    assert book.asked == []


async def test_an_answer_is_used_again_until_it_is_old_and_then_a_change_is_noticed() -> None:
    book = Book(HandClock())
    resolver = Resolver(book.clock, book)
    assert await resolver.resolve("www.acme.example") == (HERE,)
    there = Address(socket.AF_INET, "127.0.0.2")
    book.known["www.acme.example"] = (there,)
    book.clock.mono += DEFAULT_TTL - 1
    assert await resolver.resolve("www.acme.example") == (HERE,)
    book.clock.mono += 1
    assert await resolver.resolve("www.acme.example") == (there,)
    assert len(book.asked) == 2


@dataclass
class Almanac:
    """Says how long addresses hold good, when it is allowed to."""

    seconds: int | None
    asked: list[str] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)

    def __call__(self, host: str, addresses: tuple[Address, ...]) -> int | None:
        assert addresses == (HERE,)
        self.asked.append(host)
        self.silent.wait(30)
        return self.seconds


async def learned(resolver: Resolver) -> None:
    await asyncio.gather(*resolver._ttl_tasks)


@pytest.mark.parametrize(("said", "kept"), [(300, 300.0), (1, 1.0), (86_400, MAX_TTL), (None, DEFAULT_TTL)])
async def test_an_answer_is_kept_for_as_long_as_the_dns_says(said: int | None, kept: float) -> None:
    book, almanac = Book(HandClock()), Almanac(said)
    almanac.silent.set()
    resolver = Resolver(book.clock, book, almanac)
    await resolver.resolve("www.acme.example")
    await learned(resolver)
    book.clock.mono += kept - 0.01
    await resolver.resolve("www.acme.example")
    assert len(book.asked) == 1
    book.clock.mono += 0.01
    await resolver.resolve("www.acme.example")
    assert len(book.asked) == 2
    await learned(resolver)


async def test_an_answer_with_no_lifetime_serves_the_callers_that_wait_and_no_later_one() -> None:
    book, almanac = Book(HandClock()), Almanac(0)
    almanac.silent.set()
    resolver = Resolver(book.clock, book, almanac)
    for rounds in (1, 2):
        await asyncio.gather(*(resolver.resolve("www.acme.example") for _ in range(20)))
        await learned(resolver)
        assert len(book.asked) == rounds


async def test_nobody_waits_to_learn_how_long_an_answer_holds_good() -> None:
    book, almanac = Book(HandClock()), Almanac(300)
    resolver = Resolver(book.clock, book, almanac)
    assert await resolver.resolve("www.acme.example") == (HERE,)
    assert await resolver.resolve("www.acme.example") == (HERE,)
    almanac.silent.set()
    await learned(resolver)
    book.clock.mono += DEFAULT_TTL + 1
    await resolver.resolve("www.acme.example")
    assert (len(book.asked), len(almanac.asked)) == (1, 1)


async def test_where_the_dns_knows_nothing_it_is_asked_again_after_an_hour_only() -> None:
    book, almanac = Book(HandClock()), Almanac(None)
    almanac.silent.set()
    resolver = Resolver(book.clock, book, almanac)
    for _ in range(3):
        await resolver.resolve("www.acme.example")
        await learned(resolver)
        book.clock.mono += DEFAULT_TTL
    assert (len(book.asked), len(almanac.asked)) == (3, 1)
    book.clock.mono += MAX_TTL
    await resolver.resolve("www.acme.example")
    await learned(resolver)
    assert len(almanac.asked) == 2


async def test_a_name_that_is_not_known_is_the_monitors_fault_and_is_asked_for_again() -> None:
    book = Book(HandClock())
    resolver = Resolver(book.clock, book)
    for _ in range(2):
        with pytest.raises(ProbeError, match="name not resolved") as raised:
            await resolver.resolve("no.example")
        assert raised.value.outcome is Outcome.UNKNOWN
    assert len(book.asked) == 2


async def test_those_who_ask_for_one_name_at_once_share_one_lookup() -> None:
    book = Book(HandClock())
    resolver = Resolver(book.clock, book)
    await asyncio.gather(*(resolver.resolve("www.acme.example") for _ in range(20)))
    assert book.asked == ["www.acme.example"]


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    book = Book(HandClock(), known={"silent.example": (HERE,)})
    resolver = Resolver(book.clock, book)
    impatient = asyncio.create_task(resolver.resolve("silent.example"))
    patient = asyncio.create_task(resolver.resolve("silent.example"))
    await asyncio.to_thread(book.began.wait)
    impatient.cancel()
    book.silent.set()
    assert await patient == (HERE,)


async def test_names_that_were_slow_do_not_stand_in_the_way_of_the_healthy() -> None:
    book = Book(HandClock(), takes=SLOW_LOOKUP_THRESHOLD + 1)
    resolver = Resolver(book.clock, book)
    silent = [f"silent{n}.example" for n in range(MAX_LOOKUPS * 2)]
    book.silent.set()
    await asyncio.gather(*(resolver.resolve(host) for host in silent), return_exceptions=True)
    book.silent.clear()
    book.takes = 0.0
    waiting = [asyncio.create_task(resolver.resolve(host)) for host in silent]
    assert await asyncio.wait_for(resolver.resolve("www.acme.example"), 10) == (HERE,)
    assert not any(task.done() for task in waiting)
    book.silent.set()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_lookup_beyond_the_deadline_is_the_monitors_fault() -> None:
    book = Book(HandClock())
    resolver = Resolver(book.clock, book)

    async def look(trail: AttemptTrace) -> None:
        trail.begin(RESOLVE)
        await resolver.resolve("silent.example")

    seen = await run_with_deadline(SystemClock(), 0.05, look)
    assert (seen.outcome, seen.reason) == (Outcome.UNKNOWN, "name not resolved in time")
    book.silent.set()
    await resolver.aclose()


async def test_closing_waits_for_no_lookup() -> None:
    book = Book(HandClock())
    resolver = Resolver(book.clock, book)
    waiting = asyncio.create_task(resolver.resolve("silent.example"))
    await asyncio.to_thread(book.began.wait)
    await resolver.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    book.silent.set()


async def test_only_addresses_that_have_a_route_are_used() -> None:
    nowhere = Address(socket.AF_INET6, "fe80::1")  # link-local without its interface: no route, on any machine
    book = Book(HandClock(), known={"both.example": (nowhere, HERE), "none.example": (nowhere, nowhere)})
    resolver = Resolver(book.clock, book)
    assert await resolver.resolve_routable("both.example") == (HERE,)
    with pytest.raises(ProbeError) as raised:
        await resolver.resolve_routable("none.example")
    assert raised.value.outcome is Outcome.UNKNOWN


def test_the_system_knows_this_machine() -> None:
    assert HERE in system_lookup("localhost")


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "\0"])
def test_what_the_system_cannot_look_up_has_no_address(host: str) -> None:
    assert system_lookup(host) == ()
