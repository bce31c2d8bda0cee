"""A lock that allows one daemon for each data folder: two would send every probe and mail twice."""

from __future__ import annotations

import fcntl
import os
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
        try:
            make_folder(data_dir)
            make_file(path)
            self._file = path.open("a+")
        except OSError as error:
            raise StoreError(f"{data_dir}: cannot keep data here: {error.strerror}; see [monitor] data_dir") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            raise InputError(
                f"{data_dir}: another daemon (process {holder}) keeps its data here; stop it first"
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Release the lock."""
        self._file.close()


def is_held(data_dir: Path) -> bool:
    """Return whether a daemon runs on this folder now."""
    try:
        with (data_dir / LOCK_FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
