"""Who records a fact by the command line: kept with every fact that a person decides on."""

from __future__ import annotations

import getpass
import os


def recorded_by() -> str:
    """Return the user's login name; the user's number where the system knows no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
