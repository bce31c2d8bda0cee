"""A daemon that may not ping: it says so once, accuses nobody, and does everything else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from monitor.model import CheckKey, Outcome
from tests.integration.lab_config import Customer, Server, Setting
from tests.integration.lab_daemon import STOPS_WITHIN, Answer, Daemon, awaited, page, samples
from tests.integration.lab_ledger import Books
from tests.integration.network_lab import Lab, as_nobody, lab, nobody_runs_this_python, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REASON = why_not() or ("" if nobody_runs_this_python() else "needs a Python that user 65534 may run")
pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(_REASON), reason=_REASON or "can run")]

NOBODY = 65534
PORT = 9809
PING, SITE = CheckKey("web-01", "ping"), CheckKey("web-01", "site")
SYSCTL, CAPABILITY = 'sysctl -w net.ipv4.ping_group_range="0 2147483647"', "CAP_NET_RAW"


@pytest.fixture(scope="module")
def net() -> Iterator[Lab]:
    with lab(servers=1) as built:
        yield built


@pytest.fixture
def daemon(net: Lab, tmp_path: Path) -> Daemon:
    """A daemon of a user without privileges; the server is up, and its site is the daemon's own page."""
    site = {"type": '"http"', "url": f'"http://127.0.0.1:{PORT}/healthz"'}
    server = Server("web-01", net.address(0), "acme", level=4, services={"site": site})
    config = Setting(PORT, [server], [Customer("acme")]).write(tmp_path)
    os.chown(tmp_path, NOBODY, NOBODY)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o005 != 0o005 and folder.stat().st_uid == 0:
            folder.chmod(folder.stat().st_mode | 0o055)
    return Daemon(config, prefix=tuple(net.command(*as_nobody())))


def get(net: Lab, path: str) -> Answer:
    async def ask() -> Answer | None:
        return page(PORT, path)

    answer = awaited("the page answers", lambda: net.inside(ask()))
    assert answer is not None
    return answer


def test_without_permission_a_daemon_says_so_accuses_nobody_and_goes_on(
    net: Lab, tmp_path: Path, daemon: Daemon
) -> None:
    net.permit_pings(to_all=False)
    books = Books(tmp_path / "data")
    with daemon:
        awaited("three sweeps", lambda: len(books.results(PING)) >= 3 and len(books.results(SITE)) >= 3)
        said = [line for line in daemon.said().splitlines() if CAPABILITY in line]
        assert len(said) == 1, "one clear message"
        assert SYSCTL in said[0]

        assert {each.outcome for each in books.results(PING)} == {Outcome.UNKNOWN}
        assert {each.reason for each in books.results(PING)} == {"icmp not permitted"}
        assert books.last()[SITE] is Outcome.OK
        assert (books.outages(), books.told()) == ([], [])

        ready = get(net, "/readyz")
        assert (ready.status, SYSCTL in ready.text, CAPABILITY in ready.text) == (503, True, True)
        assert get(net, "/healthz").status == 200
        shown = samples(get(net, "/metrics").text)
        labels = [series for series in shown if series.startswith("probe_success")]
        assert len(labels) == 1, "absent while unknown"
        assert 'check="site"' in labels[0]

        status = daemon.told("status")
        assert SYSCTL in status["daemon"]["problems"]["icmp"]
        (server,) = status["servers"]
        assert {check["name"]: check["state"] for check in server["checks"]} == {"ping": "unknown", "site": "up"}

        def mails() -> list[str]:
            return [mail.text for mail in books.mails()]

        awaited("the operators are told", mails)
        assert daemon.stop() < STOPS_WITHIN
        daemon.start()
        newest = books.newest()
        awaited("it probes again", lambda: books.newest() > newest)
        assert [SYSCTL in text for text in mails()] == [True], "once, not at every start"

        net.permit_pings()
        awaited("a permission that is given is used at once", lambda: books.last()[PING] is Outcome.OK)
        daemon.reload()
        awaited("it is ready", lambda: get(net, "/readyz").status == 200)
        awaited("status says so", lambda: "icmp" not in daemon.told("status")["daemon"]["problems"])
        assert daemon.stop() < STOPS_WITHIN
        daemon.verified()
    net.permit_pings(to_all=False)
