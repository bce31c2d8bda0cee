"""The daemon as a process of its own, as a service manager runs it, and the command line beside it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

T = TypeVar("T")

WAIT_TIMEOUT = 60.0
"""Seconds for anything that is waited for; far more than it takes, also on a machine that is busy."""
STOP_TIMEOUT = 10.0
"""Seconds that the daemon may take to end in good order."""
_SAMPLE = re.compile(r"^(?P<series>[a-z_]+(?:\{.*\})?) (?P<value>\S+)$")


class Response(NamedTuple):
    """What a command, or a page, said."""

    status: int
    text: str


def wait_for(description: str, condition: Callable[[], T], seconds: float = WAIT_TIMEOUT) -> T:
    """Look until what is seen is true, and give it; fails with ``told`` where it does not come."""
    until = time.monotonic() + seconds
    while not (seen := condition()):
        assert time.monotonic() < until, f"after {seconds} s still not: {description}"
        time.sleep(0.02)
    return seen


class Daemon:
    """One daemon on one configuration; may be started again after it has ended, however it has.

    ``prefix`` is a command that becomes the daemon's process (``ip netns exec NAME``); ``environment`` is added.
    """

    def __init__(
        self, config: Path, prefix: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self.config = config
        self.log = config.with_suffix(".log")
        self._prefix = prefix
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running:
            self.resume()
            self.kill()

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> None:
        """Start it; returns once it has greeted, which is when it begins to probe."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "monitor", "--config", str(self.config), "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
        if wait:
            wait_for("the daemon has greeted", lambda: self._has_started(begin))

    def _has_started(self, offset: int) -> bool:
        said = self.output()[offset:]
        assert self.is_running, f"the daemon did not start:\n{said}"
        return "\nmail " in said

    def output(self) -> str:
        """Give everything that it has printed and logged."""
        return self.log.read_text()

    def stop(self) -> float:
        """End it as a service manager does; gives the seconds that it took. Fails where it ends otherwise."""
        began = time.monotonic()
        self._signal(signal.SIGTERM)
        status = self._wait()
        assert status == 0, f"the daemon ended with {status}:\n{self.output()[-2000:]}"
        return time.monotonic() - began

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._signal(signal.SIGKILL)
        self._wait()

    def pause(self) -> None:
        """Let it stand still."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def reload(self) -> None:
        """Ask it to read its configuration again."""
        self._signal(signal.SIGHUP)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _wait(self) -> int:
        assert self._process is not None
        try:
            return self._process.wait(WAIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def run_cli(self, *arguments: str) -> Response:
        """Run a command of the command line, whatever it says; gives its exit status and its output."""
        done = subprocess.run(
            [sys.executable, "-m", "monitor", "--config", str(self.config), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Response(done.returncode, done.stdout if done.returncode == 0 else done.stderr)

    def run_json(self, *arguments: str) -> Any:
        """Run a command with ``--json`` that has to succeed; gives what it printed, decimals exact."""
        answer = self.run_cli(*arguments, "--json")
        assert answer.status == 0, f"monitor {' '.join(arguments)}: exit {answer.status}\n{answer.text}"
        return json.loads(answer.text, parse_float=Decimal)

    def verify(self) -> None:
        """See that the journal, and what hangs on it, holds."""
        answer = self.run_cli("verify")
        assert answer.status == 0, answer.text


def get_page(port: int, path: str) -> Response | None:
    """Get a page of a daemon in this network namespace; None where nothing answers (yet)."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return Response(response.status, response.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, error.read().decode())
    except OSError:
        return None


def metrics(port: int) -> dict[str, float]:
    """Give every sample of the metrics page by its series, as it is written there."""
    answer = get_page(port, "/metrics")
    return samples(answer.text) if answer is not None else {}


def samples(text: str) -> dict[str, float]:
    """Read the samples of a metrics page."""
    found = (_SAMPLE.match(line) for line in text.splitlines())
    return {match["series"]: float(match["value"]) for match in found if match}


def free_port() -> int:
    """Give a port of 127.0.0.1 that is free now; below those that the system gives to whoever connects somewhere.

    None is given twice, for who asks for several may start to listen late.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        if port in _GIVEN_PORTS:
            continue
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            _GIVEN_PORTS.add(port)
            return port


_GIVEN_PORTS: set[int] = set()
