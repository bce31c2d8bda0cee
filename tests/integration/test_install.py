"""``pip install .`` into an empty environment: the program runs, and all that it reads came along."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

REPOSITORY = Path(__file__).parents[2]
NO_INDEX = ("No matching distribution", "Could not find a version", "Connection", "Temporary failure")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A virtual environment into which nothing but the project was installed, from a copy of its sources."""
    here = tmp_path_factory.mktemp("install")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, here)
    shutil.copytree(REPOSITORY / "monitor", here / "monitor", ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(here / "venv", with_pip=True)
    pip = [str(here / "venv/bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "."]
    done = subprocess.run(pip, cwd=here, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode and "CI" not in os.environ and any(sign in done.stderr for sign in NO_INDEX):
        pytest.skip(f"pip finds no packages here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    yield here / "venv"
    shutil.rmtree(here / "venv")


def test_the_program_runs_by_its_name_and_as_a_module(installed: Path, tmp_path: Path) -> None:
    for command in ([str(installed / "bin/monitor")], [str(installed / "bin/python"), "-m", "monitor"]):
        done = subprocess.run(
            [*command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: ")


def test_every_file_of_the_sources_came_along(installed: Path) -> None:
    def files(root: Path) -> set[str]:
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"}

    packages = installed / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    assert "py.typed" in files(REPOSITORY / "monitor")
    assert files(REPOSITORY / "monitor") - files(packages / "monitor") == set()
