from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from monitor.model import Outcome
from tests.fakes import cert_expiry
from tests.probes.scripted_server import (
    PageServer,
    ScriptedServer,
    answers_and_hangs,
    page,
    redirect,
    resets,
    sends,
    sends_and_hangs,
)

if TYPE_CHECKING:
    from tests.probes.conftest import AttemptFunction

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)


@dataclass
class Authority:
    """Issues certificates, and is trusted by whoever is given its file."""

    ca: trustme.CA
    file: Path

    def tls(self, *names: str, expires: dt.datetime = NOW + DAY, starts: dt.datetime = NOW - 9 * DAY) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names, not_before=starts, not_after=expires).configure_cert(context)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    ca = trustme.CA()
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)


async def test_a_certificate_in_force_is_ok_and_its_expiry_is_told(
    attempt: AttemptFunction, authority: Authority
) -> None:
    async with ScriptedServer(PageServer({"/": page()}), authority.tls("127.0.0.1")) as server:
        seen = await attempt("https", url=server.url(scheme="https"), ca_file=authority.file)
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")
    assert cert_expiry(seen) == int((NOW + DAY).timestamp())
    assert [step.name for step in seen.steps] == ["connect", "tls", "send", "first-byte", "body"]
    assert seen.steps[1].text.startswith("TLS")


async def test_the_expiry_is_that_of_whichever_certificate_of_the_chain_is_first(
    attempt: AttemptFunction, authority: Authority
) -> None:
    between = trustme.CA(parent_cert=authority.ca)
    authority_ends = dt.datetime(3000, 1, 1, tzinfo=dt.UTC)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    between.issue_cert("127.0.0.1", not_after=dt.datetime(3500, 1, 1, tzinfo=dt.UTC)).configure_cert(context)
    async with ScriptedServer(PageServer({"/": page()}), context) as server:
        seen = await attempt("https", url=server.url(scheme="https"), ca_file=authority.file)
    assert seen.outcome is Outcome.OK
    assert cert_expiry(seen) == int(authority_ends.timestamp())


