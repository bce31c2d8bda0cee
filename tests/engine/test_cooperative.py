"""Long work by slices."""

from __future__ import annotations

import weakref

from monitor.engine.cooperative import LET_GO, let_go, slices


class Thing:
    """Something that can be seen to be freed."""


def test_slices_give_everything_once_and_in_order() -> None:
    assert list(slices("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert not list(slices((), 2))


def test_what_is_cut_may_change_meanwhile() -> None:
    what = {"a": 1, "b": 2, "c": 3}
    for some in slices(what, 1):
        for each in some:
            del what[each]
    assert not what


def test_many_objects_are_let_go_of_by_slices() -> None:
    things = [Thing() for _ in range(3 * LET_GO)]
    known = weakref.WeakSet(things)
    steps = let_go(things)
    things.clear()
    left = [len(known)]
    left += [len(known) for _ in steps]
    assert left == [3 * LET_GO, 2 * LET_GO, LET_GO, 0]
