"""A lock that allows one daemon for each data folder: two would send every probe and mail twice.

The folder itself is locked: a file can be removed, and a second daemon would lock a new one. The file names the
process, and is locked too: some network file systems lock no folders.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from monitor.errors import InputError, StoreError
from monitor.ownership import make_file, make_folder

if TYPE_CHECKING:
    from pathlib import Path

LOCK_FILE = "daemon.lock"


class DaemonLock:
    """A lock for the lifetime of the process; the kernel releases it however the process ends."""

    def __init__(self, data_dir: Path) -> None:
        """Acquire the lock. Raise InputError if another daemon holds it, StoreError if the folder is not writable."""
        path = data_dir / LOCK_FILE
        with ExitStack() as stack:
            try:
                make_folder(data_dir)
                make_file(path)
                folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
                stack.callback(os.close, folder)
                file = stack.enter_context(path.open("a+"))
            except OSError as error:
                raise StoreError(
                    f"{data_dir}: cannot keep data here: {error.strerror}; see [monitor] data_dir"
                ) from None
            if not _lock_folder(folder, fcntl.LOCK_EX) or not _lock(file.fileno(), fcntl.LOCK_EX):
                file.seek(0)
                holder = file.read().strip()
                named = f" (process {holder})" if holder else ""
                raise InputError(f"{data_dir}: another daemon{named} keeps its data here; stop it first")
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            self._held = stack.pop_all()

    def release(self) -> None:
        """Release the lock."""
        self._held.close()


def is_held(data_dir: Path) -> bool:
    """Return whether a daemon runs on this folder now."""
    with ExitStack() as stack:
        try:
            folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, folder)
            if not _lock_folder(folder, fcntl.LOCK_SH):
                return True
            return not _lock(stack.enter_context((data_dir / LOCK_FILE).open()).fileno(), fcntl.LOCK_SH)
        except OSError:
            return False


def _lock(descriptor: int, kind: int) -> bool:
    """Lock a file, and return whether that was possible. Raises OSError if the file system cannot lock."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_folder(descriptor: int, kind: int) -> bool:
    try:
        return _lock(descriptor, kind)
    except OSError:  # the file system locks no folders
        return True
