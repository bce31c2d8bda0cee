"""``monitor probe``: what was said and heard, when, and what to do about it."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from monitor.cli.failure_hints import failure_hint
from monitor.model import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Installation

HERE = '[[server]]\nid = "here"\naddress = "127.0.0.1"\nlevel = 4\n[[server.service]]\nname = "{}"\n{}\n'


@contextmanager
def greets(greeting: bytes, delay: float = 0.0) -> Iterator[int]:
    """Greet one caller, say so to whatever comes, and give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            caller, _ = listener.accept()
            with caller:
                time.sleep(delay)
                caller.sendall(greeting)
                while caller.recv(4096):
                    caller.sendall(b"221 bye\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def probed(site: Installation, keys: str) -> str:
    site.config.write_text("[monitor]\nretries = 0\n" + HERE.format("it", keys))
    return site.run("probe", "here", "--check", "it").out


def test_every_line_is_shown_with_its_time_and_who_said_it(site: Installation) -> None:
    with greets(b"220 ready\r\n") as port:
        said = probed(site, f'type = "ftp"\nport = {port}')
    lines = [re.sub(r" +[\d.]+ ms", " TIME", line) for line in said.splitlines()]
    assert lines == [
        f"here/it (ftp) 127.0.0.1:{port}: ok",
        "  attempt 1: ok in TIME",
        "    resolve TIME   127.0.0.1",
        f"    connect TIME   127.0.0.1 port {port}",
        "    first-byte TIME < 220 ready",
        "    send TIME > QUIT",
        "    receive TIME < 221 bye",
    ]


def test_what_a_server_said_that_was_no_answer_is_shown_under_the_reason(site: Installation) -> None:
    with greets(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n") as port:
        said = probed(site, f'type = "mysql"\nport = {port}')
    assert re.search(r"first-byte +[\d.]+ ms < protocol\n +< HTTP/1.1 400 Bad Request\n +< Server: x\n", said)
    assert said.splitlines()[-1].strip() == failure_hint("protocol")


def test_where_nobody_listens_the_place_and_the_remedy_are_told(site: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    said = probed(site, f'type = "imap"\nport = {port}')
    assert f"127.0.0.1 port {port}: refused" in said
    assert "nothing listens there" in said


@pytest.mark.parametrize(
    "reason", [*Reason, *(each.with_detail("a detail") for each in Reason), "unreachable: host (from ::1)"]
)
def test_there_is_something_to_do_about_every_reason(reason: str) -> None:
    assert failure_hint(reason)


def test_the_phrases_that_have_a_remedy_are_those_that_the_documents_tell_of() -> None:
    assert failure_hint("name not resolved")
    assert failure_hint("slot missed") == ""


def test_a_check_is_tried_as_its_own_keys_say(site: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    said = probed(site, f'type = "imap"\nport = {port}\nretries = 2\nretry_wait = 0')
    assert [line.split(":")[0].strip() for line in said.splitlines() if "attempt" in line] == [
        "attempt 1",
        "attempt 2",
        "attempt 3",
    ]


@pytest.mark.parametrize(("limit", "warned"), [("0.001", True), ("60", False)])
def test_a_slow_answer_is_ok_with_a_warning(site: Installation, limit: str, warned: bool) -> None:  # noqa: FBT001
    with greets(b"220 ready\r\n", delay=0.01) as port:
        said = probed(site, f'type = "ftp"\nport = {port}\nslower_than = {limit}')
    assert ": ok\n" in said
    assert ("  warning: slow: more than 0.001 s\n" in said) == warned == ("warning" in said)


def test_a_slow_answer_fails_where_the_check_says_so(site: Installation) -> None:
    with greets(b"220 ready\r\n", delay=0.01) as port:
        said = probed(site, f'type = "ftp"\nport = {port}\nslower_than = 0.001\nslow_is = "fail"')
    assert ": fail\n" in said
    assert failure_hint("slow") in said
    assert "warning" not in said
