"""Passwords that checks log in with: out of files or systemd credentials, never out of the configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.probes.failures import monitor_failure

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_UNREADABLE = "password not readable"
_MAX_LENGTH = 1024


class Credentials:
    """Reads a password whenever it is needed, so that a changed one takes effect; keeps none."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """``environment`` names the folder of systemd's credentials, where there is one."""
        folder = environment.get("CREDENTIALS_DIRECTORY")
        self._credentials_directory = Path(folder) if folder else None

    def read(self, file: Path) -> str:
        """Return the one line of the credential of the file's name, else of the file.

        Raises ``ProbeError``, unknown, where neither can be read or what stands there is not one line.
        """
        credential = self._credentials_directory / file.name if self._credentials_directory else None
        try:
            with (credential if credential and credential.exists() else file).open(encoding="utf-8") as opened:
                lines = opened.read(_MAX_LENGTH).splitlines()
        except (OSError, UnicodeError):
            raise monitor_failure(FILE_UNREADABLE) from None
        if len(lines) != 1 or not lines[0]:
            raise monitor_failure(FILE_UNREADABLE)
        return lines[0]
