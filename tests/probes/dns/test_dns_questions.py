"""DNS: how a question is asked, and asked again of servers that do not understand EDNS."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from monitor.model import Outcome
from tests.probes.nameserver import UdpNameServer
from tests.probes.scripted_server import ScriptedServer

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from tests.probes.conftest import AttemptFunction

    Refusal = Callable[[dns.message.Message], bytes | None]

NAME = "www.example."


def answer_to(question: dns.message.Message) -> bytes:
    response = dns.message.make_response(question)
    response.answer.append(dns.rrset.from_text(NAME, 60, "IN", "A", "192.0.2.1"))
    return response.to_wire()


def with_code(code: dns.rcode.Rcode) -> Refusal:
    def refuse(question: dns.message.Message) -> bytes:
        response = dns.message.make_response(question)
        response.set_rcode(code)
        return response.to_wire()

    return refuse


def without_edns(code: dns.rcode.Rcode) -> Refusal:
    def refuse(question: dns.message.Message) -> bytes:
        question.use_edns(-1)
        return with_code(code)(question) or b""

    return refuse


def header_only(question: dns.message.Message) -> bytes:
    return question.id.to_bytes(2) + b"\x81\x01" + bytes(8)


def header_that_promises_more(question: dns.message.Message) -> bytes:
    return question.id.to_bytes(2) + b"\x81\x81\0\1\0\0\0\0\0\1"


def silence(_question: dns.message.Message) -> None:
    return None


REFUSALS: dict[str, Refusal] = {
    "FORMERR": without_edns(dns.rcode.FORMERR),
    "FORMERR with EDNS": with_code(dns.rcode.FORMERR),
    "FORMERR, header only": header_only,
    "FORMERR, cut short": header_that_promises_more,
    "NOTIMP": without_edns(dns.rcode.NOTIMP),
    "BADVERS": with_code(dns.rcode.BADVERS),
    "silence": silence,
}


def old_server(refuse: Refusal, heard: list[dns.message.Message]) -> Callable[[socket.socket, bytes, Any], None]:
    def answer(sock: socket.socket, wire: bytes, address: Any) -> None:
        question = dns.message.from_wire(wire)
        heard.append(dns.message.from_wire(wire))
        said = refuse(question) if question.edns >= 0 else answer_to(question)
        if said is not None:
            with contextlib.suppress(ConnectionError):
                sock.sendto(said, address)

    return answer


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_server_that_does_not_understand_edns_is_asked_without(attempt: AttemptFunction, refusal: str) -> None:
    heard: list[dns.message.Message] = []
    with UdpNameServer(old_server(REFUSALS[refusal], heard)) as server:
        seen = await attempt("dns", 3.0, port=server.port, query=NAME, record="A", answers=("192.0.2.1",))
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps
    assert [question.edns for question in heard] == [0, -1]


@pytest.mark.parametrize("code", [dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS])
async def test_an_expected_code_is_not_asked_about_again(attempt: AttemptFunction, code: dns.rcode.Rcode) -> None:
    heard: list[dns.message.Message] = []
    with UdpNameServer(old_server(with_code(code), heard)) as server:
        seen = await attempt("dns", 3.0, port=server.port, query=NAME, record="A", rcode=dns.rcode.to_text(code))
    assert (seen.outcome, seen.reason, len(heard)) == (Outcome.OK, "", 1), seen.steps


@pytest.mark.parametrize("code", [dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_a_server_that_refuses_in_any_case_fails(attempt: AttemptFunction, code: dns.rcode.Rcode) -> None:
    def answer(sock: socket.socket, wire: bytes, address: Any) -> None:
        sock.sendto(without_edns(code)(dns.message.from_wire(wire)) or b"", address)

    with UdpNameServer(answer) as server:
        seen = await attempt("dns", 3.0, port=server.port, query=NAME, record="A")
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, f"status: {dns.rcode.to_text(code)}")


@pytest.mark.parametrize("recursion", [True, False])
@pytest.mark.parametrize("refusal", [None, "FORMERR", "BADVERS"])
async def test_over_tcp_one_connection_is_one_question(
    attempt: AttemptFunction, refusal: str | None, *, recursion: bool
) -> None:
    heard: list[dns.message.Message] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        question = dns.message.from_wire(wire)
        heard.append(dns.message.from_wire(wire))
        refuses = refusal is not None and question.edns >= 0
        said = REFUSALS[refusal](question) if refusal is not None and refuses else answer_to(question)
        assert said is not None
        writer.write(len(said).to_bytes(2) + said)

    async with ScriptedServer(script) as server:
        seen = await attempt("dns", port=server.port, query=NAME, record="A", transport="tcp", recursion=recursion)
    assert (seen.outcome, seen.reason) == (Outcome.OK, ""), seen.steps
    assert [question.edns for question in heard] == ([0] if refusal is None else [0, -1])
    assert {bool(question.flags & dns.flags.RD) for question in heard} == {recursion}


async def test_a_question_without_recursion_is_one_over_udp_too(attempt: AttemptFunction) -> None:
    heard: list[dns.message.Message] = []
    with UdpNameServer(old_server(silence, heard)) as server:
        seen = await attempt("dns", 3.0, port=server.port, query=NAME, record="A", recursion=False)
    assert seen.outcome is Outcome.OK
    assert not any(question.flags & dns.flags.RD for question in heard)
