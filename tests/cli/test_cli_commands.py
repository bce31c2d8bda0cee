from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.cli import COMMANDS, cli, find_config, run_command

if TYPE_CHECKING:
    from tests.cli.conftest import Installation


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([name, "--help"]) == 0
    assert "Usage: monitor " + name in capsys.readouterr().out


def test_an_unknown_command_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["nonsense"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "nonsense" in said.err


def test_a_missing_configuration_is_one_clear_line(site: Installation) -> None:
    site.config.unlink()
    answer = site.run("status")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "config.toml" in answer.err


def test_every_fault_of_a_configuration_is_told(site: Installation) -> None:
    site.config.write_text(site.config.read_text().replace("level = 4", "level = 9").replace('"server"', '"serve"'))
    answer = site.run("status")
    assert answer.status == 2
    assert "level" in answer.err
    assert "product" in answer.err


def test_the_configuration_is_found_where_product_md_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MONITOR_CONFIG", "elsewhere.toml")
    assert str(find_config(None)) == "elsewhere.toml"
    assert find_config(tmp_path) == tmp_path
    monkeypatch.delenv("MONITOR_CONFIG")
    assert str(find_config(None)) == "config.toml"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["completion", shell]) == 0
    assert "_MONITOR_COMPLETE" in capsys.readouterr().out


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_probe_of_a_dead_port_answers_no_and_shows_each_attempt(site: Installation) -> None:
    site.config.write_text("[monitor]\nretries = 1\nretry_wait = 0.1\n" + site.config.read_text())
    answer = site.run("probe", "web-01", "--check", "site", "--json")
    assert answer.status == 1
    check = answer.json["checks"][0]
    assert (check["outcome"], check["reason"], len(check["attempts"])) == ("fail", "refused", 2)
    assert not site.database_path.exists()


@pytest.mark.parametrize("words", [("nobody",), ("web-01", "--check", "nothing"), ("free-01",)])
def test_a_probe_of_what_is_not_there_is_bad_input(site: Installation, words: tuple[str, ...]) -> None:
    answer = site.run("probe", *words)
    assert (answer.status, answer.err.count("\n")) == (2, 1)


def test_a_test_mail_leaves_the_way_that_is_configured(site: Installation) -> None:
    answer = site.run("mail", "test", "someone@example.com", "--json")
    assert answer.status == 0
    assert answer.json["accepted"] is True
    (dropped,) = (site.database_path.parent / "mail").glob("*.eml")
    assert b"To: someone@example.com" in dropped.read_bytes()


def test_a_test_mail_that_is_refused_answers_no(site: Installation) -> None:
    site.config.write_text(
        '[email]\ntransport = "smtp"\nhost = "127.0.0.1"\nport = 9\nsecurity = "none"\n' + site.config.read_text()
    )
    answer = site.run("mail", "test", "someone@example.com")
    assert (answer.status, answer.out) == (1, "")
    assert "127.0.0.1" in answer.err


def test_a_bad_address_is_bad_input(site: Installation) -> None:
    assert site.run("mail", "test", "nobody").status == 2
    assert site.run("mail", "show", "1").status == 2
    assert site.run("mail", "resend", "1").status == 2


def test_a_mail_is_shown_and_sent_again(site: Installation) -> None:
    site.run(
        *("maintenance", "announce", "--server", "web-01", "--start", "2030-01-01", "--end", "2030-01-02"),
        *("--reason", "Disks"),
    )
    shown = site.run("mail", "show", "1", "--json").json
    assert "Disks" in shown["text"]
    assert "Disks" in site.run("mail", "show", "1").out
    assert site.run("mail", "resend", "1").out == "1\n"


def test_listings_on_empty_books_are_empty_and_not_errors(site: Installation) -> None:
    for words in (("outages", "list"), ("maintenance", "list"), ("mail", "list"), ("status",), ("availability",)):
        answer = site.run(*words)
        assert (answer.status, answer.err) == (0, ""), words
    assert not site.database_path.exists()


def test_the_group_lists_every_command() -> None:
    assert "verify" in cli.list_commands(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("outages", "show", "9" * 20), "is not the number of a record"),
        (("outages", "show", "-1"), "-1"),
        (("claim", "answer", "1e5"), "'1e5' is not the number of a record"),
        (("availability", "--at", "0001-01-01"), "must lie in the years 1970 to 9998"),
        (("explain", "web-01", "--at", "9999-12-31T23:59-14:00"), "must lie in the years 1970 to 9998"),
        (("availability", "--month", "1969-12"), "is not a month"),
        (("availability", "--at", "a\n\nb"), r"--at a\n\nb: not a time"),
        (("availability", "--subscription", "x" * 1000), "x" * 120 + "...: no such subscription"),
        (("levels", "\udcff"), "is not UTF-8 text"),
    ],
)
def test_whatever_is_given_a_refusal_is_one_line_that_can_be_read(
    site: Installation, words: tuple[str, ...], named: str
) -> None:
    answer = site.run(*words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert named in answer.err
    assert len(answer.err) < 400


def test_books_that_are_damaged_are_one_clear_line_and_no_proof(site: Installation) -> None:
    site.record("ping", 1_790_000_000_000, "oxo")
    with sqlite3.connect(site.database_path) as db:
        db.execute("DROP TABLE outage")
    db.close()
    for words, status, named in (
        (("outages", "list"), 2, "monitor.db: no such table: outage"),
        (("availability", "--month", "2026-09"), 2, "monitor.db: no such table: outage"),
        (("verify",), 1, "the schema was changed: the index outage_open is missing"),
    ):
        answer = site.run(*words)
        assert (answer.status, answer.out, answer.err.count("\n")) == (status, "", 1)
        assert named in answer.err


HEAVY = (
    *("aiohttp", "aiosmtplib", "apscheduler", "asyncio", "babel", "backports", "brotli", "cryptography", "dns"),
    *("holidays", "icmplib", "jinja2", "prometheus_client", "regex", "ssl", "yarl"),
)


@pytest.mark.parametrize("command", ["availability", "credits", "explain", "outages", "status"])
def test_a_question_to_the_books_loads_nothing_that_probes_composes_or_serves(command: str, site: Installation) -> None:
    given = {"explain": ["web-01", "--at", "2026-10-02"], "credits": ["--month", "2026-10"], "outages": ["list"]}
    words = ["--config", str(site.config), command, *given.get(command, [])]
    script = f"import sys; from monitor.cli import run_command; print(run_command({words})); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *_, status, modules = done.stdout.splitlines()
    assert status == "0", done.stderr
    assert not {name.split(".")[0] for name in modules.split()} & set(HEAVY)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [("availability", "--json"), ("levels",), ("outages", "list")])
def test_an_output_that_cannot_be_written_is_one_clear_line(site: Installation, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "monitor", "--config", str(site.config), *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (2, "monitor: the output: No space left on device\n")
