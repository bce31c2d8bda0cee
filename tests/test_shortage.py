"""Errors that say that the system refused this process memory or a thread, and what a command makes of them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from monitor.errors import shortage

if TYPE_CHECKING:
    from pathlib import Path

THREAD = RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (MemoryError(), "memory"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "memory"),
        (THREAD, "threads"),
        (ExceptionGroup("tasks", [ValueError("x"), ExceptionGroup("more", [THREAD])]), "threads"),
    ],
)
def test_a_shortage_is_named_with_the_limit_to_raise(error: BaseException, word: str) -> None:
    said = shortage(error)
    assert said is not None
    assert word in said
    assert "ulimit" in said


@pytest.mark.parametrize("error", [RuntimeError("x"), OSError(errno.EIO, "x"), ImportError("x"), KeyError("x")])
def test_other_errors_are_no_shortage(error: BaseException) -> None:
    assert shortage(error) is None
    assert shortage(ExceptionGroup("tasks", [ValueError("x")])) is None


def test_a_daemon_that_gets_no_memory_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[web]\nlisten = '127.0.0.1:1'\n")
    command = f"ulimit -v 60000; exec {sys.executable} -m monitor --config {tmp_path}/config.toml run"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("monitor: the system ")
    assert done.stderr.count("\n") == 1
