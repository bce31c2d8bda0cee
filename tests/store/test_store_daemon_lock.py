"""One daemon for each data folder."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from monitor.errors import InputError, StoreError
from monitor.store.daemon_lock import LOCK_FILE, DaemonLock, is_held

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from monitor.store.daemon_lock import DaemonLock
lock = DaemonLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_free_folder_is_made_and_held(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    assert not is_held(folder)
    lock = DaemonLock(folder)
    assert is_held(folder)
    lock.release()
    assert not is_held(folder)


def test_a_second_daemon_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        assert is_held(tmp_path)
        with pytest.raises(InputError, match=rf"another daemon \(process {process.pid}\) keeps its data here"):
            DaemonLock(tmp_path)
    finally:
        process.kill()
        process.communicate()


def test_a_refused_daemon_does_not_spoil_the_holders_number(tmp_path: Path) -> None:
    lock = DaemonLock(tmp_path)
    for _ in range(2):
        with pytest.raises(InputError, match=f"process {os.getpid()}"):
            DaemonLock(tmp_path)
    lock.release()


def test_the_kernel_lets_go_when_the_daemon_is_killed(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not is_held(tmp_path)
    DaemonLock(tmp_path).release()


def test_looking_whether_it_is_held_does_not_take_it(tmp_path: Path) -> None:
    DaemonLock(tmp_path).release()
    assert not is_held(tmp_path)
    lock = DaemonLock(tmp_path)
    assert is_held(tmp_path)
    assert is_held(tmp_path)
    lock.release()


def test_the_lock_carries_the_number_of_who_holds_it_now(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("4194304999")
    lock = DaemonLock(tmp_path)
    assert (tmp_path / LOCK_FILE).read_text() == str(os.getpid())
    lock.release()


def test_a_folder_that_cannot_be_made_is_told_with_the_setting_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot keep data here: .*; see \[monitor\] data_dir"):
        DaemonLock(tmp_path / "data")


def test_a_lock_file_that_was_removed_lets_no_second_daemon_in(tmp_path: Path) -> None:
    lock = DaemonLock(tmp_path)
    for _ in range(2):
        (tmp_path / LOCK_FILE).unlink()
        assert is_held(tmp_path)
        with pytest.raises(InputError, match="another daemon keeps its data here"):
            DaemonLock(tmp_path)
    lock.release()
    assert not is_held(tmp_path)
    DaemonLock(tmp_path).release()


def test_a_folder_under_another_name_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    lock = DaemonLock(tmp_path / "data")
    with pytest.raises(InputError, match=f"process {os.getpid()}"):
        DaemonLock(tmp_path / "link")
    lock.release()


def test_a_daemon_of_an_earlier_version_that_locks_the_file_alone_is_respected(tmp_path: Path) -> None:
    with (tmp_path / LOCK_FILE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_held(tmp_path)
        with pytest.raises(InputError, match="another daemon"):
            DaemonLock(tmp_path)
