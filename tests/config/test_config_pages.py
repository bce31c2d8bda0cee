"""The shipped configuration, and the page that describes every key, say what the program does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from monitor.config import load
from monitor.config.decode import REQUIRED, Key
from monitor.config.entries import SERVICE
from monitor.config.schema import ARRAY_TABLES, SINGLE_TABLES
from monitor.config.toml_writer import format_value
from monitor.config.validators import format_seconds

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "config.toml"
PAGE = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
TABLES = {f"[{name}]": keys for name, keys in SINGLE_TABLES.items()} | {
    f"[[{name}]]": keys for name, keys in ARRAY_TABLES.items()
}
IN_SECONDS = {"interval", "timeout", "retry_wait"}


def chapters(text: str, marks: str) -> dict[str, str]:
    """Return what stands under each heading of a level, by the heading without its backticks."""
    parts = re.split(rf"^{marks} (.+)$", text, flags=re.MULTILINE)[1:]
    return {title.strip("`"): body for title, body in zip(parts[::2], parts[1::2], strict=True)}


PARAMETERS = [pytest.param(table, key, id=f"{table} {key.name}") for table, keys in TABLES.items() for key in keys]


@pytest.mark.parametrize(("table", "key"), PARAMETERS)
def test_a_key_has_its_heading_and_its_default_on_the_page(table: str, key: Key) -> None:
    text = chapters(chapters(PAGE, "##")[table], "###")[key.name]
    if key.default is REQUIRED:
        assert "Required" in text
    elif key.default is None:
        assert re.search(r"Default: (follows from|no|none|open)\b", text)
    else:
        default = format_seconds(key.default) if isinstance(key.default, int) and key.name in IN_SECONDS else None
        assert f"Default: `{default or written(key.default)}`" in text


def written(default: object) -> str:
    return format_value(str(default) if hasattr(default, "browser_address") else default)


def test_the_page_describes_nothing_that_is_not_there() -> None:
    told = chapters(PAGE, "##")
    assert set(told) == {"At the top", f"[[server.{SERVICE}]]", *TABLES}
    for table, keys in TABLES.items():
        assert list(chapters(told[table], "###")) == [key.name for key in keys]


def test_messages_on_the_page_are_those_that_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "servers.d").mkdir()
    (tmp_path / "config.toml").write_text('include = ["servers.d/*.toml"]\n[monitor]\ntimeuot = 5\n')
    (tmp_path / "servers.d" / "acme.toml").write_text(
        '[[server]]\nid = "web-01"\naddress = "192.0.2.10"\nlevel = 5\n'
        '[[customer]]\nid = "acme"\nname = "Acme Ltd"\nemails = ["it@acme.example"]\n'
        '[[subscription]]\nid = "acme-web-01"\ncustomer = "acmee"\nserver = "web-01"\nproduct = "server"\n'
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match="timeuot") as caught:
        load(Path("config.toml"))
    assert f"```text\n{caught.value}\n```" in PAGE


class TestShipped:
    def test_it_watches_this_machine_alone(self) -> None:
        config = load(SHIPPED)
        (server,) = config.servers
        assert (server.address, server.level) == ("127.0.0.1", 4)
        assert [(check.key.name, check.type) for check in server.checks] == [
            ("ping", "icmp"),
            ("page", "http"),
            ("port", "tcp"),
        ]
        assert [one.product for one in config.subscriptions] == ["web-hosting"]

    def test_it_keeps_everything_beside_itself_and_to_itself(self) -> None:
        config = load(SHIPPED)
        assert config.data_dir == REPOSITORY / "data"
        assert config.email.transport == "file"
        assert config.web.listen == ("127.0.0.1", 9809)

    def test_its_page_is_the_one_that_it_watches(self) -> None:
        config = load(SHIPPED)
        watched = [check.settings for check in config.servers[0].checks if check.type == "http"]
        assert f'url="{config.web.public_url}healthz"' in repr(watched).replace("'", '"')

    def test_every_setting_in_its_comments_can_be_made(self, tmp_path: Path) -> None:
        text, made = re.subn(r"^#(?=[\w\[])", "", SHIPPED.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert made > 20
        (tmp_path / "config.toml").write_text(text, encoding="utf-8")
        (tmp_path / "servers.d").mkdir()
        shutil.copy(REPOSITORY / "tests" / "config" / "part.toml", tmp_path / "servers.d" / "part.toml")
        config = load(tmp_path / "config.toml")
        assert [customer.id for customer in config.customers] == ["example", "acme"]
        assert config.servers_by_id["localhost"].parent == "switch-a"

    def test_it_names_every_key_of_every_table(self) -> None:
        text = SHIPPED.read_text(encoding="utf-8")
        for keys in TABLES.values():
            for key in keys:
                assert re.search(rf"^#?{key.name} = ", text, flags=re.MULTILINE), key.name
