"""Long work by slices."""

from __future__ import annotations

import weakref

from monitor.engine.cooperative import FREED_PER_STEP, chunked, free_in_steps


class Thing:
    """Something that can be seen to be freed."""


def test_slices_give_everything_once_and_in_order() -> None:
    assert list(chunked("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert not list(chunked((), 2))


def test_what_is_cut_may_change_meanwhile() -> None:
    what = {"a": 1, "b": 2, "c": 3}
    for some in chunked(what, 1):
        for each in some:
            del what[each]
    assert not what


def test_many_objects_are_let_go_of_by_slices() -> None:
    things = [Thing() for _ in range(3 * FREED_PER_STEP)]
    known = weakref.WeakSet(things)
    steps = free_in_steps(things)
    things.clear()
    left = [len(known)]
    left += [len(known) for _ in steps]
    assert left == [3 * FREED_PER_STEP, 2 * FREED_PER_STEP, FREED_PER_STEP, 0]
