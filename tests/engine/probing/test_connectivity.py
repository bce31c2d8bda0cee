"""Canaries: the monitor does not accuse while it cannot see out itself (docs/contract.md#whose-fault-it-is)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from monitor.engine.probing.connectivity import ConnectivityCheck
from tests.fakes import FAIL, OK, UNKNOWN, FakeClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from monitor.model import Outcome


class NotingWitness:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Outcome]] = []
        self.told: list[bool] = []

    def on_canary_result(self, address: str, outcome: Outcome) -> None:
        self.answers.append((address, outcome))

    def on_connectivity_change(self, *, offline: bool) -> None:
        self.told.append(offline)


class Canary:
    """Answers while ``sees`` says so of the seconds since the beginning; silence takes its time-out."""

    def __init__(self, clock: FakeClock, sees: Callable[[float], bool], silent: Outcome = FAIL) -> None:
        self._clock = clock
        self._begin = clock.monotonic()
        self._sees = sees
        self._silent = silent
        self.asked = 0

    async def __call__(self) -> Outcome:
        self.asked += 1
        if self._sees(self._clock.monotonic() - self._begin):
            await asyncio.sleep(0.01)
            return OK
        if self._silent is FAIL:
            await asyncio.sleep(1.0)
        return self._silent


class Scene:
    """A sight on some canaries."""

    def __init__(self, *canaries: Callable[[float], bool], silent: Outcome = FAIL) -> None:
        self.clock = FakeClock()
        self.witness = NotingWitness()
        self.canaries = [Canary(self.clock, sees, silent) for sees in canaries]
        addresses: dict[str, Callable[[], Awaitable[Outcome]]] = {
            f"192.0.2.{number}": canary for number, canary in enumerate(self.canaries)
        }
        self.sight = ConnectivityCheck(self.clock, addresses, self.witness)

    async def confirms(self, lasts: float = 0.0) -> bool:
        """A cycle that begins now and has failed ``lasts`` seconds later."""
        began = self.clock.monotonic()
        await asyncio.sleep(lasts)
        return await self.sight.confirms_failure(began)


def always(_: float) -> bool:
    return True


def never(_: float) -> bool:
    return False


def but_from_until(start: float, end: float) -> Callable[[float], bool]:
    return lambda now: not start <= now < end


def test_without_canaries_every_failure_counts() -> None:
    scene = Scene()
    assert scene.clock.run(scene.confirms())
    assert not scene.sight.is_offline


def test_a_failure_counts_while_a_canary_answers() -> None:
    scene = Scene(always)
    assert scene.clock.run(scene.confirms())
    assert scene.canaries[0].asked == 1


def test_one_canary_that_answers_is_enough() -> None:
    scene = Scene(never, always, never)
    assert scene.clock.run(scene.confirms())
    assert scene.witness.told == []


def test_a_failure_does_not_count_while_no_canary_answers() -> None:
    scene = Scene(never, never)
    assert not scene.clock.run(scene.confirms())
    assert scene.sight.is_offline


def test_blindness_is_told_once_and_so_is_its_end() -> None:
    scene = Scene(but_from_until(10, 100), but_from_until(20, 90))

    async def story() -> None:
        for _ in range(200):
            await scene.sight.check()
            await asyncio.sleep(1)

    scene.clock.run(story())
    assert scene.witness.told == [True, False]


def test_a_dead_canary_holds_up_nobody_while_another_answers() -> None:
    scene = Scene(never, always)
    began = scene.clock.monotonic()
    assert scene.clock.run(scene.confirms())
    assert scene.clock.monotonic() - began < 0.5


def test_every_answer_is_heard_also_after_the_first_has_decided() -> None:
    scene = Scene(always, never)

    async def story() -> None:
        await scene.sight.check()
        await asyncio.sleep(2)

    scene.clock.run(story())
    assert scene.witness.answers == [("192.0.2.0", OK), ("192.0.2.1", FAIL)]


def test_a_cycle_that_began_before_the_line_was_cut_and_failed_after_accuses_nobody() -> None:
    scene = Scene(but_from_until(5, 1000))

    async def story() -> bool:
        return await scene.confirms(lasts=10)

    assert not scene.clock.run(story())


def test_a_run_that_began_without_connectivity_and_ends_with_it_blames_no_server() -> None:
    """The last attempt can have been sent just before the line came back."""
    scene = Scene(but_from_until(0, 8))

    async def story() -> bool:
        await scene.sight.check()
        return await scene.confirms(lasts=20)

    assert not scene.clock.run(story())
    assert not scene.sight.is_offline


def test_a_cycle_that_began_after_the_first_round_that_saw_again_counts() -> None:
    scene = Scene(but_from_until(0, 8))

    async def story() -> tuple[bool, bool]:
        await scene.sight.check()
        await asyncio.sleep(10)
        first = await scene.confirms(lasts=0.001)
        await scene.sight.check()
        return first, await scene.confirms()

    first, second = scene.clock.run(story())
    assert not first, "sight was not known to be back when this cycle began"
    assert second


def test_a_loss_of_connectivity_inside_a_long_run_is_noticed_by_a_check_inside_it() -> None:
    scene = Scene(but_from_until(2, 6))

    async def story() -> bool:
        cycle = asyncio.create_task(scene.confirms(lasts=10))
        await asyncio.sleep(3)
        await scene.sight.check()
        await asyncio.sleep(4)
        return await cycle

    assert not scene.clock.run(story())


def test_many_failures_at_once_share_one_round() -> None:
    scene = Scene(never)

    async def story() -> list[bool]:
        return await asyncio.gather(*(scene.confirms() for _ in range(500)))

    assert not any(scene.clock.run(story()))
    assert scene.canaries[0].asked <= 2
    assert scene.witness.told == [True]


def test_who_asks_while_a_round_is_under_way_gets_a_fresh_one() -> None:
    """A round that began before a failure proves nothing about the moment after it."""
    scene = Scene(but_from_until(0.005, 1000))

    async def story() -> bool:
        first = asyncio.create_task(scene.sight.check())
        await asyncio.sleep(0.006)
        confirmed = await scene.confirms()
        await first
        return confirmed

    assert not scene.clock.run(story())
    assert scene.canaries[0].asked == 2


def test_canaries_that_cannot_be_asked_at_all_prove_nothing() -> None:
    """No permission for ICMP is not blindness: what failed by TCP has failed."""
    scene = Scene(never, never, silent=UNKNOWN)
    assert scene.clock.run(scene.confirms())
    assert scene.witness.told == []


def test_canaries_that_cannot_be_asked_do_not_bring_sight_back() -> None:
    """The line is cut (time-outs), then the interface goes down (nothing can be sent): still blind."""
    scene = Scene(never)

    async def story() -> bool:
        await scene.sight.check()
        scene.canaries[0]._silent = UNKNOWN
        await scene.sight.check()
        return await scene.confirms()

    assert not scene.clock.run(story())
    assert scene.sight.is_offline
    assert scene.witness.told == [True]


def test_one_that_fails_among_those_that_cannot_be_asked_is_blindness() -> None:
    scene = Scene(never, never)
    scene.canaries[1]._silent = UNKNOWN
    assert not scene.clock.run(scene.confirms())


@pytest.mark.parametrize("lasts", [0.0, 1.0, 15.0, 30.0])
@pytest.mark.parametrize("begins", [x / 2 for x in range(0, 60, 3)])
def test_nobody_is_accused_by_a_cycle_whose_attempts_met_the_blindness(begins: float, lasts: float) -> None:
    """The line is cut from 10 to 20; looks come every second while blind, as the engine makes them."""
    cut, back = 10.0, 20.0
    scene = Scene(but_from_until(cut, back), but_from_until(cut, back))

    async def look() -> None:
        while True:
            await scene.sight.check()
            await asyncio.sleep(1)

    async def story() -> bool:
        looking = asyncio.create_task(look())
        await asyncio.sleep(begins)
        confirmed = await scene.confirms(lasts)
        looking.cancel()
        return confirmed

    confirmed = scene.clock.run(story())
    meets = begins < back and begins + lasts >= cut
    if meets:
        assert not confirmed
    elif begins + lasts < cut or begins > back + 2.5:
        assert confirmed


# --- a changed configuration -----------------------------------------------------------------------------------------


def test_a_reload_keeps_what_is_known_of_sight() -> None:
    """A cycle that began while blind accuses nobody, also when the canaries were configured anew meanwhile."""
    scene = Scene(but_from_until(0, 8))

    async def story() -> bool:
        await scene.sight.check()
        cycle = asyncio.create_task(scene.confirms(lasts=20))
        await asyncio.sleep(9)
        scene.sight.set_canaries({"192.0.2.77": Canary(scene.clock, always)})
        return await cycle

    assert not scene.clock.run(story())
    assert scene.witness.told == [True, False]


def test_a_reload_while_blind_tells_nobody_again() -> None:
    scene = Scene(never)

    async def story() -> None:
        await scene.sight.check()
        scene.sight.set_canaries({"192.0.2.77": Canary(scene.clock, never)})
        await scene.sight.check()

    scene.clock.run(story())
    assert scene.witness.told == [True]


def test_taking_the_last_canary_away_ends_the_blindness() -> None:
    scene = Scene(never)

    async def story() -> bool:
        await scene.sight.check()
        scene.sight.set_canaries({})
        await asyncio.sleep(1)
        return await scene.confirms()

    assert scene.clock.run(story())
    assert scene.witness.told == [True, False]


def test_a_round_that_a_reload_overtakes_says_nothing_of_the_canaries_that_left() -> None:
    scene = Scene(never)

    async def story() -> None:
        round_ = asyncio.create_task(scene.sight.check())
        await asyncio.sleep(0.5)
        scene.sight.set_canaries({"192.0.2.77": Canary(scene.clock, always)})
        await round_

    scene.clock.run(story())
    assert scene.witness.told == []
