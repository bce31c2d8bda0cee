"""Every check type against the servers that customers run: up, frozen, with a certificate for another name, stopped."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.instruments import open_instruments
from monitor.probes.probe import Target
from monitor.probes.table import CHECK_TYPES
from tests.integration.labkinds import KINDS, fingerprint
from tests.integration.labservers import NAME, Running, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from monitor.probes.instruments import Instruments
    from monitor.probes.probe import Attempt

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("real servers")]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            kind, id=kind.name, marks=pytest.mark.skipif(bool(kind.why_not()), reason=kind.why_not() or "can run")
        )
        for kind in KINDS
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    # not in pytest's folder, which root keeps to itself: servers give up root
    folder = Path(tempfile.mkdtemp(prefix="server-"))
    try:
        with running(request.param, folder) as started:
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def tools() -> AsyncIterator[Instruments]:
    async with open_instruments(SystemClock()) as opened:
        yield opened


async def look(
    tools: Instruments,
    server: Running,
    kind: str,
    role: str,
    keys: Mapping[str, Any],
    timeout: float = 20.0,  # noqa: ASYNC109
) -> Attempt:
    files = {"CA": server.grounds.ca, "PASSWORD": server.grounds.password}
    given = {key: files.get(value, value) if isinstance(value, str) else value for key, value in keys.items()}
    port = server.ports[role]
    given |= {"url": f"{kind}://127.0.0.1:{port}/"} if CHECK_TYPES[kind].needs_url else {"port": port}
    probe = CHECK_TYPES[kind].build(CHECK_TYPES[kind].settings(**given), tools)
    return await probe.attempt(Target("127.0.0.1"), timeout)


async def test_a_server_that_works_passes_all_its_checks(server: Running, tools: Instruments) -> None:
    for kind, role, keys in server.kind.checks:
        seen = await look(tools, server, kind, role, keys)
        assert (seen.outcome, seen.reason) == (Outcome.OK, ""), (kind, keys, seen.steps, server.log())
        if "ca_file" in keys:
            assert seen.cert_expiry is not None


async def test_a_certificate_for_another_name_is_a_failure_unless_it_is_not_looked_at(
    server: Running, tools: Instruments
) -> None:
    for kind, role, keys in server.kind.checks:
        if "ca_file" in keys and kind != "https":
            seen = await look(tools, server, kind, role, {**keys, "server_name": "other.lab.test"})
            assert (seen.outcome, seen.reason) == (Outcome.FAIL, "tls_name"), (kind, seen.steps)
            unseen = await look(
                tools, server, kind, role, {**keys, "server_name": "o.test", "verify_certificate": False}
            )
            assert unseen.outcome is Outcome.OK, (kind, unseen.steps)


async def test_a_frozen_server_is_a_timeout_and_works_when_it_thaws(server: Running, tools: Instruments) -> None:
    with server.frozen():
        for kind, role, keys in server.kind.checks:
            seen = await look(tools, server, kind, role, keys, 0.5)
            assert (seen.outcome, seen.reason) == (Outcome.FAIL, "timeout"), (kind, seen.steps)
    kind, role, keys = server.kind.checks[0]
    assert (await look(tools, server, kind, role, keys)).outcome is Outcome.OK


async def test_a_wrong_password_is_a_failure_of_the_login(server: Running, tools: Instruments) -> None:
    right = server.grounds.password.read_text()
    try:
        server.grounds.password.write_text("wrong")
        for kind, role, keys in server.kind.checks:
            if "user" in keys:
                seen = await look(tools, server, kind, role, keys)
                assert (seen.outcome, seen.reason.partition(":")[0]) == (Outcome.FAIL, "login"), (kind, seen.steps)
    finally:
        server.grounds.password.write_text(right)


async def test_a_server_that_is_full_refuses_in_its_own_words(server: Running, tools: Instruments) -> None:
    if server.kind.full is None:
        return
    callers, says, reason = server.kind.full
    kind, role, keys = server.kind.checks[0]
    with contextlib.ExitStack() as stack:
        for _ in range(callers):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.ports[role]), 10))
            sock.sendall(says)
            if says or kind != "redis":
                with contextlib.suppress(ConnectionError):
                    sock.recv(100)  # until it was let in, or not
        seen = await look(tools, server, kind, role, keys)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, reason), seen.steps


async def test_the_host_key_is_the_one_that_is_pinned(server: Running, tools: Instruments) -> None:
    if server.kind.name != "openssh":
        return
    for kind in ("ed25519", "ecdsa", "rsa"):
        right = fingerprint(server.grounds.folder, kind)
        seen = await look(tools, server, "ssh", "ssh", {"key_type": kind, "fingerprints": (right,)})
        assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps
    wrong = await look(tools, server, "ssh", "ssh", {"key_type": "ed25519", "fingerprints": (right,)})
    assert (wrong.outcome, wrong.reason) == (Outcome.FAIL, "host_key")


async def test_an_expired_certificate_is_a_failure_where_it_is_verified(server: Running, tools: Instruments) -> None:
    if "expired" not in server.ports:
        return
    keys = {"ca_file": "CA", "server_name": NAME}
    assert (await look(tools, server, "tls", "expired", keys)).reason == "tls_expired"
    unverified = await look(tools, server, "tls", "expired", {**keys, "verify_certificate": False})
    assert unverified.outcome is Outcome.OK
    assert unverified.cert_expiry is not None


async def test_a_stopped_server_refuses(server: Running, tools: Instruments) -> None:
    server.stop()
    try:
        for kind, role, keys in server.kind.checks:
            seen = await look(tools, server, kind, role, keys)
            assert (seen.outcome, seen.reason) == (Outcome.FAIL, "refused"), (kind, seen.steps)
    finally:
        server.start()
