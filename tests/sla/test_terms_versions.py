from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model import Span, Subscription
from monitor.sla.terms import Terms, TermsReader, TermsVersions, index_at, month_window, segments, terms_at, terms_body

ONE = Subscription("one", "acme", "web-01", "server", None, None, 1, None, None)
FIRST = Terms(0, "UTC", "down", 30, 60_000, servers={}, subscriptions={}, customers={})
ALL = tuple(replace(FIRST, in_force=1_000 * place, subscriptions={"one": ONE}) for place in range(50))


class Shelf:
    """Versions that note which of them were read."""

    def __init__(self, versions: tuple[Terms, ...]) -> None:
        self.read: list[int] = []
        self._all = versions
        self.versions = TermsVersions([each.in_force for each in versions], self._take)

    def _take(self, place: int) -> Terms:
        self.read.append(place)
        return self._all[place]


def test_versions_are_read_when_they_are_looked_at_and_once() -> None:
    shelf = Shelf(ALL)
    assert (len(shelf.versions), shelf.read) == (50, [])
    assert (shelf.versions[-1], shelf.versions[49], shelf.versions[3:5]) == (ALL[49], ALL[49], ALL[3:5])
    assert shelf.read == [49, 3, 4]
    with pytest.raises(IndexError):
        shelf.versions[50]


@pytest.mark.parametrize("at", [-1, 0, 1, 999, 1_000, 48_999, 49_000, 99_999])
def test_the_version_in_force_is_found_without_reading_the_others(at: int) -> None:
    shelf = Shelf(ALL)
    assert terms_at(shelf.versions, at) is terms_at(ALL, at)
    assert shelf.read == [index_at(ALL, at)]


def test_a_window_reads_the_versions_in_force_in_it_and_the_next_one() -> None:
    shelf, window = Shelf(ALL), Span(40_500, 42_500)
    assert segments(shelf.versions, "one", window, window.end) == segments(ALL, "one", window, window.end)
    assert set(shelf.read) == {40, 41, 42, 43}


def test_a_subscription_that_ended_before_the_window_has_no_segment_in_it() -> None:
    ended = tuple(replace(each, subscriptions={}) if each.in_force >= 10_000 else each for each in ALL)
    shelf = Shelf(ended)
    assert segments(shelf.versions, "one", Span(20_000, 30_000), 30_000) == ()


def test_a_subscription_that_comes_back_does_not_count_before_it_does() -> None:
    back = tuple(replace(each, subscriptions={}) if 10_000 <= each.in_force < 25_000 else each for each in ALL)
    (only,) = segments(Shelf(back).versions, "one", Span(20_000, 30_000), 30_000)
    assert only.span == Span(25_000, 30_000)


def test_the_zone_of_a_month_is_looked_for_among_the_newest_versions_first() -> None:
    shelf = Shelf(ALL)
    assert month_window(shelf.versions, 2026, 10) == month_window(ALL, 2026, 10)
    assert shelf.read == [49]


def test_what_versions_say_alike_is_kept_once() -> None:
    reader, other = TermsReader(), replace(ONE, id="two")
    before = reader.read(0, terms_body(replace(FIRST, subscriptions={"one": ONE, "two": other})))
    changed = replace(FIRST, in_force=7, subscriptions={"one": ONE, "two": replace(other, months=12)})
    after = reader.read(7, terms_body(changed))
    assert after == changed
    assert after.subscriptions["one"] is before.subscriptions["one"]
    assert before.subscriptions["two"].months == 1


def test_what_was_read_is_freed_and_what_somebody_holds_stays_whole() -> None:
    shelf = Shelf(ALL)
    held = shelf.versions[7]
    shelf.versions.close()
    assert held.subscriptions == {"one": ONE}
    assert not shelf.versions._cache
