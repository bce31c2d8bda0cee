"""SIGHUP: servers come and go, faults change nothing, and what is known of those that stay is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from monitor.model import CheckKey, Outcome
from tests.integration.lab_config import INTERVAL, OPERATORS, Customer, LabConfig, Server
from tests.integration.lab_daemon import STOP_TIMEOUT, Daemon, free_port, get_page, metrics, wait_for
from tests.integration.lab_ledger import LedgerReader
from tests.integration.lab_listeners import PORT, Listeners, address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

SUCCESSFUL, SUCCESS_AT = (
    "monitor_config_last_reload_successful",
    "monitor_config_last_reload_success_timestamp_seconds",
)
_SERVER = re.compile(r'server="([^"]+)"')


def ping(name: str) -> CheckKey:
    return CheckKey(name, "ping")


@dataclass
class Scene:
    """A daemon on three servers: two of a customer, one of nobody."""

    folder: Path
    setting: LabConfig
    doors: Listeners
    daemon: Daemon
    books: LedgerReader

    def reload(self) -> None:
        """Write the configuration as it is meant now, and have it taken."""
        self.setting.write(self.folder)
        before = metrics(self.setting.port)[SUCCESS_AT]
        self.daemon.reload()
        wait_for("the configuration is taken", lambda: metrics(self.setting.port)[SUCCESS_AT] > before)
        assert metrics(self.setting.port)[SUCCESSFUL] == 1

    def shown(self) -> set[str]:
        """The servers that the metrics know of."""
        found = (_SERVER.search(series) for series in metrics(self.setting.port) if "server=" in series)
        return {match[1] for match in found if match}

    def remove(self, name: str) -> None:
        """Take a server out of what is meant."""
        self.setting.servers = [server for server in self.setting.servers if server.id != name]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    servers = [
        Server("one", address(1), "acme", reach=f"tcp:{PORT}"),
        Server("two", address(2), "acme", reach=f"tcp:{PORT}"),
        Server("three", address(3), reach=f"tcp:{PORT}"),
    ]
    setting = LabConfig(free_port(), servers, [Customer("acme")])
    config = setting.write(tmp_path)
    with Listeners(tuple(address(number) for number in range(1, 5))) as doors, Daemon(config) as daemon:
        books = LedgerReader(tmp_path / "data")
        wait_for("everything is up", lambda: books.all_checks_are(Outcome.OK, 3))
        yield Scene(tmp_path, setting, doors, daemon, books)
        assert daemon.stop() < STOP_TIMEOUT
        daemon.verify()


def test_a_server_that_comes_is_watched_and_one_that_leaves_is_gone_from_the_metrics(scene: Scene) -> None:
    assert scene.shown() == {"one", "two", "three"}
    scene.setting.servers.append(Server("four", address(4), "acme", reach=f"tcp:{PORT}"))
    scene.remove("three")
    scene.reload()
    wait_for("the new one is up", lambda: scene.books.last_outcomes().get(ping("four")) is Outcome.OK)
    wait_for("the metrics show it", lambda: 'probe_success{check="ping",server="four"}' in _plain(scene))
    assert scene.shown() == {"one", "two", "four"}
    last = scene.books.results(ping("three"))[-1].at
    wait_for("two sweeps have passed", lambda: scene.books.newest_result_at() > last + 3 * INTERVAL)
    assert scene.books.results(ping("three"))[-1].at == last, "a server that has left is probed no more"
    assert {each["id"] for each in scene.daemon.run_json("status")["servers"]} == {"one", "two", "four"}


def _plain(scene: Scene) -> set[str]:
    """The series with their labels in the order of the alphabet."""
    return {
        series.partition("{")[0] + "{" + ",".join(sorted(series.partition("{")[2].rstrip("}").split(","))) + "}"
        for series in metrics(scene.setting.port)
    }


def test_a_configuration_with_faults_leaves_the_running_one_in_force(scene: Scene) -> None:
    good = scene.setting.text()
    path = scene.folder / "config.toml"
    path.write_text(good.replace("level = 2", "level = 7"))
    scene.daemon.reload()
    wait_for("the refusal is shown", lambda: metrics(scene.setting.port)[SUCCESSFUL] == 0)
    assert "level = 7" in scene.daemon.output()
    ready = get_page(scene.setting.port, "/readyz")
    assert ready is not None
    assert ready.status == 200, "it does its duty, by the old configuration"
    assert "The last reload was refused" in _front(scene)
    newest = scene.books.newest_result_at()
    wait_for("the old ones are probed on", lambda: scene.books.newest_result_at() > newest + 2 * INTERVAL)
    assert set(scene.books.last_outcomes()) == {ping("one"), ping("two"), ping("three")}

    refused = metrics(scene.setting.port)[SUCCESS_AT]
    scene.daemon.reload()
    wait_for("it is refused again", lambda: scene.daemon.output().count("reload: refused") == 2)
    wait_for("the operators are told", scene.books.mails)
    [mail] = scene.books.mails()
    assert (mail.body, mail.recipients, "level = 7" in mail.text) == ({"news": "reload"}, (OPERATORS,), True)
    assert metrics(scene.setting.port)[SUCCESS_AT] == refused

    scene.reload()
    assert "The last reload was refused" not in _front(scene)


def _front(scene: Scene) -> str:
    """The operators' page."""
    answer = get_page(scene.setting.port, "/")
    assert answer is not None
    assert answer.status == 200
    return answer.text


