"""Servers that misbehave, against every check type and at every stage: each fails its own check only."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from monitor.daemon import THREAD_SWITCH_INTERVAL
from monitor.model import Outcome, Reason
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import Attempt, CallbackProbe, Probe, Target
from tests.probes.misbehaving_server import Action, MisbehavingServer, Stage
from tests.probes.misbehaviour import EVERYWHERE, IN_A_HANDSHAKE, IN_A_PAGE, OVER_TLS
from tests.probes.nameserver import UDP_MISBEHAVIOUR, UdpNameServer, tcp_listener_with_truncating_udp
from tests.probes.protocol_stages import BEFORE, STAGES
from tests.probes.scripted_server import closed_port, full_backlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from monitor.probes.resources import ProbeResources

TIMEOUTS = (0.3, 1.0, 3.0, 10.0)
"""Seconds that an attempt may take: more where a busy machine did not reach the stage in the time before."""
SAFETY_NET = 60.0
"""Seconds after which an attempt is taken to have outlived its deadline; far more than a busy machine needs."""
TICK = 0.02
NEIGHBOUR = "the neighbour"
MOST_MEMORY = 32 * 1024 * 1024
"""Bytes that all who misbehave at one stage may cost together; each of a dozen floods would pour out more alone."""


@dataclass(frozen=True)
class Files:
    tls: ssl.SSLContext
    ca: Path
    password: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("files")
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").configure_cert(context)
    (folder / "password").write_text("gizli")
    return Files(context, folder / "ca.pem", folder / "password")


@pytest.fixture(autouse=True)
def threads_that_give_way() -> Iterator[None]:
    """Let the servers' threads give the interpreter away as soon as the daemon's do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(THREAD_SWITCH_INTERVAL)
    yield
    sys.setswitchinterval(before)


class Neighbour:
    """A check of a server that works, in a slot of its own every so often, while others misbehave."""

    def __init__(self, tools: ProbeResources, port: int, timeout: float) -> None:
        self._probe = CHECK_TYPES["tcp"].build(CHECK_TYPES["tcp"].settings(port=port), tools)
        self._timeout = timeout
        self._over = asyncio.Event()
        self.seen: list[Attempt] = []

    async def keep_on(self) -> None:
        async with asyncio.TaskGroup() as group:
            while not self._over.is_set():
                await asyncio.sleep(TICK)
                group.create_task(self._look())

    async def _look(self) -> None:
        self.seen.append(await self._probe.attempt(Target("127.0.0.1"), self._timeout))

    def end(self) -> None:
        self._over.set()


def servers(
    stack: contextlib.ExitStack, tls: ssl.SSLContext, kind: str, stage: Stage
) -> dict[str, MisbehavingServer | UdpNameServer]:
    """Start one for each behaviour, for as long as the stack lasts."""
    if kind == "dns" and stage.name == BEFORE:
        return {name: stack.enter_context(UdpNameServer(answer)) for name, answer in UDP_MISBEHAVIOUR.items()}
    more = OVER_TLS if Action.TLS in stage.steps else IN_A_HANDSHAKE if Action.HALF_HANDSHAKE in stage.steps else {}
    asked = kind in ("http", "https") and stage.steps[-1:] == (Action.RECEIVE,)
    behaviours = EVERYWHERE | more | (IN_A_PAGE if asked else {})
    return {
        name: stack.enter_context(
            MisbehavingServer(stage, behave, tls, tcp_listener_with_truncating_udp(stack) if kind == "dns" else None)
        )
        for name, behave in behaviours.items()
    }


def built(tools: ProbeResources, files: Files, kind: str, stage: Stage, port: int) -> Probe:
    stand_ins = {"CA": files.ca, "PASSWORD": files.password}
    keys = {key: stand_ins.get(each, each) if isinstance(each, str) else each for key, each in stage.keys.items()}
    check_type = CHECK_TYPES[kind]
    return check_type.build(check_type.settings(**keys, **where(kind, port)), tools)


def where(kind: str, port: int) -> dict[str, Any]:
    return {"url": f"{kind}://127.0.0.1:{port}/"} if CHECK_TYPES[kind].needs_url else {"port": port}


