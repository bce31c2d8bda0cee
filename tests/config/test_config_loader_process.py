"""A configuration read in a process of its own comes back whole, or with all of its faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.config import load
from monitor.config.loader_process import CHUNK_SIZE, load_in_process
from monitor.errors import ConfigError, InputError
from monitor.probes.check_types import CHECK_TYPES
from tests.config.sample_config import CUSTOMER, SERVER, SERVICE, SUBSCRIPTION

if TYPE_CHECKING:
    from pathlib import Path

MANY = "".join(f'[[server]]\nid = "s{n}"\naddress = "192.0.2.1"\nlevel = 2\n' for n in range(2 * CHUNK_SIZE + 1))


def written(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


async def test_what_is_read_apart_is_what_is_read_here(tmp_path: Path) -> None:
    file = written(tmp_path, CUSTOMER + SERVER + SERVICE + SUBSCRIPTION)
    running = load(file)
    written(tmp_path, CUSTOMER.replace("Acme Ltd", "Acme Holding") + SERVER + SERVICE + SUBSCRIPTION + MANY)
    found, here = await load_in_process(file, running), load(file)
    assert found == here
    assert (found.path, found.files) == (here.path, here.files)


async def test_a_first_configuration_is_read_apart_too(tmp_path: Path) -> None:
    file = written(tmp_path, CUSTOMER + SERVER + SERVICE + SUBSCRIPTION + MANY)
    assert await load_in_process(file) == load(file)


REQUIRED = {
    "http": 'url = "http://acme.example/"',
    "https": 'url = "https://acme.example/"',
    "dns": 'query = "acme.example"',
}


async def test_services_of_every_type_are_read_apart(tmp_path: Path) -> None:
    service = SERVER.replace("web-01", "{0}") + '[[server.service]]\nname = "a"\ntype = "{0}"\n{1}\n'
    file = written(tmp_path, "".join(service.format(name, REQUIRED.get(name, "")) for name in CHECK_TYPES))
    assert await load_in_process(file) == load(file)


async def test_an_entry_that_says_the_same_is_the_same_object(tmp_path: Path) -> None:
    file = written(tmp_path, CUSTOMER + SERVER + SERVICE + SUBSCRIPTION + MANY)
    running = load(file)
    written(tmp_path, CUSTOMER.replace("Acme Ltd", "Acme Holding") + SERVER + SERVICE + SUBSCRIPTION + MANY)
    found = await load_in_process(file, running)
    assert all(one is other for one, other in zip(found.servers, running.servers, strict=True))
    assert found.subscriptions[0] is running.subscriptions[0]
    assert found.customers[0] is not running.customers[0]


async def test_every_fault_comes_back(tmp_path: Path) -> None:
    file = written(tmp_path, CUSTOMER + SERVER + SERVICE + SUBSCRIPTION)
    running = load(file)
    written(tmp_path, CUSTOMER.replace("it@", "it") + SERVER.replace("level = 4", "level = 9"))
    with pytest.raises(ConfigError) as apart:
        await load_in_process(file, running)
    with pytest.raises(ConfigError) as here:
        load(file)
    assert apart.value.faults == here.value.faults
    assert len(apart.value.faults) > 1


async def test_a_reader_that_dies_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, CUSTOMER + SERVER + SERVICE + SUBSCRIPTION)
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    with pytest.raises(InputError, match="ended with"):
        await load_in_process(file)
