"""What root's commands make before the daemon belongs to the owner of the data directory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from monitor.engine.unsaved_results import UnsavedResults
from monitor.ownership import give_to_folders_owner, make_file, make_folder
from monitor.store import head_mark
from monitor.store.daemon_lock import DaemonLock
from monitor.store.head_mark import HeadMark
from tests.fakes import FAIL, START, make_result
from tests.ledger.ledger_fixture import check_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Installation

NOBODY, NOGROUP = 65_534, 65_534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away: run the tests as root")


def strangers(folder: Path) -> list[str]:
    """Return everything in a folder, and the folder, that does not belong to nobody."""
    return [
        str(path)
        for path in (folder, *folder.rglob("*"))
        if (path.lstat().st_uid, path.lstat().st_gid) != (NOBODY, NOGROUP)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory that root has made for the daemon's account."""
    made = tmp_path / "data"
    made.mkdir()
    os.chown(made, NOBODY, NOGROUP)
    return made


@needs_root
@pytest.mark.parametrize(
    "arguments",
    [
        ("mail", "test", "x@example.com"),
        ("close", "--month", "2024-01"),
        ("maintenance", "announce", "--servers", "web-01"),
        ("import", "csv", "/dev/null"),
        ("mail", "resend", "--dead"),
        ("status",),
        ("verify",),
    ],
)
def test_what_a_command_makes_belongs_to_the_owner(
    site: Installation, folder: Path, arguments: tuple[str, ...]
) -> None:
    site.run(*arguments)
    assert strangers(folder) == []


@needs_root
def test_the_files_beside_an_open_database_belong_to_the_owner(site: Installation, folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from monitor.store import database;"
        "db = database.open_read_write(Path(sys.argv[1])); db.execute('CREATE TABLE x (y)');"
        "import os; os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(site.database_path)], check=True)
    assert {path.name for path in folder.iterdir()} == {"monitor.db", "monitor.db-wal", "monitor.db-shm"}
    assert strangers(folder) == []


@needs_root
def test_a_data_directory_that_does_not_exist_belongs_to_the_owner_of_its_parent(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOGROUP)
    make_folder(tmp_path / "srv" / "monitor" / "data")
    assert strangers(tmp_path) == []


@needs_root
def test_locks_marks_and_saved_results_belong_to_the_owner(folder: Path) -> None:
    DaemonLock(folder).release()
    head_mark.write(folder, HeadMark(1, ""))
    UnsavedResults(folder, START).save([make_result(check_key("web_01"), START, FAIL)])
    assert len(list(folder.iterdir())) == 3
    assert strangers(folder) == []


@needs_root
def test_a_link_is_given_away_itself_and_not_what_it_points_to(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    (folder / "link").symlink_to(target)
    give_to_folders_owner(folder / "link")
    assert target.stat().st_uid == 0
    make_file(folder / "link")
    assert target.stat().st_uid == 0


@pytest.fixture
def _as_nobody() -> Iterator[None]:
    os.setegid(NOGROUP)
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)
    os.setegid(0)


@needs_root
@pytest.mark.usefixtures("_as_nobody")
def test_other_users_keep_their_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    give_to_folders_owner(tmp_path_factory.getbasetemp())