async def begun(probe: Probe, timeout: float) -> Attempt:  # noqa: ASYNC109 - see Probe
    """Make the attempt without a task."""
    told: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()
    assert isinstance(probe, CallbackProbe)
    assert probe.start(Target("127.0.0.1"), timeout, told.set_result)
    return await told


def fault(stage: Stage, name: str, server: MisbehavingServer | UdpNameServer, seen: Attempt) -> str:
    """Say what is wrong with how the attempt ended; empty where nothing is."""
    word = seen.reason.partition(":")[0]
    hung_up = "up" in name.split() or "resets" in name or name == "half-closes"
    if not server.reached:
        return f"the stage was not reached: {seen.reason}"
    if seen.outcome is Outcome.OK and stage.complete and hung_up:
        return ""
    return "" if seen.outcome is Outcome.FAIL and word in set(Reason) else f"{seen.outcome}: {seen.reason}"


def roads(probe: Probe, timeout: float) -> dict[str, Callable[[], Any]]:
    """Give the ways to make an attempt: by a task, and by callbacks where there is such a way."""
    by_task = {"": lambda: probe.attempt(Target("127.0.0.1"), timeout)}
    swift = {" (by callbacks)": lambda: begun(probe, timeout)} if type(probe).__name__ == "HttpProbe" else {}
    return by_task | swift


@contextlib.contextmanager
def neighbouring_server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield listener.getsockname()[1]


async def all_at_once(
    tools: ProbeResources,
    files: Files,
    kind: str,
    stage: Stage,
    timeout: float,  # noqa: ASYNC109 - see Probe
    only: set[str],
) -> tuple[Neighbour, dict[str, str]]:
    """Run every behaviour, or those named, at once beside a neighbour; return what was wrong."""
    with contextlib.ExitStack() as stack:
        neighbour = Neighbour(tools, stack.enter_context(neighbouring_server()), timeout)
        cases = []
        for name, server in servers(stack, files.tls, kind, stage).items():
            for road, attempt in roads(built(tools, files, kind, stage, server.port), timeout).items():
                if not only or name + road in only:
                    cases.append((name, road, server, attempt))
        ticking = asyncio.create_task(neighbour.keep_on())
        async with asyncio.timeout(SAFETY_NET):
            ended = await asyncio.gather(*(attempt() for _, _, _, attempt in cases))
        neighbour.end()
        await ticking
    wrong = {}
    for (name, road, server, _), seen in zip(cases, ended, strict=True):
        wrong[name + road] = fault(stage, name, server, seen)
    wrong[NEIGHBOUR] = ", ".join({each.reason for each in neighbour.seen if each.outcome is not Outcome.OK})
    return neighbour, {name: what for name, what in wrong.items() if what}


@pytest.mark.parametrize(
    ("kind", "stage"),
    [pytest.param(kind, each, id=f"{kind} {each.name}") for kind, known in STAGES.items() for each in known],
)
async def test_a_misbehaving_server_fails_its_own_check_and_no_other(
    instruments: ProbeResources, files: Files, kind: str, stage: Stage
) -> None:
    wrong: dict[str, str] = {}
    for timeout in TIMEOUTS:
        again = set() if NEIGHBOUR in wrong else set(wrong)
        tracemalloc.start()
        neighbour, wrong = await all_at_once(instruments, files, kind, stage, timeout, again)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert neighbour.seen
        assert peak < MOST_MEMORY
        if not wrong:
            return
    assert wrong == {}


def test_every_check_type_has_its_stages() -> None:
    assert set(STAGES) == set(CHECK_TYPES) - {"icmp", "ntp"}


@pytest.mark.parametrize("kind", [kind for kind in STAGES if kind != "dns"])
async def test_a_server_that_takes_no_connection_costs_a_failure(
    instruments: ProbeResources, files: Files, kind: str
) -> None:
    for given, reason in ((full_backlog, "timeout"), (closed_port, "refused")):
        with given() as port:
            probe = built(instruments, files, kind, STAGES[kind][0], port)
            for attempt in roads(probe, TIMEOUTS[0]).values():
                seen = await attempt()
                assert (seen.outcome, seen.reason) == (Outcome.FAIL, reason)
