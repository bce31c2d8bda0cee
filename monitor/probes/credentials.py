"""Passwords that checks log in with: out of files or systemd credentials, never out of the configuration."""

from __future__ import annotations

import codecs
import os
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.probes.failures import monitor_failure

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_UNREADABLE = "password not readable"
_MAX_BYTES = 4096
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


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
            with (credential if credential and credential.exists() else file).open("rb") as opened:
                return decode_password(opened.read(_MAX_BYTES))
        except (OSError, ValueError):
            raise monitor_failure(FILE_UNREADABLE) from None


def decode_password(content: bytes) -> str:
    """Return the one line of a password file, without a byte order mark and the end of the line, CR LF too.

    The text is UTF-8, or what its byte order mark says. Raises ValueError if it is not one line of text.
    """
    mark, encoding = next((known for known in _MARKS if content.startswith(known[0])), (b"", "utf-8"))
    line = content[len(mark) :].decode(encoding).removesuffix("\n").removesuffix("\r")
    if not line or "\n" in line or "\r" in line:
        raise ValueError("must hold one line: the password")
    return line
