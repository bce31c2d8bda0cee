"""The operators' page: everything that an operator needs, and nothing that a name could break."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from monitor.engine.live.state import ActiveMaintenanceWindow, CheckEntry, LiveState, SubscriptionEntry
from monitor.engine.live.telemetry import Telemetry
from monitor.model import CheckKey, Outcome, State
from monitor.web.health import Health
from monitor.web.page import MAX_OUTAGES_SHOWN, OperatorsPage
from monitor.web.server_list import ServerQuery
from tests.fakes import FakeClock, replace_config
from tests.web.page_fixtures import (
    CHECKS,
    MINUTE,
    NOW,
    PING,
    SITE,
    configured_state,
    make_outage,
    make_result,
    populated_state,
)

EVIL = "<script>alert(1)</script>'\"&"
VOID = {"meta", "link", "input", "br", "rect"}


class Reader(HTMLParser):
    """Reads a page: its text, its tags with their attributes, and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def html(board: LiveState, telemetry: Telemetry | None = None, wish: ServerQuery | None = None) -> str:
    telemetry, clock = telemetry or Telemetry(), FakeClock(NOW)
    page = OperatorsPage(board, telemetry, Health(board, telemetry, clock), clock)
    return "".join(page.render(wish or ServerQuery()))


def read(board: LiveState, telemetry: Telemetry | None = None, wish: ServerQuery | None = None) -> Reader:
    reader = Reader()
    reader.feed(html(board, telemetry, wish))
    reader.close()
    assert reader.open == []
    return reader


def after_a_sweep() -> Telemetry:
    telemetry = Telemetry()
    telemetry.sweep_done(NOW, 5_000.0)
    return telemetry


@pytest.fixture
def everything() -> Reader:
    return read(*populated_state())


@pytest.mark.parametrize(
    "words",
    [
        "web-01 up since 2026-10-02 11:30",  # in the contract's zone
        "ping icmp 192.0.2.10 0.40 ms up for 1 h 30 min",
        "site https://www.acme.example/ 0.40 ms",
        "acme-web-01 acme, server, level 4, target 99.75 %",
        "month 99.73 % over by 8 min 42 s credit 10 % 1 h not measured",
        "mail-01 maintenance",
        "mail-01 New power supply planned, until 2026-10-02 14:30 1 h 30 min left window 12",
        "mail-01 ping timeout since 2026-10-02 12:50 10 min outage 7",
        "spare unknown not monitored",
        "last sweep complete 0 s ago",
        "3 mails waiting for 1 min",
    ],
)
def test_an_operator_finds_it_on_the_page(everything: Reader, words: str) -> None:
    assert words in everything.text


def test_what_was_seen_of_a_failing_check_is_told() -> None:
    board = configured_state()
    board.set_check_result(make_result(SITE, Outcome.FAIL, reason="status: 500"))
    board.set_check_state(SITE, State.DOWN, NOW - 5 * MINUTE)
    text = read(board).text
    assert "site https://www.acme.example/ status: 500 down for 5 min" in text
    assert "ping icmp 192.0.2.10 no result yet unknown" in text


def test_problems_stand_before_everything_else() -> None:
    board, telemetry = populated_state()
    board.set_problem("reload", "The last reload was refused.", ready=True)
    board.set_problem("store", "The disk is full.")
    text = read(board, telemetry).text
    places = [text.index(words) for words in ("store The disk is full.", "reload The last", "Open outages", "Servers")]
    assert places == sorted(places)


def test_an_untroubled_page_has_no_empty_sections() -> None:
    text = read(configured_state()).text
    assert [
        words for words in ("The monitor itself", "Open outages", "Maintenance now", "waiting") if words in text
    ] == []


def test_an_empty_configuration_says_so() -> None:
    assert "No server is configured." in read(LiveState()).text
    assert "No server matches." in read(configured_state(), wish=ServerQuery(search="nothing like it")).text


def test_the_title_says_how_many_are_down() -> None:
    board = configured_state()
    for key in (PING, SITE, CheckKey("mail-01", "ping")):
        board.set_check_state(key, State.UP, NOW)
    assert "<title>2 up · monitor</title>" in html(board, after_a_sweep())
    board.set_check_state(SITE, State.DOWN, NOW)
    assert "<title>1 down · monitor</title>" in html(board, after_a_sweep())


