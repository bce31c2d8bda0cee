"""A configuration that takes away many servers or subscriptions at once waits for a confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.config import load
from monitor.config.removals import CONFIRMATION_SECONDS, RemovalHold, Removals, find_removals

if TYPE_CHECKING:
    from pathlib import Path


def removals(servers: int, of: int, subscriptions: int = 0, of_subscriptions: int = 100) -> Removals:
    return Removals(
        tuple(f"web-{number:02d}" for number in range(servers)),
        tuple(f"acme-{number:02d}" for number in range(subscriptions)),
        of,
        of_subscriptions,
    )


@pytest.mark.parametrize(
    ("gone", "before", "many"),
    [(0, 0, False), (2, 2, False), (3, 3, True), (3, 29, True), (3, 30, False), (10, 100, False), (11, 100, True)],
)
def test_more_than_a_tenth_and_more_than_two_are_many(gone: int, before: int, many: bool) -> None:  # noqa: FBT001 - a table's column
    assert removals(gone, before).need_confirmation is many
    assert removals(0, 5, gone, before).need_confirmation is many


def test_what_is_gone_is_named_and_counted() -> None:
    assert removals(7, 40, 1, 9).describe() == (
        "7 of 40 servers (web-00, web-01, web-02, web-03, web-04 and 2 more) and 1 of 9 subscriptions (acme-00)"
    )
    assert removals(0, 40, 3, 9).describe() == "3 of 9 subscriptions (acme-00, acme-01, acme-02)"


def test_a_second_reload_with_the_same_removals_confirms_them_in_time() -> None:
    hold = RemovalHold()
    many, others = removals(9, 9), removals(8, 9)
    assert not hold.may_apply(many, None, 0)
    assert not hold.may_apply(others, None, 1)
    assert not hold.may_apply(many, None, 2)
    assert hold.may_apply(many, None, 2 + CONFIRMATION_SECONDS)
    assert not hold.may_apply(many, None, 1000)
    assert not hold.may_apply(many, None, 1001 + CONFIRMATION_SECONDS)


def test_accepted_removals_are_applied_and_no_others() -> None:
    hold = RemovalHold()
    many, others = removals(9, 9), removals(8, 9)
    assert not hold.may_apply(many, others.digest, 0)
    assert not hold.is_accepted(others.digest)
    assert hold.is_accepted(many.digest)
    assert hold.may_apply(many, many.digest, 1)
    assert not hold.is_holding


def test_a_harmless_reload_ends_the_waiting() -> None:
    hold = RemovalHold()
    assert not hold.may_apply(removals(9, 9), None, 0)
    assert hold.may_apply(removals(1, 9), None, 1)
    assert not hold.is_holding


def test_only_what_is_gone_is_a_removal(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[[server]]\nid = "a"\naddress = "192.0.2.1"\nlevel = 2\n')
    found = find_removals(["a", "b"], ["s"], load(path))
    assert (found.servers, found.subscriptions, found.servers_before) == (("b",), ("s",), 2)
