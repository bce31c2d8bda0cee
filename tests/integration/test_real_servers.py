"""Every check type against the servers that customers run, in every state of ``labmatrix``."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import Target
from monitor.probes.resources import open_resources
from tests.fakes import cert_expiry
from tests.integration.lab_certificates import DEFECTS, VALID
from tests.integration.lab_expected_reasons import NOT_POSSIBLE, expected_reasons
from tests.integration.lab_servers import WAIT_TIMEOUT, RunningServer, running
from tests.integration.lab_servers_all import SERVER_KINDS
from tests.integration.lab_servers_file import fingerprint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from monitor.probes.probe import Attempt
    from monitor.probes.resources import ProbeResources
    from tests.integration.lab_servers import Check

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("real servers")]

DOCUMENT = Path(__file__).parents[2] / "docs" / "checks.md"
MATRIX = expected_reasons()
STATES = ("up", "stopped", "frozen", "refusing", *DEFECTS)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            kind,
            id=kind.name,
            marks=pytest.mark.skipif(bool(kind.skip_reason()), reason=kind.skip_reason() or "can run"),
        )
        for kind in SERVER_KINDS
    ],
)
def started(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    # not in pytest's folder, which root keeps to itself: servers give up root
    folder = Path(tempfile.mkdtemp(prefix="server-"))
    try:
        with running(request.param, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(started: RunningServer) -> RunningServer:
    started.use_certificate(VALID)
    return started


@pytest.fixture
async def tools() -> AsyncIterator[ProbeResources]:
    async with open_resources(SystemClock()) as opened:
        yield opened


async def look(
    tools: ProbeResources,
    server: RunningServer,
    check: Check,
    timeout: float = 20.0,  # noqa: ASYNC109 - the attempt reports its timeout
    **more: Any,
) -> Attempt:
    kind, role, keys = check
    files = {"CA": server.files.ca, "PASSWORD": server.files.password}
    given = {key: files.get(each, each) if isinstance(each, str) else each for key, each in keys.items()} | more
    port = server.ports[role]
    given |= {"url": f"{kind}://127.0.0.1:{port}/"} if CHECK_TYPES[kind].needs_url else {"port": port}
    probe = CHECK_TYPES[kind].build(CHECK_TYPES[kind].settings(**given), tools)
    return await probe.attempt(Target("127.0.0.1"), timeout)


async def up(tools: ProbeResources, server: RunningServer) -> set[str]:
    seen = [await look(tools, server, check) for check in server.kind.checks]
    secured = [cert_expiry(attempt) is not None for attempt in seen]
    assert secured == ["ca_file" in keys for _, _, keys in server.kind.checks]
    return {attempt.reason for attempt in seen}


async def stopped(tools: ProbeResources, server: RunningServer) -> set[str]:
    server.stop()
    try:
        return {(await look(tools, server, check)).reason for check in server.kind.checks}
    finally:
        server.start()


async def frozen(tools: ProbeResources, server: RunningServer) -> set[str]:
    with server.frozen():
        seen = await asyncio.gather(*(look(tools, server, check, 0.5) for check in server.kind.checks))
    assert (await look(tools, server, server.kind.checks[0])).outcome is Outcome.OK
    return {attempt.reason for attempt in seen}


async def refusing(tools: ProbeResources, server: RunningServer) -> set[str]:
    refusal = server.kind.refusal
    check = refusal.check or server.kind.checks[0]
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:

        def call() -> None:
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.ports[check[1]]), WAIT_TIMEOUT))
            with contextlib.suppress(ConnectionError):  # the last of them are refused
                sock.sendall(refusal.sends)

        for _ in range(refusal.connections):
            call()
        until = loop.time() + WAIT_TIMEOUT
        # a caller counts from when the server has come to it; one that was refused, because an earlier guest still
        # counted, holds no place: another takes it
        while (seen := await look(tools, server, check)).outcome is Outcome.OK and loop.time() < until:
            if refusal.connections:
                call()
    return {seen.reason}


async def presenting(tools: ProbeResources, server: RunningServer, how: str) -> set[str]:
    server.use_certificate(how)
    secured = [check for check in server.kind.checks if "ca_file" in check[2]]
    assert secured
    unverified = [await look(tools, server, check, verify_certificate=False) for check in secured]
    assert [each.outcome for each in unverified] == [Outcome.OK] * len(secured), server.log()
    return {(await look(tools, server, check)).reason for check in secured}


@pytest.mark.parametrize("state", STATES)
async def test_every_server_is_seen_in_every_state_for_what_it_is(
    started: RunningServer, tools: ProbeResources, state: str
) -> None:
    server = started
    expected = MATRIX[server.kind.name][state]
    if expected == NOT_POSSIBLE:
        assert not [keys for _, _, keys in server.kind.checks if "ca_file" in keys]
        return
    if state not in DEFECTS:
        server.use_certificate(VALID)
    in_state = {"up": up, "stopped": stopped, "frozen": frozen, "refusing": refusing}.get(state)
    seen = await (in_state(tools, server) if in_state else presenting(tools, server, state))
    assert seen == ({""} if expected == "ok" else {expected}), server.log()


def test_the_matrix_has_every_server_and_every_state() -> None:
    assert list(MATRIX) == [kind.name for kind in SERVER_KINDS]
    assert {tuple(states) for states in MATRIX.values()} == {STATES}


def test_the_documents_show_the_matrix() -> None:
    shown = {"ok": "ok", NOT_POSSIBLE: "–"}
    text = DOCUMENT.read_text()
    for name, cells in MATRIX.items():
        assert f"| {' | '.join([name, *(shown.get(cell, f'`{cell}`') for cell in cells.values())])} |" in text


async def test_a_wrong_password_is_a_failure_of_the_login(server: RunningServer, tools: ProbeResources) -> None:
    right = server.files.password.read_text()
    try:
        server.files.password.write_text("wrong")
        for check in server.kind.checks:
            if "user" in check[2]:
                seen = await look(tools, server, check)
                assert (seen.outcome, seen.reason.partition(":")[0]) == (Outcome.FAIL, "login"), (check, seen.steps)
    finally:
        server.files.password.write_text(right)


async def test_a_mail_server_that_serves_nobody_from_here_says_so(server: RunningServer, tools: ProbeResources) -> None:
    if server.kind.name == "postfix":
        assert (await look(tools, server, ("smtp", "closed", {}))).reason == "status: 554"


async def test_the_host_key_is_the_one_that_is_pinned(server: RunningServer, tools: ProbeResources) -> None:
    if server.kind.name != "openssh":
        return
    for kind in ("ed25519", "ecdsa", "rsa"):
        right = fingerprint(server.files.folder, kind)
        seen = await look(tools, server, ("ssh", "ssh", {"key_type": kind, "fingerprints": (right,)}))
        assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps
    wrong = await look(tools, server, ("ssh", "ssh", {"key_type": "ed25519", "fingerprints": (right,)}))
    assert (wrong.outcome, wrong.reason) == (Outcome.FAIL, "host_key")
