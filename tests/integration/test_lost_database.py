"""The database is deleted, replaced or damaged under a daemon: it goes on watching, and tells everybody."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.integration.lab_daemon import Daemon, free_port, get_page, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

CONFIG = """
[monitor]
interval = 10
timeout = 1.0
retries = 0

[contract]
operator_emails = ["noc@example.com"]

[web]
listen = "127.0.0.1:{port}"

[[server]]
id = "web-01"
address = "127.0.0.1"
level = 2
reach = "tcp:{port}"
"""


class Site:
    """One daemon that watches its own page, and the files of its data folder."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        (folder / "config.toml").write_text(CONFIG.format(port=self.port))
        self.daemon = Daemon(folder / "config.toml")
        self.data = folder / "data"
        self.file = self.data / "monitor.db"

    def problem(self) -> str:
        page = get_page(self.port, "/readyz")
        return page.text if page is not None and page.status == 503 else ""

    def entries(self) -> int:
        answer = self.daemon.run_cli("verify")
        return int(answer.text.split()[1]) if answer.status == 0 else 0

    def wait_for_results(self) -> None:
        before = self.entries()
        wait_for("a sweep is recorded", lambda: self.entries() > before)

    def mails(self) -> list[str]:
        return [path.read_text() for path in sorted((self.data / "mail").glob("*.eml"))]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    with site.daemon:
        yield site


def test_a_deleted_database_is_told_and_can_be_put_back(site: Site) -> None:
    site.wait_for_results()
    recorded = site.entries()
    site.file.unlink()
    assert "was deleted" in wait_for("the loss is told", site.problem)
    assert wait_for("the operators are mailed", site.mails)
    kept = wait_for("results are kept", lambda: list(site.data.glob("unsaved-results-*.csv")))
    [copy] = site.data.glob("monitor-rescued-*.db")
    site.daemon.stop()
    copy.rename(site.file)
    for left in site.data.glob("monitor.db-*"):
        left.unlink()
    site.daemon.start()
    assert site.problem() == ""
    assert site.daemon.run_cli("import", "csv", str(kept[0])).status == 0
    site.daemon.verify()
    assert site.entries() > recorded
    site.daemon.stop()


def test_an_older_copy_is_found_at_the_start(site: Site) -> None:
    site.wait_for_results()
    site.daemon.stop()
    old = site.file.read_bytes()
    site.daemon.start()
    site.wait_for_results()
    site.daemon.stop()
    site.file.write_bytes(old)
    assert "this is an older copy" in site.daemon.run_cli("verify").text
    site.daemon.start()
    assert "this is an older copy" in wait_for("it is told", site.problem)
    (site.data / "journal-head.json").unlink()
    wait_for("it is accepted", lambda: site.problem() == "")
    site.daemon.stop()


def test_a_daemon_that_is_killed_again_and_again_tells_of_no_loss(site: Site) -> None:
    for _ in range(8):
        site.daemon.kill()
        site.daemon.start()
        assert "ledger:" not in site.problem()
    site.daemon.stop()
    site.daemon.verify()


def test_bad_pages_do_not_end_the_watching(site: Site) -> None:
    site.wait_for_results()
    site.daemon.stop()
    with closing(sqlite3.connect(site.file)) as db:
        [page] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'run'").fetchone()
    with site.file.open("r+b") as stream:
        stream.seek((page - 1) * 4096)
        stream.write(b"\xff" * 4096)
    site.daemon.start()
    assert "was damaged and is set aside" in wait_for("the damage is told", site.problem)
    [damaged] = site.data.glob("monitor-damaged-*.db")
    assert site.daemon.run_json("salvage", str(damaged))["new"] > 0
    wait_for("the damage is over", lambda: site.problem() == "")
    site.wait_for_results()
    site.daemon.stop()
    site.daemon.verify()
