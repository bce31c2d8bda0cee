"""Mails dropped as files."""

from __future__ import annotations

import email
import email.policy
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.mail.delivery.eml_files import FileTransport, file_name
from monitor.mail.delivery.transport import TransportError
from monitor.mail.message import Message

MAIL = Message(
    sender="SLA <sla@example.com>",
    to=("it@acme.example",),
    bcc=("noc@example.com",),
    subject="KESİNTİ web-01 (ping)",
    text="Kesinti\n",
    html="<p>Kesinti</p>\n",
    message_id="<first@example.com>",
    references=(),
    date=1_790_763_300_123,
    language="tr",
)


def dropped(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def test_a_mail_becomes_one_file_that_names_all_its_recipients(tmp_path: Path) -> None:
    receipt = await FileTransport(tmp_path / "data" / "mail").send(MAIL, MAIL.recipients)
    [path] = dropped(tmp_path / "data" / "mail")
    assert receipt.reply == f"file {path}"
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert (mail["To"], mail["Bcc"], mail["Subject"]) == ("it@acme.example", "noc@example.com", MAIL.subject)
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


async def test_a_repeat_replaces_its_own_file(tmp_path: Path) -> None:
    transport = FileTransport(tmp_path)
    await transport.send(MAIL, MAIL.recipients)
    [first] = dropped(tmp_path)
    content = first.read_bytes()
    await transport.send(MAIL, ("noc@example.com",))
    assert [path.read_bytes() for path in dropped(tmp_path)] == [content]


async def test_what_an_interrupted_write_left_behind_is_replaced(tmp_path: Path) -> None:
    unfinished = (tmp_path / file_name(MAIL)).with_suffix(".tmp")
    unfinished.write_bytes(b"x" * 100_000)
    await FileTransport(tmp_path).send(MAIL, MAIL.recipients)
    [path] = dropped(tmp_path)
    assert path.suffix == ".eml"
    assert b"xxx" not in path.read_bytes()


def test_file_names_sort_by_date_and_differ_by_message_id() -> None:
    dates = [0, 999, 1000, MAIL.date, MAIL.date + 1, MAIL.date + 86_400_000]
    names = [file_name(replace(MAIL, date=date)) for date in dates]
    assert names == sorted(names)
    assert names[3].startswith("20260930T101500.123Z-")
    assert len({file_name(replace(MAIL, message_id=f"<{number}@x>")) for number in range(100)}) == 100


def test_a_message_id_cannot_lead_out_of_the_folder() -> None:
    assert "/" not in file_name(replace(MAIL, message_id="<../../etc/passwd@x>\ud800"))


async def test_a_folder_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file")
    with pytest.raises(TransportError) as caught:
        await FileTransport(tmp_path / "mail").send(MAIL, MAIL.recipients)
    assert not caught.value.permanent
    assert caught.value.text == f"folder {tmp_path / 'mail'}: File exists"


async def test_a_folder_that_cannot_be_written_is_tried_again() -> None:
    with pytest.raises(TransportError) as caught:
        await FileTransport(Path("/proc/self")).send(MAIL, MAIL.recipients)
    assert not caught.value.permanent
    assert caught.value.text.startswith("folder /proc/self: ")


async def test_a_mail_with_what_is_no_address_will_never_leave(tmp_path: Path) -> None:
    with pytest.raises(TransportError) as caught:
        await FileTransport(tmp_path).send(replace(MAIL, to=("nobody",)), ("nobody",))
    assert caught.value.permanent
    assert dropped(tmp_path) == []
