"""Passwords stay in their files: whatever a server says again of them, nobody sees it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.probes.credentials import Credentials, decode_password
from monitor.probes.failures import ProbeError
from monitor.probes.redaction import MASK, Redactor
from tests.probes.scripted_server import PageServer, ScriptedServer, page, redirect

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from monitor.probes.probe import Attempt
    from tests.probes.conftest import AttemptFunction
    from tests.probes.scripted_server import Script

PASSWORD = 'gizli "42" & çok/uzun'
TOKEN = base64.b64encode(f"sla:{PASSWORD}".encode()).decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "password"
    found.write_text(PASSWORD + "\n", encoding="utf-8")
    return found


def parrot(greeting: bytes, prefix: bytes = b"") -> Script:
    """Say again whatever is said, after a greeting."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        while line := await reader.readline():
            writer.write(prefix + line)
            await writer.drain()

    return script


def assert_hidden(seen: Attempt) -> None:
    told = "\n".join([seen.reason, *(step.text for step in seen.steps)])
    assert MASK in told
    for secret in (PASSWORD, PASSWORD.replace('"', '\\"'), TOKEN, TOKEN[8:24], "gizli"):
        assert secret not in told


@pytest.mark.parametrize(
    ("kind", "greeting", "prefix"),
    [
        ("redis", b"", b"-ERR wrong: "),
        ("pop3", b"+OK\r\n+OK\r\n.\r\n+OK\r\n", b"-ERR "),
        ("imap", b"* OK\r\nm1 OK\r\n", b"m4 NO "),
        ("smtp", b"220 x\r\n250 x\r\n", b"535 no "),
        ("ftp", b"220 x\r\n331 x\r\n", b"530 "),
    ],
)
async def test_a_server_that_says_the_password_again_tells_it_to_nobody(
    attempt: AttemptFunction, file: Path, kind: str, greeting: bytes, prefix: bytes
) -> None:
    async with ScriptedServer(parrot(greeting, prefix)) as server:
        seen = await attempt(kind, port=server.port, user="sla", password_file=file)
    assert_hidden(seen)


async def test_a_page_that_shows_the_login_in_its_headers_tells_it_to_nobody(
    attempt: AttemptFunction, file: Path
) -> None:
    leak = f"X-Was: Basic {TOKEN}\r\nX-Password: {PASSWORD}\r\n"
    pages = {"/": redirect(f"/secret?{PASSWORD}", leak), "/secret?gizli%20%2242%22%20&%20%C3%A7ok/uzun": page()}
    async with ScriptedServer(PageServer(pages)) as server:
        seen = await attempt("http", url=server.url(), user="sla", password_file=file)
    assert_hidden(seen)


async def test_a_password_that_is_cut_off_at_the_end_of_what_is_shown_is_hidden_too(
    attempt: AttemptFunction, file: Path
) -> None:
    async with ScriptedServer(PageServer({"/": page(headers="X-Pad: " + "x" * 3930 + PASSWORD + "\r\n")})) as server:
        seen = await attempt("http", url=server.url(), user="sla", password_file=file)
    assert_hidden(seen)


@given(st.text(min_size=4), st.binary(max_size=5), st.binary(max_size=5))
def test_in_base64_a_password_is_hidden_wherever_it_begins(password: str, before: bytes, after: bytes) -> None:
    mask = Redactor()
    mask.add_secrets(password)
    text = base64.b64encode(before + password.encode() + after).decode()
    start = -(-len(before) * 4 // 3)
    decided = text[start : (len(before) + len(password.encode())) * 4 // 3]
    assert mask(text).count(decided) == 0


@given(st.text(min_size=1).filter(lambda text: not set(text) & set(MASK)), st.text(), st.text())
def test_a_password_as_it_stands_is_hidden_in_any_text(password: str, before: str, after: str) -> None:
    mask = Redactor()
    mask.add_secrets(password)
    assert password not in mask(before + password + after)


def test_without_secrets_a_text_is_as_it_is() -> None:
    assert Redactor()("220 mail.example.com") == "220 mail.example.com"


def test_a_password_that_changes_takes_effect_with_the_next_login(file: Path) -> None:
    secrets = Credentials({})
    assert secrets.read(file) == PASSWORD
    file.write_text("another\n")
    assert secrets.read(file) == "another"


def test_a_credential_of_the_files_name_is_read_in_its_place(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    secrets = Credentials({"CREDENTIALS_DIRECTORY": str(folder)})
    assert secrets.read(file) == PASSWORD
    (folder / "password").write_text("given by systemd")
    assert secrets.read(file) == "given by systemd"
    assert secrets.read(tmp_path / "elsewhere" / "password") == "given by systemd"


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\xfe", None])
def test_what_is_no_password_makes_a_login_unknown(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ProbeError, match="password not readable"):
        Credentials({}).read(file)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b"\xef\xbb\xbfsecret\r\n", "secret"),
        ("\N{BYTE ORDER MARK}g\u00fczel\r\n".encode("utf-16-le"), "g\u00fczel"),
        ("\N{BYTE ORDER MARK}secret\n".encode("utf-16-be"), "secret"),
        (b" a b \r\n", " a b "),
        ("g\u00fczel\x0b\u2028".encode(), "g\u00fczel\x0b\u2028"),
    ],
)
def test_a_password_is_read_as_editors_of_any_system_write_it(content: bytes, password: str) -> None:
    assert decode_password(content) == password


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\r\n", b"\xef\xbb\xbf", b"a\nb", b"a\r\nb\r\n", b"a\rb", b"\xff\xfea"]
)
def test_a_file_that_is_not_one_line_of_text_has_no_password(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"line|decode"):
        decode_password(content)
