"""`monitor verify`: what it exits with, and what it refuses to call verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.store import database, head_mark, journal
from monitor.store.daemon_lock import DaemonLock
from tests.fakes import open_read_write

if TYPE_CHECKING:
    from tests.cli.conftest import Installation

OCTOBER = 1_790_935_200_000


def test_what_is_intact_is_counted(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooxxo")
    answer = site.run("verify")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith("OK: ")


def test_a_changed_trigger_is_named_with_status_one(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooxxo")
    db = open_read_write(site.database_path)
    with database.transaction(db):
        db.execute("DROP TRIGGER journal_is_never_rewritten")
    db.close()
    answer = site.run("verify")
    assert answer.status == 1
    assert answer.err == "monitor: the schema was changed: the trigger journal_is_never_rewritten is missing\n"
    assert site.run("verify", "--json").json["ok"] is False


def test_without_a_database_nothing_is_verified(site: Installation) -> None:
    site.database_path.unlink(missing_ok=True)
    for words in (("verify",), ("verify", "--json")):
        answer = site.run(*words)
        assert (answer.status, answer.out) == (2, "")
        assert "there is no database" in answer.err
        assert "a daemon has run here" not in answer.err


def test_a_database_that_was_deleted_where_a_daemon_has_run_is_told_so(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooxxo")
    DaemonLock(site.database_path.parent).release()
    site.database_path.unlink()
    answer = site.run("verify")
    assert answer.status == 2
    assert "a daemon has run here: its database was deleted or replaced" in answer.err


def test_a_database_without_entries_is_not_called_intact(site: Installation) -> None:
    site.database_path.unlink(missing_ok=True)
    open_read_write(site.database_path).close()
    DaemonLock(site.database_path.parent).release()
    answer = site.run("verify")
    assert (answer.status, answer.out) == (2, "")
    assert "the journal has no entries" in answer.err
    assert "a daemon has run here" in answer.err


def test_an_older_copy_in_the_place_of_the_database_is_not_called_intact(site: Installation) -> None:
    site.record("ping", OCTOBER, "ooxxo")
    folder = site.database_path.parent
    db = open_read_write(site.database_path)
    number, hash_ = journal.head(db)
    head_mark.write(folder, head_mark.HeadMark(number, hash_))
    assert site.run("verify").status == 0
    head_mark.write(folder, head_mark.HeadMark(number + 3, hash_))
    answer = site.run("verify")
    assert answer.status == 1
    assert f"the journal ends at entry {number}, and entry {number + 3} was recorded" in answer.err
