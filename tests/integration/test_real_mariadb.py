"""A MariaDB that blocks who hangs up on it: it never blocks loopback, so it runs in a network of its own."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.clock import SystemClock
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import Target
from monitor.probes.resources import open_resources
from tests.integration.lab_servers import running
from tests.integration.lab_servers_database import MARIADB, MAX_CONNECT_ERRORS
from tests.integration.postfix import network_namespace, run_in_namespace, skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.lab_servers import RunningServer, ServerFiles

WHY_NOT = MARIADB.skip_reason() or skip_reason()
pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can run")]

ADDRESS = "198.18.33.6"


def everywhere(grounds: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    """Let it listen to all of its own network, and know us by name: it counts the faults of whom it could look up."""
    hosts = grounds.folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{ADDRESS} monitor.lab.test\n")
    command = shlex.join(word.replace("127.0.0.1", "0.0.0.0") for word in MARIADB.command(grounds, ports))
    return ["unshare", "--mount", "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec {command}"]


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="server-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def hang_up(port: int) -> None:
    """Leave within the handshake, and wait until the server has seen it: it hangs up once it has counted the fault."""
    with socket.create_connection((ADDRESS, port), 10) as sock:
        assert sock.recv(4096)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass


async def visited(server: RunningServer, checks: int, hung_up: int) -> list[str]:
    """Look so often, hang up on it so often, and look once more; gives the reasons."""
    async with open_resources(SystemClock()) as tools:
        settings = CHECK_TYPES["mysql"].settings(port=server.ports["mysql"])
        probe = CHECK_TYPES["mysql"].build(settings, tools)
        seen = [(await probe.attempt(Target(ADDRESS), 20.0)).reason for _ in range(checks)]
        for _ in range(hung_up):
            hang_up(server.ports["mysql"])
        return [*seen, (await probe.attempt(Target(ADDRESS), 20.0)).reason]


def test_checks_do_not_get_the_monitor_blocked_and_a_blocked_host_is_reported(folder: Path) -> None:
    async def story() -> list[str]:
        with running(dataclasses.replace(MARIADB, command=everywhere), folder) as server:
            return await visited(server, 5 * MAX_CONNECT_ERRORS, MAX_CONNECT_ERRORS + 1)

    with network_namespace(ADDRESS) as namespace:
        assert run_in_namespace(namespace, story()) == [""] * 5 * MAX_CONNECT_ERRORS + ["host_blocked"]
