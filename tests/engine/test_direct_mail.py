"""Mail to the operators without the database: it leaves at once, and one subject once in some hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.engine.direct_mail import MIN_INTERVAL_MS, STAMP_FILE, send_direct
from monitor.mail.delivery.transport import Receipt, TransportError
from tests.fakes import START, make_context, make_server

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.mail.message import Message

CONTEXT = make_context([make_server("web-01")], [])


class KeepingTransport:
    """Keeps what it is given, or refuses."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.sent: list[tuple[Message, tuple[str, ...]]] = []

    async def send(self, message: Message, recipients: tuple[str, ...]) -> Receipt:
        if self.refuses:
            raise TransportError(permanent=False, text="relay away")
        self.sent.append((message, recipients))
        return Receipt("250 ok")


async def test_the_operators_get_it_at_once(tmp_path: Path) -> None:
    relay = KeepingTransport()
    assert await send_direct(relay, CONTEXT, tmp_path, "lost", ["it is <gone>", "put it back"], START)
    [(message, recipients)] = relay.sent
    assert (message.subject, message.text, recipients) == ("lost", "it is <gone>\n\nput it back\n", message.recipients)
    assert "&lt;gone&gt;" in message.html
    assert set(recipients) == {address for group in CONTEXT.addresses(None) for address in group}


async def test_one_subject_leaves_once_in_some_hours_also_after_a_restart(tmp_path: Path) -> None:
    relay = KeepingTransport()
    for at in (START, START + 1, START + MIN_INTERVAL_MS - 1):
        assert await send_direct(relay, CONTEXT, tmp_path, "lost", ["x"], at)
    assert len(relay.sent) == 1
    assert await send_direct(relay, CONTEXT, tmp_path, "another", ["x"], START)
    assert await send_direct(relay, CONTEXT, tmp_path, "lost", ["x"], START + MIN_INTERVAL_MS)
    assert len(relay.sent) == 3


@pytest.mark.logs_errors
async def test_a_relay_that_refuses_is_asked_again(tmp_path: Path) -> None:
    assert not await send_direct(KeepingTransport(refuses=True), CONTEXT, tmp_path, "lost", ["x"], START)
    assert await send_direct(relay := KeepingTransport(), CONTEXT, tmp_path, "lost", ["x"], START)
    assert len(relay.sent) == 1


@pytest.mark.parametrize("text", ["", "[]", "null", '{"lost": "x"}'])
async def test_a_stamp_that_cannot_be_read_stops_no_mail(tmp_path: Path, text: str) -> None:
    (tmp_path / STAMP_FILE).write_text(text)
    assert await send_direct(relay := KeepingTransport(), CONTEXT, tmp_path, "lost", ["x"], START)
    assert len(relay.sent) == 1
