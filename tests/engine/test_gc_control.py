"""The collector of garbage is kept away while much is made, and comes back."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from monitor.engine.gc_control import freeze_survivors, gc_paused

if TYPE_CHECKING:
    from collections.abc import Iterator


class Knot:
    """Refers to itself: only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_nothing_is_collected_meanwhile_and_what_was_made_is_left_alone_afterwards() -> None:
    gc.unfreeze()
    with gc_paused():
        assert not gc.isenabled()
        made = [[number] for number in range(1_000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= len(made)


def test_the_collector_comes_back_after_an_error() -> None:
    with pytest.raises(RuntimeError), gc_paused():
        raise RuntimeError
    assert gc.isenabled()


def test_the_collector_comes_back_with_the_last_of_those_who_want_it_away() -> None:
    first, second = gc_paused(), gc_paused()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with gc_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_young_garbage_is_freed_and_the_rest_left_out_of_full_collections() -> None:
    gc.unfreeze()
    made = [[number] for number in range(1_000)]
    gone = Knot()
    ended = weakref.ref(gone)
    del gone
    freeze_survivors()
    assert ended() is None
    assert gc.get_freeze_count() >= len(made)


def test_nothing_is_settled_while_the_collector_is_wanted_away() -> None:
    gc.unfreeze()
    with gc_paused():
        freeze_survivors()
        assert not gc.get_freeze_count()


def test_a_frozen_reference_cycle_is_found_when_everything_is_collected_anew() -> None:
    knot = Knot()
    known = weakref.ref(knot)
    freeze_survivors()
    del knot
    freeze_survivors()
    assert known() is not None
    freeze_survivors(full=True)
    assert known() is None
