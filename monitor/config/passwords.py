"""The files that passwords are read from: which of them are not there, or are open to more people than they should be.

None of it is a fault: a file may come later, and a credential of systemd takes the place of one.
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
    """Give a line for each file that somebody should look at, with what to do; reads no password."""
    folder = environment.get(CREDENTIALS_VARIABLE)
    users: dict[Path, list[str]] = {}
    for user, file in _password_files(config):
        users.setdefault(file, []).append(user)
    found = []
    for file, of in users.items():
        if folder and (Path(folder) / file.name).exists():
            continue  # systemd sees to it that nobody else reads that one
        if fault := _file_problem(file):
            more = f" and {pluralize(len(of) - 1, 'more', 'more')}" if len(of) > 1 else ""
            found.append(f"password_file {file} of {of[0]}{more} {fault}")
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
        return f"cannot be read ({error.strerror}): logins fail, unless systemd gives a credential named {file.name}"
    if mode & _GROUP_AND_OTHERS:
        return f"is open to others than its owner (mode {stat.S_IMODE(mode):04o}): chmod 600 {file}"
    return ""
