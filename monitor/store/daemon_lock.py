"""One daemon for each data folder: two would double every probe and every mail."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from monitor.errors import InputError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

LOCK_FILE = "daemon.lock"


class DaemonLock:
    """Held from start to end; the kernel lets go of it however the process ends."""

    def __init__(self, data_dir: Path) -> None:
        """Take the lock. Raises InputError where another daemon holds it, StoreError where the folder is not ours."""
        path = data_dir / LOCK_FILE
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
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
        """Let go."""
        self._file.close()


def is_held(data_dir: Path) -> bool:
    """Whether a daemon runs on this folder now."""
    try:
        with (data_dir / LOCK_FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