def test_before_the_end_of_the_first_sweep_the_page_says_so_and_claims_nothing() -> None:
    page = html(configured_state())
    assert "<title>starting · monitor</title>" in page
    assert "The first sweep is running. States appear within 1 min." in page
    assert "%2e7d32" not in page.split("</title>")[1].split("<style>")[0].replace("%23", "%")
    cut_short = Telemetry()
    cut_short.sweep_done(NOW, FakeClock(NOW).monotonic() + 2.0)
    assert "<title>starting · monitor</title>" in html(configured_state(), cut_short)
    assert "The first sweep is running" not in html(configured_state(), after_a_sweep())


def test_names_are_escaped_wherever_they_stand() -> None:
    board = LiveState()
    replace_config(board, [CheckEntry(EVIL, "ping", EVIL, EVIL)], [SubscriptionEntry(EVIL, EVIL, EVIL, EVIL, 4, 9975)])
    key = CheckKey(EVIL, "ping")
    board.set_check_result(make_result(key, Outcome.FAIL, reason=EVIL))
    board.add_outage(make_outage(1, key, EVIL))
    board.set_maintenance_windows([ActiveMaintenanceWindow(1, frozenset({EVIL}), NOW, EVIL, EVIL)])
    board.set_problem(EVIL, EVIL)
    reader = read(board, wish=ServerQuery(search=EVIL))
    assert "script" not in {tag for tag, _ in reader.tags}
    assert [attributes["value"] for tag, attributes in reader.tags if tag == "input"] == [EVIL]


def test_a_slow_answer_is_marked() -> None:
    board = configured_state()
    board.set_check_result(make_result(SITE, latency=2_000_000))
    assert "slower than" not in html(board, after_a_sweep())
    board.set_check_result(make_result(SITE, latency=2_000_001))
    assert '<b title="slower than 2.0 s">slow</b>' in html(board, after_a_sweep())


def test_it_needs_no_script_and_nothing_from_elsewhere(everything: Reader) -> None:
    tags = {tag for tag, _ in everything.tags}
    assert tags & {"script", "img", "iframe", "object", "font", "base"} == set()
    targets = [
        value for _, each in everything.tags for name, value in each.items() if name in {"href", "src", "action"}
    ]
    assert [value for value in targets if not str(value).startswith(("/", "data:"))] == []
    handlers = {name for _, each in everything.tags for name in each if name.startswith("on") or name == "style"}
    assert handlers == set()


def test_the_policy_allows_its_own_style_and_no_other() -> None:
    board, telemetry, clock = configured_state(), Telemetry(), FakeClock(NOW)
    page = OperatorsPage(board, telemetry, Health(board, telemetry, clock), clock)
    assert page.content_security_policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in page.content_security_policy
    style = re.search(r"<style>(.*?)</style>", "".join(page.render(ServerQuery())), re.DOTALL)
    assert style is not None
    assert re.search(r"url\(|@import|</", style[1]) is None


def test_links_keep_the_search_and_escape_it() -> None:
    board = LiveState()
    replace_config(board, [], [], [f"a&b-{number}" for number in range(101)])
    links = [each["href"] for tag, each in read(board, wish=ServerQuery(search="a&b", page=2)).tags if tag == "a"]
    assert "/?q=a%26b&state=&page=1" in links
    assert "/?q=a%26b&state=down" in links


def test_many_outages_do_not_fill_the_page() -> None:
    board = LiveState()
    checks = [CheckEntry(f"server-{number}", "ping", "icmp", "::1") for number in range(MAX_OUTAGES_SHOWN + 20)]
    replace_config(board, checks, [])
    for number, entry in enumerate(checks):
        board.add_outage(make_outage(number, entry.key))
    text = read(board).text
    assert f"Open outages {MAX_OUTAGES_SHOWN + 20}" in text
    assert text.count("since 2026-10-02") == MAX_OUTAGES_SHOWN
    assert "and 20 more" in text


def test_a_shared_server_folds_its_many_subscriptions() -> None:
    board = LiveState()
    subscriptions = [SubscriptionEntry(f"site-{number}", "acme", "web-01", "server", 4, 9975) for number in range(9)]
    replace_config(board, CHECKS, subscriptions)
    text = read(board).text
    assert "6 more subscriptions" in text
    assert [entry.id for entry in subscriptions if entry.id not in text] == []
