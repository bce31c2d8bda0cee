"""Databases by configuration: what a refused caller is told, by which methods one logs in, what the log says."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import Target
from monitor.probes.resources import open_resources
from tests.integration.lab_daemon import free_port
from tests.integration.lab_servers import PASSWORD, WAIT_TIMEOUT, find_program, program_path, running
from tests.integration.lab_servers_database import DATA, MARIADB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.probes.probe import Attempt
    from tests.integration.lab_servers import RunningServer, ServerFiles

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("real servers")]

POSTGRESQL = next(kind for kind in DATA if kind.name == "postgresql")


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [name for name in programs if find_program(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="server-"))
    made.chmod(0o755)  # servers give up root
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def look(kind: str, port: int, **keys: Any) -> Attempt:
    async with open_resources(SystemClock()) as tools:
        probe = CHECK_TYPES[kind].build(CHECK_TYPES[kind].settings(port=port, **keys), tools)
        return await probe.attempt(Target("127.0.0.1"), 20.0)


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgresql(folder: Path) -> Iterator[RunningServer]:
    def with_logins(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
        command = POSTGRESQL.command(files, ports)
        lines = [f"host all {method} 127.0.0.1/32 {rule}" for method, rule in METHODS.items()]
        (files.folder / "pg" / "pg_hba.conf").write_text("\n".join((*lines, "host all all 127.0.0.1/32 trust", "")))
        return [*command, "--password_encryption=md5", "--log_connections=off"]

    (folder / "postgresql").mkdir()
    with running(dataclasses.replace(POSTGRESQL, command=with_logins), folder / "postgresql") as server:
        yield server


METHODS = {"by_password": "password", "by_md5": "md5", "by_scram": "scram-sha-256", "rejected": "reject"}


@needs("postgres")
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("user", ["postgres", "by_password", "by_md5", "by_scram"])
def test_a_check_leaves_nothing_in_the_log_of_a_postgresql(postgresql: RunningServer, user: str, *, tls: bool) -> None:
    before = len(log_of(postgresql).splitlines())
    seen = asyncio.run(
        look("postgresql", postgresql.ports["postgresql"], user=user, starttls=tls, verify_certificate=False)
    )
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps
    assert asyncio.run(look("postgresql", postgresql.ports["postgresql"], user="rejected")).outcome is Outcome.OK
    until = time.monotonic() + WAIT_TIMEOUT
    while "pg_hba.conf rejects" not in "".join(log_of(postgresql).splitlines()[before:]):  # it has logged all before
        assert time.monotonic() < until
        time.sleep(0.02)
    assert [line for line in log_of(postgresql).splitlines()[before:] if '"rejected"' not in line] == []


def log_of(server: RunningServer) -> str:
    return (server.files.folder / f"{server.kind.name}.log").read_text(errors="replace")


@needs("postgres", "pgbouncer")
def test_a_pgbouncer_is_judged_by_its_words(postgresql: RunningServer, folder: Path) -> None:
    port = free_port()
    config = folder / "pgbouncer.ini"
    (folder / "users").write_text(f'"by_md5" "{PASSWORD}"\n')
    config.write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={postgresql.ports['postgresql']} user=by_md5\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = md5\n"
        f"auth_file = {folder}/users\nmax_client_conn = 2\n"
    )
    started = subprocess.Popen([program_path("pgbouncer"), "-u", "nobody", config], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + WAIT_TIMEOUT
        while asyncio.run(look("postgresql", port)).reason == "refused":
            assert time.monotonic() < until
        for database in ("postgres", "none"):
            seen = asyncio.run(look("postgresql", port, database=database))
            assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps
        startup = b"\0\0\0\x15\0\3\0\0user\0by_md5\0\0"
        with (
            socket.create_connection(("127.0.0.1", port)) as one,
            socket.create_connection(("127.0.0.1", port)) as two,
        ):
            for sock in (one, two):
                sock.sendall(startup)
                sock.recv(100)
            seen = asyncio.run(look("postgresql", port))
        assert (seen.outcome, seen.reason) == (Outcome.FAIL, "too_many_connections"), seen.steps
    finally:
        started.terminate()
        started.wait(WAIT_TIMEOUT)


# --- MariaDB ----------------------------------------------------------------------------------------------------------

ACCOUNTS = {
    "ed": f"VIA ed25519 USING PASSWORD('{PASSWORD}')",
    "pam": "VIA pam",
    "locked": f"BY '{PASSWORD}' ACCOUNT LOCK",
    "expired": f"BY '{PASSWORD}' PASSWORD EXPIRE",
    "tls": f"BY '{PASSWORD}' REQUIRE SSL",
}


@pytest.fixture(scope="module")
def mariadb(folder: Path) -> Iterator[RunningServer]:
    def with_accounts(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
        command = MARIADB.command(files, ports)
        with (files.folder / "first.sql").open("a") as opened:
            for user, how in ACCOUNTS.items():
                opened.write(f"CREATE OR REPLACE USER '{user}'@'%' IDENTIFIED {how};\n")
            opened.write("CREATE OR REPLACE USER 'sla-monitor'@'%' IDENTIFIED VIA pam;\n")
        return [
            *command,
            "--plugin-load-add=auth_ed25519",
            "--plugin-load-add=auth_pam",
            "--disconnect-on-expired-password=ON",
        ]

    (folder / "mariadb").mkdir()
    with running(dataclasses.replace(MARIADB, command=with_accounts), folder / "mariadb") as server:
        yield server


@needs("mariadbd")
@pytest.mark.parametrize(
    ("user", "password", "outcome", "reason"),
    [
        ("ed", PASSWORD, Outcome.OK, ""),
        ("ed", "wrong", Outcome.FAIL, "login"),
        ("pam", PASSWORD, Outcome.UNKNOWN, "login method not known"),
        ("locked", PASSWORD, Outcome.FAIL, "login"),
        ("expired", PASSWORD, Outcome.FAIL, "login"),
        ("tls", PASSWORD, Outcome.FAIL, "login"),
    ],
)
def test_a_login_to_a_mariadb_is_judged_by_the_account(
    mariadb: RunningServer, tmp_path: Path, user: str, password: str, outcome: Outcome, reason: str
) -> None:
    (tmp_path / "password").write_text(password)
    seen = asyncio.run(look("mysql", mariadb.ports["mysql"], user=user, password_file=tmp_path / "password"))
    assert (seen.outcome, seen.reason) == (outcome, reason), seen.steps


@needs("mariadbd")
def test_a_mariadb_that_asks_a_stranger_by_pam_is_ok(mariadb: RunningServer) -> None:
    for _ in range(2 * 3):
        seen = asyncio.run(look("mysql", mariadb.ports["mysql"]))
        assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps
    assert any("dialog" in step.text for step in seen.steps)
