"""The notifier against a real datagram socket, as the service manager holds one."""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.engine.systemd import SystemdNotifier

if TYPE_CHECKING:
    from collections.abc import Iterator


class Manager:
    """The manager's end: a bound datagram socket, and the environment that it would give to the daemon."""

    def __init__(self, address: str, shown: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(5)
        self.environ = {"NOTIFY_SOCKET": shown}

    def heard(self) -> list[str]:
        return self.socket.recv(4096).decode().split("\n")

    def heard_nothing(self) -> bool:
        self.socket.settimeout(0)
        try:
            self.socket.recv(4096)
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    path = str(tmp_path / "notify")
    manager = Manager(path, path)
    with closing(manager.socket):
        yield manager


def test_ready_carries_its_status_in_one_message(manager: Manager) -> None:
    with closing(SystemdNotifier(manager.environ)) as notifier:
        notifier.ready("watching 3 servers")
    assert manager.heard() == ["READY=1", "STATUS=watching 3 servers"]


def test_ready_without_a_status_leaves_the_old_one(manager: Manager) -> None:
    with closing(SystemdNotifier(manager.environ)) as notifier:
        notifier.ready()
    assert manager.heard() == ["READY=1"]


def test_a_status_is_one_line_and_cannot_smuggle_in_another_key(manager: Manager) -> None:
    with closing(SystemdNotifier(manager.environ)) as notifier:
        notifier.status("first\nSTOPPING=1")
    assert manager.heard() == ["STATUS=first STOPPING=1"]


def test_a_reload_says_when_it_began_on_the_managers_clock(manager: Manager) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    with closing(SystemdNotifier(manager.environ)) as notifier:
        notifier.reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    state, stamp = manager.heard()
    assert state == "RELOADING=1"
    key, _, micros = stamp.partition("=")
    assert key == "MONOTONIC_USEC"
    assert before <= int(micros) <= after


def test_pings_and_the_stop_are_told(manager: Manager) -> None:
    with closing(SystemdNotifier(manager.environ)) as notifier:
        notifier.watchdog()
        notifier.stopping()
    assert manager.heard() == ["WATCHDOG=1"]
    assert manager.heard() == ["STOPPING=1"]


def test_a_socket_in_the_abstract_namespace_is_found() -> None:
    name = f"sla-monitor-test-{os.getpid()}-{time.monotonic_ns()}"
    manager = Manager(f"\0{name}", f"@{name}")
    with closing(manager.socket), closing(SystemdNotifier(manager.environ)) as notifier:
        notifier.ready()
        assert manager.heard() == ["READY=1"]


@pytest.mark.parametrize("name", ["", "@", "relative/path", "vsock:2:1234"])
def test_without_an_address_of_ours_nothing_is_told(name: str) -> None:
    notifier = SystemdNotifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"})
    assert not notifier.enabled
    assert notifier.watchdog_interval() is None
    notifier.ready("nobody listens")


def test_a_manager_that_is_gone_does_not_harm_the_daemon_and_is_named_once(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(SystemdNotifier(manager.environ)) as notifier:
        Path(manager.environ["NOTIFY_SOCKET"]).unlink()
        notifier.ready()
        notifier.watchdog()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the service manager did not take READY"
    ]


def test_a_manager_that_does_not_read_holds_up_no_ping(manager: Manager) -> None:
    with closing(SystemdNotifier(manager.environ)) as notifier:
        for _ in range(5000):  # far more than the kernel queues: blocking here would hang the test
            notifier.watchdog()
    assert manager.heard() == ["WATCHDOG=1"]


def test_after_a_restart_of_the_manager_the_same_notifier_is_heard_again(manager: Manager, tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with closing(SystemdNotifier(manager.environ)) as notifier:
        manager.socket.close()
        path.unlink()
        again = Manager(str(path), str(path))
        with closing(again.socket):
            notifier.watchdog()
            assert again.heard() == ["WATCHDOG=1"]


def test_a_closed_notifier_is_silent(manager: Manager) -> None:
    notifier = SystemdNotifier(manager.environ)
    notifier.close()
    notifier.close()
    notifier.ready()
    assert manager.heard_nothing()


def test_the_socket_is_not_inherited_by_children(manager: Manager) -> None:
    with closing(SystemdNotifier(manager.environ)) as notifier:
        assert notifier._socket is not None
        assert not notifier._socket.get_inheritable()


def test_three_pings_fit_into_what_the_watchdog_allows(manager: Manager) -> None:
    with closing(SystemdNotifier({**manager.environ, "WATCHDOG_USEC": "30000000"})) as notifier:
        assert notifier.watchdog_interval() == 10
    with closing(
        SystemdNotifier({**manager.environ, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())})
    ) as notifier:
        assert notifier.watchdog_interval() == 10


@pytest.mark.parametrize(
    "given",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}],
)
def test_nobody_pings_a_watchdog_that_does_not_watch_this_process(manager: Manager, given: dict[str, str]) -> None:
    with closing(SystemdNotifier({**manager.environ, **given})) as notifier:
        assert notifier.watchdog_interval() is None
