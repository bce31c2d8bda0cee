"""Which servers the page shows first, and which at all."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.live.state import ActiveMaintenanceWindow, CheckEntry, LiveState, SubscriptionEntry
from monitor.model import CheckKey, State
from monitor.web.server_list import PER_PAGE, ServerList, ServerQuery
from tests.fakes import replace_config
from tests.web.page_fixtures import FIGURES, NOW


def selected(board: LiveState, wish: ServerQuery | None = None) -> ServerList:
    selection = ServerList(board, wish or ServerQuery())
    for _ in selection.load_in_steps():
        pass
    return selection


def board_of(*states: State, service: State | None = None) -> LiveState:
    """Servers a, b, c, ... whose pings are in these states; with a service on each, in that state."""
    board = LiveState()
    names = [chr(ord("a") + place) for place in range(len(states))]
    checks = [CheckEntry(name, "ping", "icmp", "192.0.2.1") for name in names]
    checks += [CheckEntry(name, "site", "http", "http://192.0.2.1/") for name in names if service]
    replace_config(board, checks, [])
    for name, state in zip(names, states, strict=True):
        board.set_check_state(CheckKey(name, "ping"), state, NOW)
        board.set_check_state(CheckKey(name, "site"), service or State.UP, NOW)
    return board


def shown(board: LiveState, wish: ServerQuery | None = None) -> str:
    return "".join(card.server for card in selected(board, wish).cards)


def test_trouble_comes_first_and_otherwise_the_configuration_has_its_order() -> None:
    board = board_of(State.UP, State.DOWN, State.UP, State.UNKNOWN, State.UP, State.DOWN)
    board.set_maintenance_windows([ActiveMaintenanceWindow(1, frozenset("e"), NOW, "planned", "")])
    assert shown(board) == "bfdeac"


def test_a_missed_target_comes_before_one_that_is_met() -> None:
    board = board_of(State.UP, State.UP)
    replace_config(
        board, [view.entry for view in board.checks.values()], [SubscriptionEntry("s", "acme", "b", "server", 4, 9975)]
    )
    assert shown(board) == "ab"
    board.set_figures("s", "month", FIGURES)
    assert FIGURES.budget < 0
    assert shown(board) == "ba"
    board.set_figures("s", "month", FIGURES._replace(budget=0))
    assert shown(board) == "ab"


def test_what_is_not_looked_at_comes_last() -> None:
    board = board_of(State.UP)
    replace_config(board, [view.entry for view in board.checks.values()], [], ["0", "a"])
    assert shown(board) == "a0"


def test_a_server_with_a_fallen_service_is_counted_as_down_and_shown_as_up() -> None:
    board = board_of(State.UP, service=State.DOWN)
    selection = selected(board)
    assert selection.counts[State.DOWN] == 1
    assert (selection.cards[0].state, selection.cards[0].worst_state) == (State.UP, State.DOWN)


def test_in_maintenance_nothing_counts_as_down() -> None:
    board = board_of(State.DOWN, service=State.DOWN)
    board.set_maintenance_windows([ActiveMaintenanceWindow(1, frozenset("a"), NOW, "planned", "")])
    assert selected(board).counts == {State.DOWN: 0, State.UNKNOWN: 0, State.MAINTENANCE: 1, State.UP: 0}


def test_a_state_is_picked_and_the_others_are_still_counted() -> None:
    board = board_of(State.UP, State.DOWN, State.UP)
    selection = selected(board, ServerQuery(state=State.UP))
    assert [card.server for card in selection.cards] == ["a", "c"]
    assert (selection.counts[State.DOWN], selection.matching, selection.total) == (1, 3, 3)


@pytest.mark.parametrize("search", ["WEB-0", "192.0.2.10", "Zeta", "hosting-7", ""])
def test_a_search_looks_at_servers_addresses_customers_and_subscriptions(search: str) -> None:
    board = LiveState()
    replace_config(
        board,
        [CheckEntry("Web-01", "ping", "icmp", "192.0.2.10"), CheckEntry("mail", "ping", "icmp", "192.0.2.2")],
        [SubscriptionEntry("hosting-7", "zeta", "Web-01", "server", 4, 9975)],
    )
    found = [card.server for card in selected(board, ServerQuery(search=search)).cards]
    assert found == (["Web-01"] if search else ["Web-01", "mail"])


def test_many_servers_take_many_pages_and_the_last_is_the_last() -> None:
    board = LiveState()
    servers = [f"server-{number:04}" for number in range(2 * PER_PAGE + 1)]
    replace_config(board, [], [], servers)
    pages = [[card.server for card in selected(board, ServerQuery(page=page)).cards] for page in (1, 2, 3)]
    assert list(chain.from_iterable(pages)) == servers
    beyond = selected(board, ServerQuery(page=99))
    assert (beyond.page, beyond.page_count, len(beyond.cards)) == (3, 3, 1)


def test_nothing_to_show_is_one_empty_page() -> None:
    selection = selected(LiveState())
    assert (selection.page, selection.page_count, selection.cards) == (1, 1, [])


@pytest.mark.parametrize(
    ("query", "wish"),
    [
        ({}, ServerQuery()),
        ({"q": " web ", "state": "down", "page": "3"}, ServerQuery("web", State.DOWN, 3)),
        ({"state": "sideways", "page": "-1"}, ServerQuery()),
        ({"state": "", "page": "0"}, ServerQuery()),
        ({"page": "²"}, ServerQuery()),
        ({"page": "9" * 5000}, ServerQuery()),
        ({"q": "x" * 5000}, ServerQuery("x" * 100)),
    ],
)
def test_an_address_asks_for_what_makes_sense(query: dict[str, str], wish: ServerQuery) -> None:
    assert ServerQuery.parse(query) == wish


@given(st.dictionaries(st.sampled_from(["q", "state", "page"]), st.text()))
def test_no_address_upsets_it(query: dict[str, str]) -> None:
    assert selected(board_of(State.UP), ServerQuery.parse(query)).total == 1
