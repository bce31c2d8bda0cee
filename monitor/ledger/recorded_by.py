"""The person who records a fact on the command line; stored with every fact that a person decides on."""

from __future__ import annotations

import getpass
import os


def recorded_by() -> str:
    """Return the user's login name, or the user's number if the system has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