def test_an_outage_stays_open_over_a_reload_and_is_told_once(scene: Scene) -> None:
    scene.doors.close(address(1))
    wait_for("the fall is in the books", scene.books.outages)
    wait_for("it is told", lambda: scene.books.mailed_news() and not scene.books.pending_mails())
    for name in ("two", "three"):
        scene.remove(name)
        scene.reload()
    scene.setting.servers.append(Server("four", address(4), "acme", reach=f"tcp:{PORT}"))
    scene.reload()
    wait_for("the new one is up", lambda: scene.books.last_outcomes().get(ping("four")) is Outcome.OK)
    newest = scene.books.newest_result_at()
    wait_for("some sweeps have passed", lambda: scene.books.newest_result_at() > newest + 3 * INTERVAL)
    [outage] = scene.books.outages()
    assert (outage.check, outage.end) == (ping("one"), None)
    assert outage.last_fail > newest
    assert [told.notice for told in scene.books.mailed_news()] == ["down"]

    scene.doors.open(address(1))
    wait_for("the end is told", lambda: [told.notice for told in scene.books.mailed_news()] == ["down", "up"])
    wait_for("it has left", lambda: not scene.books.pending_mails())
    down, up = scene.books.mails()
    assert up.refers == (down.message_id,)
    [outage] = scene.books.outages()
    assert outage.end is not None


def test_slots_are_kept_over_a_reload(scene: Scene) -> None:
    """Reload after reload neither stops nor doubles the probes of those that stay."""
    began = scene.books.newest_result_at()
    for _ in range(10):
        scene.reload()
    wait_for("some sweeps have passed", lambda: scene.books.newest_result_at() > began + 5 * INTERVAL)
    for name in ("one", "two", "three"):
        times = [each.at for each in scene.books.results(ping(name))]
        distances = [later - earlier for earlier, later in pairwise(times)]
        assert all(abs(distance - INTERVAL) < INTERVAL / 2 for distance in distances), distances


def test_the_data_folder_and_the_port_cannot_move_under_a_running_daemon(scene: Scene) -> None:
    port = scene.setting.port
    scene.setting.port = free_port()
    scene.setting.write(scene.folder)
    scene.daemon.reload()
    wait_for("the refusal is shown", lambda: metrics(port)[SUCCESSFUL] == 0)
    assert "restart it" in scene.daemon.output()
    scene.setting.port = port
    scene.reload()


def test_a_password_file_that_others_can_open_is_told_at_the_start_and_at_a_reload(tmp_path: Path) -> None:
    login = {"type": '"redis"', "user": '"default"', "password_file": '"login"'}
    setting = LabConfig(free_port(), [Server("one", "127.0.0.1", level=4, services={"cache": login})])
    (tmp_path / "login").write_text("gizli 42")
    (tmp_path / "login").chmod(0o644)
    with Daemon(setting.write(tmp_path)) as daemon:
        told = "password_file {} of one/cache can be read by others".format(tmp_path / "login")
        assert daemon.output().count(told) == 1
        daemon.reload()
        wait_for("the reload is told", lambda: "INFO reload" in daemon.output())
        assert daemon.output().count(told) == 2
        assert "gizli" not in daemon.output()


def test_a_reload_that_removes_most_servers_is_held_until_it_is_accepted(scene: Scene) -> None:
    kept = scene.setting.servers[:1]
    scene.setting.servers += [Server(f"more-{number}", address(0)) for number in range(4)]
    scene.reload()
    everything, scene.setting.servers = scene.setting.servers, kept
    scene.setting.write(scene.folder)
    scene.daemon.reload()
    wait_for("the reload is held", lambda: metrics(scene.setting.port)[SUCCESSFUL] == 0)
    assert "held, since it removes 6 of 7 servers" in scene.daemon.output()
    assert scene.shown() >= {server.id for server in everything}
    warned = scene.daemon.run_json("check-config")["warnings"]
    assert any("6 of 7 servers" in warning for warning in warned)
    scene.daemon.run_json("check-config", "--accept-removals")
    wait_for("the daemon reloads by itself", lambda: metrics(scene.setting.port)[SUCCESSFUL] == 1)
    assert scene.shown() == {server.id for server in kept}
    scene.setting.servers = everything
    scene.reload()
    scene.setting.servers = kept
    scene.setting.write(scene.folder)
    scene.daemon.reload()
    wait_for("the reload is held again", lambda: metrics(scene.setting.port)[SUCCESSFUL] == 0)
    scene.daemon.reload()
    wait_for("a second reload confirms it", lambda: metrics(scene.setting.port)[SUCCESSFUL] == 1)
    scene.setting.servers = everything
    scene.reload()
    scene.daemon.stop()
    scene.setting.servers = kept
    scene.setting.write(scene.folder)
    scene.daemon.start()
    assert "since the last start the configuration has lost 6 of 7 servers" in scene.daemon.output()
