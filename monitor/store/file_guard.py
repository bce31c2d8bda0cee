"""Notices that the database file is no longer the one that this process opened: deleted, moved, replaced, cut off.

SQLite goes on writing into a file that has no name any more, and nobody finds it there after a restart. So the writer
asks the guard before each transaction, and the daemon asks it every second.

The guard keeps one descriptor open for as long as the connections are: to close any descriptor of the file would
release the locks that SQLite holds on it (POSIX). Close the guard after them.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_CONFIRMATIONS: Final = 5
"""So often a header is read before it counts as changed: another process may be writing it, page by page."""
_CONFIRMATION_PAUSE: Final = 0.05
"""Seconds between two of them."""


@dataclass(frozen=True, slots=True)
class _Header:
    """What the first bytes of the file say: SQLite's file format, 1.3."""

    pages: int
    page_size: int
    changes: int
    """Grows whenever the first page is written."""


class LostDatabaseError(StoreError):
    """The file that this process opened is not the one under its name any more; nothing may be written into it."""


class FileGuard:
    """Watches one database file, from when it was opened."""

    def __init__(self, path: Path) -> None:
        """Take the file as it is now. Raises StoreError where there is none."""
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._log_identity: tuple[int, int] | None = None
        self._last = (0, 0)
        """Change counter and pages of the last header: pages only become fewer by a VACUUM, which is a change."""
        self.loss: str | None = None
        """What happened to the file; None while it is there."""
        self._content_lost = False
        self.damaged = False
        """Whether SQLite has found the file damaged: the daemon goes on with a fresh one."""
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror}") from None
        self.check()

    def close(self) -> None:
        """Give the file up; only after every connection to it is closed."""
        os.close(self._descriptor)

    def check(self) -> str | None:
        """Return what happened to the file; None while it is the one that was opened, and whole.

        A file that was moved away and back again is as good as before. One whose content was changed is not.
        """
        if not self._content_lost:
            self.loss = self._name_loss() or self._log_loss()
        if self.loss is None and (changed := self._confirmed_content_loss()) is not None:
            self.loss, self._content_lost = changed, True
        return self.loss

    def declare_damaged(self, what: str) -> None:
        """Take note that SQLite found the file damaged."""
        self.loss, self._content_lost, self.damaged = f"{self._path} is damaged: {what}", True, True

    def _name_loss(self) -> str | None:
        opened = os.fstat(self._descriptor)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return f"{self._path} was {'deleted' if opened.st_nlink == 0 else 'moved away'} while the daemon ran"
        except OSError as error:
            return f"{self._path} cannot be reached any more: {error.strerror}"
        if (there.st_dev, there.st_ino) != (opened.st_dev, opened.st_ino):
            return f"{self._path} was replaced by another file while the daemon ran"
        return None

    def _log_loss(self) -> str | None:
        """Compare the write-ahead log, which stays the same file while any connection is open."""
        try:
            there = self._log.stat()
        except OSError:
            found = None
        else:
            found = (there.st_dev, there.st_ino)
        if self._log_identity is None:
            self._log_identity = found
        if found == self._log_identity:
            return None
        return f"{self._log} was {'deleted' if found is None else 'replaced'} while the daemon ran"

    def _confirmed_content_loss(self) -> str | None:
        for _ in range(_CONFIRMATIONS):
            found = self._content_loss()
            if found is None:
                return None
            time.sleep(_CONFIRMATION_PAUSE)
        return found

    def _content_loss(self) -> str | None:
        header = self._read_header()
        if header is None:
            return f"{self._path} was overwritten while the daemon ran: it is no database any more"
        if os.fstat(self._descriptor).st_size < header.pages * header.page_size:
            return f"{self._path} was truncated while the daemon ran"
        if (header.changes, header.pages) < self._last:
            return f"{self._path} was overwritten with an older copy while the daemon ran"
        self._last = (header.changes, header.pages)
        return None

    def _read_header(self) -> _Header | None:
        head = os.pread(self._descriptor, _HEADER_BYTES, 0)
        if len(head) < _HEADER_BYTES or not head.startswith(_MAGIC):
            return None
        size = int.from_bytes(head[16:18])
        changes, pages, valid_for = (int.from_bytes(head[at : at + 4]) for at in (24, 28, 92))
        if changes != valid_for:  # written by something that does not keep the number of pages
            pages = 0
        return _Header(pages, 65_536 if size == 1 else size, changes)
