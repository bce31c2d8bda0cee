"""A daemon that may not ping: it says so once, accuses nobody, and does everything else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from monitor.model import CheckKey, Outcome
from tests.integration.lab_config import Customer, LabConfig, Server
from tests.integration.lab_daemon import STOP_TIMEOUT, Daemon, Response, get_page, samples, wait_for
from tests.integration.lab_ledger import LedgerReader
from tests.integration.network_lab import NetworkLab, lab, nobody_can_run_python, nobody_prefix, skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REASON = skip_reason() or ("" if nobody_can_run_python() else "needs a Python that user 65534 may run")
pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(_REASON), reason=_REASON or "can run")]

NOBODY = 65534
PORT = 9809
PING, SITE = CheckKey("web-01", "ping"), CheckKey("web-01", "site")
SYSCTL, CAPABILITY = 'sysctl -w net.ipv4.ping_group_range="0 2147483647"', "CAP_NET_RAW"


@pytest.fixture(scope="module")
def net() -> Iterator[NetworkLab]:
    with lab(servers=1) as built:
        yield built


@pytest.fixture
def daemon(net: NetworkLab, tmp_path: Path) -> Daemon:
    """A daemon of a user without privileges; the server is up, and its site is the daemon's own page."""
    site = {"type": '"http"', "url": f'"http://127.0.0.1:{PORT}/healthz"'}
    server = Server("web-01", net.address(0), "acme", level=4, services={"site": site})
    config = LabConfig(PORT, [server], [Customer("acme")]).write(tmp_path)
    os.chown(tmp_path, NOBODY, NOBODY)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o005 != 0o005 and folder.stat().st_uid == 0:
            folder.chmod(folder.stat().st_mode | 0o055)
    return Daemon(config, prefix=tuple(net.command(*nobody_prefix())))


def get(net: NetworkLab, path: str) -> Response:
    async def ask() -> Response | None:
        return get_page(PORT, path)

    answer = wait_for("the page answers", lambda: net.run_in_namespace(ask()))
    assert answer is not None
    return answer


def test_without_permission_a_daemon_says_so_accuses_nobody_and_goes_on(
    net: NetworkLab, tmp_path: Path, daemon: Daemon
) -> None:
    net.permit_pings(to_all=False)
    books = LedgerReader(tmp_path / "data")
    with daemon:
        wait_for("three sweeps", lambda: len(books.results(PING)) >= 3 and len(books.results(SITE)) >= 3)
        said = [line for line in daemon.output().splitlines() if CAPABILITY in line]
        assert len(said) == 1, "one clear message"
        assert SYSCTL in said[0]

        assert {each.outcome for each in books.results(PING)} == {Outcome.UNKNOWN}
        assert {each.reason for each in books.results(PING)} == {"icmp not permitted"}
        assert books.last_outcomes()[SITE] is Outcome.OK
        assert (books.outages(), books.mailed_news()) == ([], [])

        ready = get(net, "/readyz")
        assert (ready.status, SYSCTL in ready.text, CAPABILITY in ready.text) == (503, True, True)
        assert get(net, "/healthz").status == 200
        shown = samples(get(net, "/metrics").text)
        labels = [series for series in shown if series.startswith("probe_success")]
        assert len(labels) == 1, "absent while unknown"
        assert 'check="site"' in labels[0]

        status = daemon.run_json("status")
        assert SYSCTL in status["daemon"]["problems"]["icmp"]
        (server,) = status["servers"]
        assert {check["name"]: check["state"] for check in server["checks"]} == {"ping": "unknown", "site": "up"}

        def mails() -> list[str]:
            return [mail.text for mail in books.mails()]

        wait_for("the operators are told", mails)
        assert daemon.stop() < STOP_TIMEOUT
        daemon.start()
        newest = books.newest_result_at()
        wait_for("it probes again", lambda: books.newest_result_at() > newest)
        assert [SYSCTL in text for text in mails()] == [True], "once, not at every start"

        net.permit_pings()
        wait_for("a permission that is given is used at once", lambda: books.last_outcomes()[PING] is Outcome.OK)
        daemon.reload()
        wait_for("it is ready", lambda: get(net, "/readyz").status == 200)
        wait_for("status says so", lambda: "icmp" not in daemon.run_json("status")["daemon"]["problems"])
        assert daemon.stop() < STOP_TIMEOUT
        daemon.verify()
    net.permit_pings(to_all=False)
