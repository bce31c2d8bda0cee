"""What ``monitor run`` says while it starts: on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.lab_daemon import free_port

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_is_told_of_the_start_on_a_line_that_goes_away(tmp_path: Path, *, terminal: bool) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[web]\nlisten = "127.0.0.1:{free_port()}"\n[[server]]\nid = "a"\naddress = "127.0.0.1"\nlevel = 1\n'
    )
    ours, theirs = pty.openpty() if terminal else os.pipe()
    command = [sys.executable, "-m", "monitor", "--config", str(config), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline().startswith("watching")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
    os.write(theirs, b"end")
    said = ""
    while not said.endswith("end"):
        said += os.read(ours, 10_000).decode()
    for descriptor in (ours, theirs):
        os.close(descriptor)
    start = f"\r\x1b[Kreading {config} ...\r\x1b[Kstarting with 1 server ...\r\x1b[K"
    # what the daemon logs may follow
    assert said.startswith(start) if terminal else "\r" not in said
