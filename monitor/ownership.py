"""Files and folders that root makes belong to the owner of the folder that they are in.

The daemon runs under an account of its own. A command of root may make a file before the daemon does, which could then
neither read nor write it. Other users cannot give files away, and need not: their files are in their own folders.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_folder(path: Path, mode: int = 0o750) -> None:
    """Make a folder and its missing parents; each belongs to the owner of its own parent. Raises OSError."""
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent, mode)
    path.mkdir(mode, exist_ok=True)
    give_to_folders_owner(path)


def make_file(path: Path, mode: int = 0o644) -> None:
    """Make an empty file, unless there is one, that belongs to the owner of its folder. Raises OSError."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode))
    except FileExistsError:
        return
    give_to_folders_owner(path)


def give_to_folders_owner(path: Path) -> None:
    """Give a file or folder that was just made to the owner of its folder; only root can, and does. Raises OSError."""
    if os.geteuid() != 0:
        return
    folder = path.parent.stat()
    made = path.lstat()
    if (made.st_uid, made.st_gid) != (folder.st_uid, folder.st_gid):
        with suppress(PermissionError):  # root of a container may lack the right
            os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)
