"""The corpus of mistakes: each file under ``invalid`` makes one, and beside it stands what must be said of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.config import load
from monitor.errors import ConfigError

INVALID = Path(__file__).parent / "invalid"
CASES = sorted(path.name for path in INVALID.iterdir() if path.suffix != ".expected")
# the parser words these, and may word them otherwise in another version of Python
_PARSERS_OWN = re.compile(r"(?<=: not TOML: ).*")


def expected(case: str) -> Path:
    return INVALID / f"{case.removesuffix('.toml')}.expected"


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_by_file_table_key_value_and_what_is_allowed(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(INVALID)
    with pytest.raises(ConfigError) as caught:
        load(Path(case) if case.endswith(".toml") else Path(case, "config.toml"))
    said = f"{caught.value}\n"
    assert _PARSERS_OWN.sub("", said) == _PARSERS_OWN.sub("", expected(case).read_text(encoding="utf-8"))
    for fault in caught.value.faults:
        assert fault.value
        assert fault.allowed
        assert not fault.allowed.endswith(".")


def test_no_message_waits_for_a_mistake_that_is_gone() -> None:
    assert {path.name for path in INVALID.glob("*.expected")} == {expected(case).name for case in CASES}


def test_no_message_repeats_a_secret() -> None:
    secret = "hunter2"
    assert any(secret in (INVALID / case).read_text(encoding="utf-8") for case in CASES if case.endswith(".toml"))
    assert [path.name for path in INVALID.glob("*.expected") if secret in path.read_text(encoding="utf-8")] == []


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text('[[server]]\nid = "a"\naddress = "192.0.2"\nlevel = 9\nparent = "c"\n')
    Path("b.toml").write_text("[[customer]]\n")
    Path("config.toml").write_text('include = ["a.toml", "b.toml"]\n[web]\nlisten = 80\nport = 80\n')
    with pytest.raises(ConfigError) as caught:
        load(Path("config.toml"))
    told = [(fault.file, fault.table, fault.key) for fault in caught.value.faults]
    assert told == [
        ("config.toml", "web", "listen"),
        ("config.toml", "web", "port"),
        ("a.toml", "server a", "address"),
        ("a.toml", "server a", "level"),
        ("a.toml", "server a", "parent"),
        ("b.toml", "customer #1", "id"),
        ("b.toml", "customer #1", "name"),
        ("b.toml", "customer #1", "emails"),
    ]
