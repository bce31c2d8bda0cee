"""A hundred servers that fall and rise at known times, a real relay, real web servers: every outage is found and told.

One run of the daemon, forty seconds of its life; what is expected is written down before it begins.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from monitor.model import CheckKey, Outcome
from tests.integration import postfix as relays
from tests.integration.lab_config import INTERVAL, MAX_CHECK_DURATION, OPERATORS, Customer, LabConfig, Server
from tests.integration.lab_daemon import STOP_TIMEOUT, Daemon, get_page, samples, wait_for
from tests.integration.lab_fault_schedule import (
    BETWEEN_SWEEPS,
    MAX_LATENESS,
    MIN_DETECTABLE,
    SLACK,
    FaultSchedule,
    ids_in_mid_sweep,
)
from tests.integration.lab_faults import NetworkFaults
from tests.integration.lab_ledger import LedgerReader
from tests.integration.lab_listeners import TimeRange
from tests.integration.lab_mail import MailNews, count_by_news, news_of, references_of, text_of
from tests.integration.lab_nginx import Nginx
from tests.integration.network_lab import lab as network
from tests.integration.network_lab import skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.model import Outage, Result
    from tests.integration.network_lab import NetworkLab as Network

REASON = skip_reason("nginx") or relays.skip_reason()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(REASON), reason=REASON or "can run"),
]

SEED = 8_2
VERIFIED = "\nmonitor_journal_verified_timestamp_seconds "
PORT = 9809
COUNT = 100
NOBODY = "198.18.254.2"
"""A canary that never answers: one of several is enough."""
LONERS = [f"s-{number}" for number in range(60)]
"""Fall and rise at random, once or twice."""
CROWD = ids_in_mid_sweep("crowd", 6)
"""Fall together; one customer's."""
SWITCH, *BEHIND = ids_in_mid_sweep("rack", 9)
"""A switch, and what hangs on it: four of its own customer, one of a guest, three of nobody."""
[MAINTAINED] = ids_in_mid_sweep("maintained", 1)
FLAPPING, HOLED, LONG, HEALED = "flapping", "holed", "long", "healed"
PAGES, STOPPED = "pages", "stopped"
CHECKS = COUNT + 4
QUIET = [f"quiet-{number}" for number in range(18)]
"""Never fall: 60 + 6 + 9 + 1 + 4 + 2 + 18 make a hundred."""
WINDOW = (5, 12)
"""Seconds: the emergency maintenance in which MAINTAINED falls, and which it outlives."""
BLIND = (24 + BETWEEN_SWEEPS, 28 + BETWEEN_SWEEPS)
UNPLUGGED = (29.5 + BETWEEN_SWEEPS, 33 + BETWEEN_SWEEPS)


def ping(server: str) -> CheckKey:
    return CheckKey(server, "ping")


def services(server: str) -> tuple[CheckKey, ...]:
    return CheckKey(server, "http"), CheckKey(server, "https")


@dataclass
class Lab:
    """What stands there, and what was seen of it in the end."""

    net: Network
    plan: FaultSchedule
    daemon: Daemon
    books: LedgerReader
    postfix: relays.Postfix
    servers: dict[str, Server]
    setting: LabConfig


def _servers(net: Network, ca_file: Path) -> list[Server]:
    chosen = [Server(name, "", f"c{number % 12}") for number, name in enumerate(LONERS)]
    chosen += [Server(name, "", "crowd") for name in CROWD]
    chosen += [Server(SWITCH, "", "rack")]
    owners = ["rack"] * 4 + ["guest"] + [None] * 3
    chosen += [Server(name, "", owner, parent=SWITCH) for name, owner in zip(BEHIND, owners, strict=True)]
    chosen += [Server(name, "", name) for name in (MAINTAINED, FLAPPING, HOLED, LONG, HEALED)]
    chosen += [Server(name, "", name, level=4, product="web-hosting") for name in (PAGES, STOPPED)]
    chosen += [Server(name, "", "quiet") for name in QUIET]
    for number, server in enumerate(chosen):
        server.address = net.address(number)
        if server.level == 4:
            server.services = {
                "http": {"type": '"http"', "url": f'"http://{server.address}/"'},
                "https": {"type": '"https"', "url": f'"https://{server.address}/"', "ca_file": f'"{ca_file}"'},
            }
    return chosen