async def test_the_expiry_is_that_of_the_trusted_chain_not_of_an_unneeded_one(
    attempt: AttemptFunction, authority: Authority, tmp_path: Path
) -> None:
    ends = NOW + 90 * DAY
    leaf, unneeded = authority.ca.issue_cert("127.0.0.1", not_after=ends), authority.ca.issue_cert("x", not_after=NOW)
    pem = tmp_path / "chain.pem"
    pem.write_bytes(leaf.private_key_and_cert_chain_pem.bytes() + unneeded.cert_chain_pems[0].bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    async with ScriptedServer(PageServer({"/": page()}), context) as server:
        seen = await attempt("https", url=server.url(scheme="https"), ca_file=authority.file)
        unverified = await attempt("https", url=server.url(scheme="https"), verify_certificate=False)
    assert seen.certificate == unverified.certificate
    assert seen.certificate is not None
    assert (seen.certificate.expiry, seen.certificate.earliest_expiry) == (int(ends.timestamp()), int(NOW.timestamp()))


async def test_certificates_are_told_apart_by_their_fingerprint(attempt: AttemptFunction, authority: Authority) -> None:
    async with ScriptedServer(PageServer({"/": page()}), authority.tls("127.0.0.1")) as server:
        first = await attempt("https", url=server.url(scheme="https"), ca_file=authority.file)
        again = await attempt("tls", port=server.port, ca_file=authority.file)
    async with ScriptedServer(PageServer({"/": page()}), authority.tls("127.0.0.1")) as server:
        renewed = await attempt("tls", port=server.port, ca_file=authority.file)
    assert first.certificate is not None
    assert renewed.certificate is not None
    assert first.certificate == again.certificate
    assert first.certificate.fingerprint != renewed.certificate.fingerprint
    assert len(first.certificate.fingerprint) == 64


@pytest.mark.parametrize(
    ("name", "starts", "expires", "reason"),
    [
        ("127.0.0.1", NOW - 9 * DAY, NOW - DAY, "tls_expired"),
        ("127.0.0.1", NOW + DAY, NOW + 9 * DAY, "tls_early"),
        ("127.0.0.2", NOW - DAY, NOW + DAY, "tls_name"),
        ("www.acme.example", NOW - DAY, NOW + DAY, "tls_name"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_a_fail_and_the_reason_says_why(
    attempt: AttemptFunction, authority: Authority, name: str, starts: dt.datetime, expires: dt.datetime, reason: str
) -> None:
    async with ScriptedServer(PageServer({"/": page()}), authority.tls(name, starts=starts, expires=expires)) as server:
        seen = await attempt("https", url=server.url(scheme="https"), ca_file=authority.file)
        unverified = await attempt("https", url=server.url(scheme="https"), verify_certificate=False)
        refused = await attempt("tls", port=server.port, ca_file=authority.file)
    assert (seen.outcome, seen.reason, refused.reason) == (Outcome.FAIL, reason, reason)
    assert unverified.outcome is Outcome.OK
    assert cert_expiry(unverified) == int(expires.timestamp())
    assert seen.certificate == refused.certificate == unverified.certificate
    assert seen.steps[-1].text.splitlines()[0] == reason
    left = "expired" if reason == "tls_expired" else "days left: "
    assert f"until {expires:%Y-%m-%dT%H:%M:%SZ}, {left}" in seen.steps[-1].text


async def test_a_certificate_of_an_unknown_authority_is_a_fail(attempt: AttemptFunction, authority: Authority) -> None:
    async with ScriptedServer(PageServer({"/": page()}), authority.tls("127.0.0.1")) as server:
        seen = await attempt("https", url=server.url(scheme="https"))
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "tls_untrusted")


async def test_authorities_that_change_are_read_again(
    attempt: AttemptFunction, authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "changing.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    async with ScriptedServer(PageServer({"/": page()}), authority.tls("127.0.0.1")) as server:
        before = await attempt("https", url=server.url(scheme="https"), ca_file=file)
        file.unlink()
        missing = await attempt("https", url=server.url(scheme="https"), ca_file=file)
        authority.ca.cert_pem.write_to_path(str(file))
        after = await attempt("https", url=server.url(scheme="https"), ca_file=file)
    assert before.reason == "tls_untrusted"
    assert (missing.outcome, missing.reason) == (Outcome.UNKNOWN, "authorities not readable")
    assert after.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("says_what", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "tls: wrong version number"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "tls: no common cipher"),
    ],
)
async def test_a_server_that_does_not_speak_tls_is_a_fail(
    attempt: AttemptFunction, says_what: bytes, reason: str
) -> None:
    async with ScriptedServer(sends(says_what)) as server:
        seen = await attempt("https", url=server.url(scheme="https"))
        same = await attempt("tls", port=server.port)
    assert (seen.outcome, seen.reason, same.reason) == (Outcome.FAIL, reason, reason)


async def test_a_server_that_wants_a_certificate_of_ours_is_a_fail(
    attempt: AttemptFunction, authority: Authority
) -> None:
    context = authority.tls("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    async with ScriptedServer(PageServer({"/": page()}), context) as server:
        seen = await attempt("https", url=server.url(scheme="https"), ca_file=authority.file)
    assert seen.outcome is Outcome.FAIL
    # which of the server's alert and its hanging up is seen first is a race
    assert seen.reason.partition(":")[0] in {"tls", "reset", "closed"}


async def test_a_reset_in_the_handshake_is_a_fail(attempt: AttemptFunction) -> None:
    async with ScriptedServer(resets) as server:
        seen = await attempt("https", url=server.url(scheme="https"))
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "reset")


async def test_a_silent_handshake_is_a_fail(attempt: AttemptFunction) -> None:
    async with ScriptedServer(sends_and_hangs(b"")) as server:
        seen = await attempt("https", 0.15, url=server.url(scheme="https"))
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "timeout")


async def test_a_redirect_to_a_page_with_a_bad_certificate_is_a_fail(
    attempt: AttemptFunction, authority: Authority
) -> None:
    async with (
        ScriptedServer(PageServer({"/": page()}), authority.tls("127.0.0.1")) as secure,
        ScriptedServer(PageServer({"/": redirect(secure.url(scheme="https"))})) as plain,
    ):
        seen = await attempt("http", url=plain.url())
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "tls_untrusted")


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize(("answer", "outcome"), [(page(), Outcome.OK), (b"HTTP/1.1 200", Outcome.FAIL)])
async def test_a_server_that_stays_on_the_line_holds_no_descriptor_of_ours(
    attempt: AttemptFunction, authority: Authority, answer: bytes, outcome: Outcome
) -> None:
    with answers_and_hangs(authority.tls("127.0.0.1"), answer) as port:
        before = descriptors()
        seen = await attempt("https", 0.5, url=f"https://127.0.0.1:{port}/", ca_file=authority.file)
        await asyncio.sleep(0)  # the loop closes sockets one turn later
        after = descriptors()
    assert seen.outcome is outcome
    assert after - before == 1  # the server's end, which is a descriptor of this process too
