"""A daemon that is asked to stop, whenever that is, does so with nothing in its log that would alarm anybody."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.clock import SystemClock
from monitor.store import database, journal
from tests.integration.lab_config import Customer, LabConfig, Server
from tests.integration.lab_daemon import STOP_TIMEOUT, Daemon, free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ADDRESS = "127.0.4.1"
SERVERS = 20
LONG = 200_000
"""Entries of a journal that takes most of a second to verify."""


@pytest.fixture
def silent() -> Iterator[int]:
    """Give a port that takes every connection and never says a word."""
    with socket.socket() as listener:
        listener.bind((ADDRESS, 0))
        listener.listen(4096)
        port: int = listener.getsockname()[1]
        yield port


@pytest.fixture
def daemon(tmp_path: Path, silent: int) -> Iterator[Daemon]:
    """Make one, not started yet, whose visits are all under way for as long as they may be."""
    page = {"web": {"type": '"http"', "url": f'"http://{ADDRESS}:{silent}/"'}}
    servers = [
        Server(f"s{number}", ADDRESS, "acme", reach=f"tcp:{silent}", level=4, services=page)
        for number in range(SERVERS)
    ]
    daemon = Daemon(LabConfig(free_port(), servers, [Customer("acme")]).write(tmp_path))
    yield daemon
    if daemon.is_running:
        daemon.kill()


def ends_quietly(daemon: Daemon) -> None:
    assert daemon.stop() < STOP_TIMEOUT
    said = daemon.output()
    assert "Traceback" not in said, said
    assert "ERROR" not in said, said


def verifying(pid: int) -> list[Path]:
    """Give the process in which a daemon verifies its journal, once that walks through it."""
    return [
        process
        for process in map(
            Path, (f"/proc/{each}" for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        )
        if b"monitor.store.reader_process" in (process / "cmdline").read_bytes()
    ]


def test_a_daemon_asked_to_stop_before_it_has_greeted_ends_quietly(tmp_path: Path, daemon: Daemon) -> None:
    daemon.start(wait=False)
    wait_for("it obeys signals, and opens its books", (tmp_path / "data" / database.DATABASE_FILE).exists)
    ends_quietly(daemon)


@pytest.mark.parametrize("seconds", [0, 0.02, 0.3, 1.2, 2.25])
def test_a_daemon_asked_to_stop_with_visits_under_way_ends_quietly(daemon: Daemon, seconds: float) -> None:
    daemon.start()
    time.sleep(seconds)  # the moment is what is tested
    ends_quietly(daemon)


def test_a_daemon_asked_to_stop_while_it_verifies_a_long_journal_ends_quietly(tmp_path: Path, daemon: Daemon) -> None:
    (tmp_path / "data").mkdir()
    db = database.open_read_write(tmp_path / "data" / database.DATABASE_FILE)
    since = SystemClock().now() - LONG
    with database.transaction(db):
        for number in range(LONG):
            journal.append(db, since + number, "daemon-started", {})
    db.close()
    LabConfig(free_port(), [], []).write(tmp_path)
    daemon.start()
    wait_for("it verifies", lambda: verifying(daemon.pid))
    (reader,) = verifying(daemon.pid)
    ends_quietly(daemon)
    assert not reader.exists()