def _customers(servers: list[Server]) -> list[Customer]:
    names = dict.fromkeys(server.customer for server in servers if server.customer is not None)
    return [Customer(name, "tr" if name in {"c0", "guest"} else "en") for name in names]


def _setting(servers: list[Server], canary: str) -> LabConfig:
    email = f"""
from = "SLA <sla@lab.test>"
transport = "smtp"
host = "127.0.0.1"
port = 587
security = "starttls"
username = "{relays.USER}"
password_file = "password"
"""
    return LabConfig(PORT, servers, _customers(servers), [canary, NOBODY], email)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab in which everything has happened already, and the daemon has stopped."""
    folder = tmp_path_factory.mktemp("lab")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "password").write_text(relays.PASSWORD)
    with ExitStack() as stack:
        net = stack.enter_context(network(servers=COUNT + 1))
        faults = NetworkFaults(net)
        servers = _servers(net, folder / "ca.pem")
        setting = _setting(servers, net.address(COUNT))
        config = setting.write(folder)
        addresses = {server.id: server.address for server in servers}
        postfix = stack.enter_context(relays.Postfix(net.monitor, "127.0.0.1"))
        nginx = {
            name: stack.enter_context(Nginx(net, addresses[name], folder / name, authority))
            for name in (PAGES, STOPPED)
        }
        faults.drop_every_third(addresses[HOLED])
        daemon = stack.enter_context(Daemon(config, tuple(net.command())))
        books = LedgerReader(folder / "data")
        plan = _plan(faults, addresses, nginx)
        announced = _announce_when_it_begins(plan, daemon)
        wait_for("everything is up", lambda: books.all_checks_are(Outcome.OK, CHECKS))
        # the first verification takes a core for a moment, on a machine that is to have two for the faults
        wait_for("the journal is verified", lambda: VERIFIED in net.run_in_namespace(_metrics()))
        plan.run()
        assert announced[0].wait(30) == 0
        wait_for("everything is up again", lambda: books.all_checks_are(Outcome.OK, CHECKS))
        wait_for("the flapping has settled", lambda: "settled" in {told.notice for told in books.mailed_news()})
        wait_for("all mail has left", lambda: books.pending_mails() == 0)
        _see_the_metrics(net, books)
        assert daemon.stop() < STOP_TIMEOUT
        postfix.delivered(OPERATORS.partition("@")[0], count=len(books.sent_mails()))
        yield Lab(net, plan, daemon, books, postfix, {server.id: server for server in servers}, setting)


def _plan(faults: NetworkFaults, addresses: dict[str, str], nginx: dict[str, Nginx]) -> FaultSchedule:
    plan = FaultSchedule()

    def fall(begin: float, end: float, *names: str) -> None:
        where = [addresses[name] for name in names]
        plan.add_outage(
            begin, end, tuple(map(ping, names)), (partial(faults.take_down, *where), partial(faults.bring_up, *where))
        )

    chance = random.Random(SEED)
    shortest = MIN_DETECTABLE / 1000 + 0.1
    for name in LONERS:
        begin = 1 + chance.uniform(0, 12)
        end = begin + chance.uniform(shortest, 5)
        fall(begin, end, name)
        if chance.random() < 0.5:
            begin = end + chance.uniform(shortest, 3)
            fall(begin, begin + shortest, name)
    fall(2 + BETWEEN_SWEEPS, 6 + BETWEEN_SWEEPS, *CROWD)
    fall(4 + BETWEEN_SWEEPS, 10 + BETWEEN_SWEEPS, SWITCH, *BEHIND)
    fall(6 + BETWEEN_SWEEPS, 16 + BETWEEN_SWEEPS, MAINTAINED)
    for begin in (1, 6, 11, 16):
        fall(begin, begin + 2.4, FLAPPING)
    site, stopped = nginx[PAGES], nginx[STOPPED]
    plan.add_outage(4, 9, services(PAGES), (site.answer_500, site.answer_200), "status: 500")
    plan.add_outage(6, 12, services(STOPPED), (stopped.stop, stopped.start), "refused")
    fall(20.5, UNPLUGGED[1] + 1, LONG)
    # it is mended while the monitor sees nothing, so what can be seen of that begins when it sees again
    plan.add_outage(20, BLIND[1], (ping(HEALED),), (partial(faults.take_down, addresses[HEALED]), faults.restore_all))
    plan.schedule(BLIND[0], faults.drop_all)
    plan.schedule(BLIND[0] + 1.5, partial(faults.bring_up, addresses[HEALED]))
    plan.schedule(UNPLUGGED[0], faults.link_down)
    plan.schedule(UNPLUGGED[1], faults.link_up)
    return plan


def _announce_when_it_begins(plan: FaultSchedule, daemon: Daemon) -> list[subprocess.Popen[bytes]]:
    """Announce an emergency maintenance while the daemon works, without waiting for the command."""
    started: list[subprocess.Popen[bytes]] = []

    def announce() -> None:
        begin, end = (datetime.fromtimestamp(plan.origin / 1000 + second, UTC).isoformat() for second in WINDOW)
        command = [sys.executable, "-m", "monitor", "--config", str(daemon.config), "maintenance", "announce"]
        which = ["--server", MAINTAINED, "--start", begin, "--end", end]
        why = ["--reason", "a fan", "--emergency", "it burns"]
        started.append(subprocess.Popen([*command, *which, *why], stdout=subprocess.DEVNULL))

    plan.schedule(0, announce)
    return started


async def _metrics() -> str:
    answer = get_page(PORT, "/metrics")
    return "" if answer is None else answer.text


def _see_the_metrics(net: Network, books: LedgerReader) -> None:
    shown = samples(net.run_in_namespace(_metrics()))
    assert shown["monitor_emails_sent_total"] == len(books.sent_mails())
    assert shown["monitor_emails_pending"] == 0
    assert sum(value for series, value in shown.items() if series.startswith("probe_success{")) == CHECKS
    assert sum(value for series, value in shown.items() if series.startswith("monitor_outages_open{")) == 0


def test_every_outage_is_in_the_books_within_one_interval_of_the_truth_and_no_other(lab: Lab) -> None:
    assert "\n".join(lab.plan.unmatched(lab.books.outages())) == ""


def test_retries_hide_a_line_that_drops_every_third_packet(lab: Lab) -> None:
    results = _outside_of_blindness(lab, lab.books.results(ping(HOLED)))
    assert {result.outcome for result in results} == {Outcome.OK}
    assert max(result.attempts for result in results) > 1, "not a single packet was dropped"


def _outside_of_blindness(lab: Lab, results: list[Result]) -> list[Result]:
    until = [lab.plan.origin + 1000 * second for second in (*BLIND, *UNPLUGGED)]
    around = MAX_CHECK_DURATION + MAX_LATENESS
    return [
        result
        for result in results
        if not (until[0] - around < result.at < until[1] + around or until[2] - around < result.at < until[3] + around)
    ]


@pytest.mark.parametrize(
    ("between", "reasons"),
    [
        (BLIND, {"the monitor could not see out"}),
        (UNPLUGGED, {"no route", "network down", "the monitor could not see out"}),
    ],
)
def test_while_the_monitor_cannot_see_out_nobody_is_accused(
    lab: Lab, between: tuple[float, float], reasons: set[str]
) -> None:
    begin, end = (lab.plan.origin + 1000 * second for second in between)
    seen = [
        each for each in lab.books.results() if begin + MAX_LATENESS < each.at < end - MAX_CHECK_DURATION - MAX_LATENESS
    ]
    assert len({each.check for each in seen}) == CHECKS
    assert {each.outcome for each in seen} == {Outcome.UNKNOWN}
    assert {each.reason for each in seen} <= reasons


def test_an_outage_goes_on_behind_the_monitors_own_blindness(lab: Lab) -> None:
    for server in (LONG, HEALED):
        [outage] = [each for each in lab.books.outages() if each.check == ping(server)]
        assert outage.start < lab.plan.origin + 1000 * BLIND[0]
        assert outage.end is not None
        assert outage.end > lab.plan.origin + 1000 * BLIND[1] - MAX_CHECK_DURATION


def _due_news(lab: Lab) -> set[tuple[str | None, CheckKey, str, int]]:
    """What is due: for each customer the beginning and the end of each outage."""
    return {
        (lab.servers[outage.check.server].customer, outage.check, notice, outage.id)
        for outage in lab.books.outages()
        for notice in _notices(lab, outage)
    }


def _news_by_mail(lab: Lab, customer: str | None) -> Counter[frozenset[MailNews]]:
    """What the mails to a customer that left are about; a beginning whose end is in the same mail is told with it."""
    found: Counter[frozenset[MailNews]] = Counter()
    for mail in lab.books.sent_mails():
        if mail.kind == "outages" and mail.customer == customer:
            ended = {news["outage"] for news in mail.body["news"] if news["notice"] == "up"}
            told = (news for news in mail.body["news"] if news["notice"] != "down" or news["outage"] not in ended)
            found[frozenset(MailNews(news["server"], news["check"], news["notice"]) for news in told)] += 1
    return found


def _notices(lab: Lab, outage: Outage) -> dict[str, int]:
    """When the beginning and the end of an outage are told; both have been validated against the truth."""
    assert outage.end is not None
    both = {"down": outage.start, "up": outage.end}
    if outage.check.server == FLAPPING:
        number = [each.start for each in lab.books.outages() if each.check == outage.check].index(outage.start)
        return (both, both, {"flapping": outage.start}, {})[number]
    if outage.check.server == MAINTAINED:
        end = lab.plan.origin + 1000 * WINDOW[1]
        told = next(each.at for each in lab.books.results(outage.check) if each.at >= end)
        assert told - end < INTERVAL + MAX_LATENESS
        return {"down": told, "up": outage.end}
    return both


def test_every_customer_is_told_each_beginning_and_each_end(lab: Lab) -> None:
    told = [each for each in lab.books.mailed_news() if each.notice != "settled"]
    assert {(each.customer, each.check, each.notice, each.outage) for each in told} == _due_news(lab)
    assert [each.check for each in lab.books.mailed_news() if each.notice == "settled"] == [ping(FLAPPING)]


def test_every_customer_gets_the_mails_that_left_and_no_other(lab: Lab) -> None:
    for mailbox in {customer.id for customer in lab.setting.customers}:
        came = lab.postfix.delivered(mailbox)
        about_maintenance = [mail for mail in came if not news_of(mail)]
        assert len(about_maintenance) == (mailbox == MAINTAINED)
        assert count_by_news(mail for mail in came if news_of(mail)) == _news_by_mail(lab, mailbox)
        assert {mail["To"] for mail in came} <= {f"{mailbox}@lab.test"}
        assert all(mail["Auto-Submitted"] == "auto-generated" and mail["Bcc"] is None for mail in came)
    alone = [mail for mail in lab.postfix.delivered("noc") if mail["To"] == OPERATORS]
    assert count_by_news(mail for mail in alone if news_of(mail)) == _news_by_mail(lab, None)
    about_the_monitor = {str(mail["Subject"]) for mail in alone if not news_of(mail)}
    assert any(subject.startswith("NO CONNECTIVITY") for subject in about_the_monitor), about_the_monitor


def test_the_operators_get_a_copy_of_every_mail(lab: Lab) -> None:
    copies = Counter(str(mail["Message-ID"]) for mail in lab.postfix.delivered("noc"))
    assert copies == Counter(mail.message_id for mail in lab.books.sent_mails())
    mailboxes = lab.postfix.mailboxes()
    alone = [mail for mail in lab.books.sent_mails() if mail.customer is None]
    assert sum(mailboxes.values()) == 2 * len(copies) - len(alone)


def test_the_mails_say_in_their_subject_what_has_happened(lab: Lab) -> None:
    for server in (LONG, HEALED):
        down, up = lab.postfix.delivered(server)
        assert down["Subject"] == f"DOWN {server} (ping)"
        assert str(up["Subject"]).startswith(f"UP {server} (ping) after ")
    maintenance, down, up = lab.postfix.delivered(MAINTAINED)
    assert str(maintenance["Subject"]).startswith("EMERGENCY MAINTENANCE")
    assert down["Subject"] == f"DOWN {MAINTAINED} (ping)"
    assert str(up["Subject"]).startswith(f"UP {MAINTAINED} (ping) after ")


def test_children_of_a_fallen_parent_stand_under_it_in_one_mail(lab: Lab) -> None:
    owner, guest, nobody = BEHIND[:4], BEHIND[4], BEHIND[5:]
    down, up = (mail for mail in lab.postfix.delivered("rack") if news_of(mail))
    assert news_of(down) == {MailNews(server, "ping", "down") for server in (SWITCH, *owner)}
    assert news_of(up) == {MailNews(server, "ping", "up") for server in (SWITCH, *owner)}
    assert str(down["Subject"]).startswith("DOWN")
    for mail, children in ((down, owner), (lab.postfix.delivered("guest")[0], [guest])):
        lines = text_of(mail).splitlines()
        place = lines.index(SWITCH)
        for child in children:
            [line] = [line for line in lines[place:] if line.strip() == child]
            assert line.startswith(" "), f"{child} does not stand under {SWITCH}"
    alone = [mail for mail in lab.postfix.delivered("noc") if mail["To"] == OPERATORS and news_of(mail)]
    assert [{news.server for news in news_of(mail)} for mail in alone] == [set(nobody), set(nobody)]


def test_the_end_of_an_outage_is_told_in_the_thread_of_its_beginning(lab: Lab) -> None:
    told = lab.books.mailed_news()
    begun: dict[tuple[str | None, int | None], list[str]] = defaultdict(list)
    for each in told:
        if each.notice == "down":
            begun[each.customer, each.outage].append(each.mail)
    threads = 0
    for mailbox in {customer.id for customer in lab.setting.customers} | {"noc"}:
        came = {str(mail["Message-ID"]): mail for mail in lab.postfix.delivered(mailbox)}
        for end in (each for each in told if each.notice == "up" and each.mail in came):
            beginning = begun[end.customer, end.outage]
            if end.mail in beginning:  # joined, since the mail about the beginning had not left
                continue
            down, up = came[beginning[0]], came[end.mail]
            assert beginning[0] in references_of(up)
            assert end.mail not in references_of(down)
            assert down["Date"].datetime <= up["Date"].datetime
            threads += 1
    assert threads


def test_an_emergency_maintenance_excludes_its_time_and_silences_what_falls_in_it(lab: Lab) -> None:
    [account] = [each for each in _accounts(lab) if each["id"] == MAINTAINED]
    assert account["excluded_seconds"] == WINDOW[1] - WINDOW[0]
    assert [(each["clause"], each["seconds"]) for each in account["exclusions"]] == [("4.9", WINDOW[1] - WINDOW[0])]
    [outage] = [each for each in lab.books.outages() if each.check == ping(MAINTAINED)]
    assert outage.end is not None
    down = outage.end - (lab.plan.origin + 1000 * WINDOW[1])
    assert 1000 * account["down_seconds"] == down, "downtime after the window's end counts"


def _accounts(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.daemon.run_json("availability", "--days", "1")["subscriptions"]
    return found


def test_the_books_balance_and_say_how_long_each_server_was_down(lab: Lab) -> None:
    down: dict[str, int] = defaultdict(int)
    slack: dict[str, int] = defaultdict(int)
    for fall in lab.plan.outages:
        for server in {check.server for check in fall.checks}:
            down[server] += fall.came_up.after - fall.went_down.before
            slack[server] += INTERVAL + MAX_CHECK_DURATION + 2 * SLACK
    for account in lab.daemon.run_json("availability", "--days", "1")["subscriptions"]:
        parts = ("up_seconds", "down_seconds", "excluded_seconds", "unknown_seconds")
        assert sum(account[part] for part in parts) == 86_400
        if account["id"] not in {MAINTAINED, LONG, HEALED}:  # part of their downtime is excluded, or unknown
            assert abs(1000 * account["down_seconds"] - down[account["server"]]) <= slack[account["server"]]
        assert account["excluded_seconds"] == 0 or account["id"] == MAINTAINED


def test_the_journal_holds(lab: Lab) -> None:
    lab.daemon.verify()


def test_everything_is_shown_as_up_in_the_end(lab: Lab) -> None:
    shown = lab.daemon.run_json("status")
    assert shown["daemon"]["running"] is False
    assert len(shown["servers"]) == 100


def test_the_truth_is_compared_strictly(lab: Lab) -> None:
    """What the first test would say if an outage were missing, doubled, or off by more than an interval."""
    outages = lab.books.outages()
    assert lab.plan.unmatched(outages[1:])
    assert lab.plan.unmatched([*outages, outages[0]])
    fell = lab.plan.outages[0].went_down
    lab.plan.outages[0].went_down = TimeRange(fell.before - 2 * INTERVAL, fell.after - 2 * INTERVAL)
    try:
        assert lab.plan.unmatched(outages)
    finally:
        lab.plan.outages[0].went_down = fell
