"""Warnings about password files that do not exist or that others than the owner can read.

These are not faults: a file may be created later, and a systemd credential may replace it.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.config.settings import CREDENTIALS_VARIABLE
from monitor.formatting import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.config.settings import Config

_GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def password_warnings(config: Config, environment: Mapping[str, str]) -> list[str]:
    """Return a warning with a remedy for each problematic file; reads no password."""
    folder = environment.get(CREDENTIALS_VARIABLE)
    users: dict[Path, list[str]] = {}
    for user, file in _password_files(config):
        users.setdefault(file, []).append(user)
    found = []
    for file, names in users.items():
        if folder and (Path(folder) / file.name).exists():
            continue  # systemd protects the credential
        if fault := _file_problem(file):
            more = f" and {pluralize(len(names) - 1, 'more', 'more')}" if len(names) > 1 else ""
            found.append(f"password_file {file} of {names[0]}{more} {fault}")
    return found


def _password_files(config: Config) -> Iterator[tuple[str, Path]]:
    if config.email.password_file is not None:
        yield "[email]", config.email.password_file
    for server in config.servers:
        for check in server.checks:
            file = getattr(check.settings, "password_file", None)
            if file is not None:
                yield str(check.key), file


def _file_problem(file: Path) -> str:
    try:
        mode = file.stat().st_mode
    except OSError as error:
        return f"cannot be read ({error.strerror}): logins fail unless systemd passes a credential named {file.name}"
    if mode & _GROUP_AND_OTHERS:
        return f"can be read by others than its owner (mode {stat.S_IMODE(mode):04o}): chmod 600 {file}"
    return ""
