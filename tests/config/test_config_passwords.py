"""Warnings about password files of a valid configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.config import load
from monitor.config.passwords import password_warnings
from tests.config.sample_config import SERVER

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config import Config

SERVICE = '[[server.service]]\nname = "{name}"\ntype = "imaps"\nuser = "sla"\npassword_file = "login"\n'


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(f"{SERVER}\n{SERVICE.format(name='one')}\n{SERVICE.format(name='two')}\n")
    (tmp_path / "login").write_text("gizli\n")
    return load(file)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_alone_is_well(config: Config, tmp_path: Path, mode: int) -> None:
    (tmp_path / "login").chmod(mode)
    assert password_warnings(config, {}) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_open_is_told_once_with_the_remedy(config: Config, tmp_path: Path, mode: int) -> None:
    file = tmp_path / "login"
    file.chmod(mode)
    (warning,) = password_warnings(config, {})
    assert f"password_file {file} of web-01/one and 1 more can be read by others" in warning
    assert f"(mode {mode:04o}): chmod 600 {file}" in warning
    assert "gizli" not in warning


def test_a_file_that_is_not_there_is_told_with_the_name_of_its_credential(config: Config, tmp_path: Path) -> None:
    (tmp_path / "login").unlink()
    (warning,) = password_warnings(config, {})
    assert "cannot be read (No such file or directory)" in warning
    assert "credential named login" in warning


def test_a_credential_needs_no_file_and_may_have_any_mode(config: Config, tmp_path: Path) -> None:
    (tmp_path / "login").unlink()
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "login").write_text("gizli")
    (folder / "login").chmod(0o444)
    assert password_warnings(config, {"CREDENTIALS_DIRECTORY": str(folder)}) == []


def test_the_password_for_sending_mail_counts_too(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'{SERVER}\n[email]\nusername = "sla"\npassword_file = "smtp-password"\n')
    (tmp_path / "smtp-password").write_text("gizli")
    (tmp_path / "smtp-password").chmod(0o644)
    (warning,) = password_warnings(load(file), {})
    assert "of [email] can be read by others" in warning
