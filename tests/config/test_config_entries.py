"""A check type's keys are read from its settings, whatever type that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from monitor.config import dump_toml, load
from monitor.config.entries import service_keys
from monitor.errors import ConfigError
from monitor.probes.check_types import CHECK_TYPES
from tests.config.sample_config import SERVER


def _is_even(number: int) -> bool:
    return number % 2 == 0


def _is_hexadecimal(text: str) -> bool:
    return int(text, 16) >= 0


@dataclass(frozen=True, slots=True)
class Tuned:
    """Settings with a key of every type that a check type may use."""

    text: str
    number: int = field(default=2, metadata={"allowed": "an even number", "check": _is_even})
    code: str = field(default="ff", metadata={"allowed": "hexadecimal digits", "check": _is_hexadecimal})
    flag: bool = False
    word: Literal["a", "b"] = "a"
    several: tuple[str, ...] = field(default_factory=lambda: ("x",))
    numbers: tuple[int, ...] | None = None
    file: Path | None = None
    derived: int = field(default=0, init=False)


@dataclass(frozen=True, slots=True)
class Bare:
    """Settings without a key that must be given."""


@dataclass(frozen=True, slots=True)
class Odd:
    """Settings with a key that no file could hold."""

    shape: complex = 1j


@dataclass(frozen=True, slots=True)
class Type:
    """A check type as far as the configuration sees it."""

    settings: type


TYPES: dict[str, Any] = {**CHECK_TYPES, "tuned": Type(Tuned), "bare": Type(Bare)}


def service(folder: Path, text: str, types: Any = TYPES) -> Any:
    file = folder / "config.toml"
    file.write_text(f'{SERVER}\n[[server.service]]\nname = "one"\n{text}\n', encoding="utf-8")
    config = load(file, types)
    (folder / "again.toml").write_text(dump_toml(config), encoding="utf-8")
    assert load(folder / "again.toml", types) == config
    return config.servers[0].checks[1].settings


def test_a_new_type_needs_no_change_in_the_configuration(tmp_path: Path) -> None:
    settings = service(
        tmp_path,
        'type = "tuned"\ntext = "a\\nb"\nnumber = 4\ncode = "0a"\nflag = true\nword = "b"\n'
        'several = ["p", "q"]\nnumbers = [1, 2]\nfile = "x/y"',
    )
    assert settings == Tuned("a\nb", 4, "0a", True, "b", ("p", "q"), (1, 2), tmp_path / "x" / "y")  # noqa: FBT003


def test_its_defaults_are_its_own(tmp_path: Path) -> None:
    assert service(tmp_path, 'type = "tuned"\ntext = ""') == Tuned("")
    assert service(tmp_path, 'type = "bare"') == Bare()


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("text = 5", "a text in quotes"),
        ("number = 3", "an even number"),
        ("number = true", "an even number"),
        ("number = 2.0", "an even number"),
        ('code = "xyz"', "hexadecimal digits"),
        ("flag = 1", "true or false"),
        ('word = "c"', '"a" or "b"'),
        ('several = "p"', "a list of values"),
        ('several = ["p", 5]', "a text in quotes"),
        ("numbers = [1, true]", "a whole number"),
        ("file = 5", "a path in quotes, relative to this file or absolute"),
        ("derived = 5", "unknown key; known: name, type, text, number, code, flag, word, several, numbers, file"),
    ],
)
def test_a_value_that_it_does_not_allow_is_told_in_its_words(tmp_path: Path, line: str, allowed: str) -> None:
    text = "" if line.startswith("text") else 'text = "x"\n'
    with pytest.raises(ConfigError) as caught:
        service(tmp_path, f'type = "tuned"\n{text}{line}')
    (fault,) = caught.value.faults
    assert (fault.table, fault.key, fault.allowed) == ("server web-01 service one", line.partition(" ")[0], allowed)


def test_a_key_without_a_default_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"text = missing: required: a text in quotes$"):
        service(tmp_path, 'type = "tuned"')


def test_settings_that_no_file_could_hold_are_the_programmers_fault(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="complex"):
        service(tmp_path, 'type = "odd"', {**TYPES, "odd": Type(Odd)})


@pytest.mark.parametrize("name", CHECK_TYPES)
def test_the_keys_of_every_type_can_be_read(name: str) -> None:
    keys = [key.name for key in service_keys(CHECK_TYPES, name, Path())]
    assert keys[:2] == ["name", "type"]
    assert len(keys) == len(set(keys))
    assert ("url" in keys) == CHECK_TYPES[name].needs_url


def test_paths_are_relative_to_the_file_that_holds_the_service(tmp_path: Path) -> None:
    part = tmp_path / "parts" / "a.toml"
    part.parent.mkdir()
    part.write_text(f'{SERVER}\n[[server.service]]\nname = "one"\ntype = "tuned"\ntext = ""\nfile = "x"\n')
    (tmp_path / "config.toml").write_text('include = ["parts/a.toml"]\n')
    settings: Any = load(tmp_path / "config.toml", TYPES).servers[0].checks[1].settings
    assert settings.file == tmp_path / "parts" / "x"


@pytest.mark.parametrize(
    ("host", "keys"),
    [
        ("127.0.0.1", 'type = "imap"'),
        ("localhost", 'type = "redis"'),
        ("::1", 'type = "pop3"'),
        ("192.0.2.7", 'type = "imap"\nstarttls = true'),
        ("192.0.2.7", 'type = "redis"\ntls = true'),
        ("192.0.2.7", 'type = "imaps"'),
        ("192.0.2.7", 'type = "mysql"'),
    ],
)
def test_a_login_in_clear_stays_on_this_machine(tmp_path: Path, host: str, keys: str) -> None:
    login = 'user = "sla"\npassword_file = "password"'
    assert service(tmp_path, f'{keys}\nhost = "{host}"\n{login}').user == "sla"


@pytest.mark.parametrize("keys", ['url = "http://[::1]/"', 'url = "http://acme.example/"\naddress = "127.0.0.1"'])
def test_a_login_to_a_page_in_clear_stays_on_this_machine(tmp_path: Path, keys: str) -> None:
    assert service(tmp_path, f'type = "http"\nuser = "sla"\npassword_file = "password"\n{keys}').user == "sla"


def test_without_a_host_the_servers_address_says_whether_a_login_stays_local(tmp_path: Path) -> None:
    login = '[[server.service]]\nname = "a"\ntype = "redis"\nuser = "sla"\npassword_file = "password"\n'
    file = tmp_path / "config.toml"
    file.write_text(f'[[server]]\nid = "here"\naddress = "127.0.0.1"\nlevel = 4\n{login}')
    assert len(load(file).servers[0].checks) == 2
    file.write_text(f'[[server]]\nid = "there"\naddress = "192.0.2.7"\nlevel = 4\n{login}')
    with pytest.raises(ConfigError, match="tls = missing: true where a login leaves this machine"):
        load(file)
