"""Compressed bodies: what browsers decode is decoded, and what cannot be decoded is a failure where it matters."""

from __future__ import annotations

import contextlib
import gzip
import sys
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Outcome
from monitor.probes.http.content_coding import MAX_CODINGS, CodingError, decode
from tests.probes.scripted_server import ScriptedServer, page, sends

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from tests.probes.conftest import AttemptFunction

LIMIT = 1024 * 1024
TEXT = b"hello Acme, all is well\n" * 20
GZIP = gzip.compress(TEXT, mtime=0)
ZLIB = zlib.compress(TEXT)
BROTLI = brotli.compress(TEXT)
ZSTD = zstd.compress(TEXT)
ZSTD_WITH_CHECKSUM = zstd.compress(TEXT, options={zstd.CompressionParameter.checksum_flag: 1})
SKIPPABLE_ZSTD = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"


def named_gzip() -> bytes:
    """A file with all optional fields of its header."""
    header = (
        b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03" + b"\x04\0\0extr"[:2] + b"" + b"extr" + b"name\0" + b"comment\0" + b"\0\0"
    )
    return header + GZIP[10:]


def flushed(coding: str) -> bytes:
    """What a server leaves that flushes all it has to say, and hangs up without the mark of the end."""
    if coding == "br":
        packer = brotli.Compressor()
        return bytes(packer.process(TEXT) + packer.flush())
    if coding == "zstd":
        zstd_packer = zstd.ZstdCompressor()
        return zstd_packer.compress(TEXT) + zstd_packer.flush(mode=zstd.ZstdCompressor.FLUSH_BLOCK)
    zlib_packer = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    return zlib_packer.compress(TEXT) + zlib_packer.flush(zlib.Z_SYNC_FLUSH)


DECODED = {
    "gzip": ("gzip", GZIP),
    "the old name of gzip": ("x-gzip", GZIP),
    "gzip with a name and a comment": ("gzip", named_gzip()),
    "gzip without its checksum and length": ("gzip", GZIP[:-8]),
    "gzip without its length": ("gzip", GZIP[:-4]),
    "gzip with half a checksum": ("gzip", GZIP[:-6]),
    "gzip with a wrong checksum": ("gzip", GZIP[:-8] + b"12345678"),
    "gzip with zeros behind": ("gzip", GZIP + bytes(512)),
    "gzip with line ends behind": ("gzip", GZIP + b"\r\n\r\n"),
    "gzip with a comment of HTML behind": ("gzip", GZIP + b"<!-- cached -->"),
    "gzip in two files": ("gzip", gzip.compress(TEXT[:40]) + gzip.compress(TEXT[40:])),
    "gzip in two files, without the last checksum": ("gzip", gzip.compress(TEXT[:40]) + gzip.compress(TEXT[40:])[:-8]),
    "gzip flushed": ("gzip", flushed("gzip")),
    "deflate in zlib": ("deflate", ZLIB),
    "deflate in zlib without its checksum": ("deflate", ZLIB[:-4]),
    "deflate in zlib with a wrong checksum": ("deflate", ZLIB[:-4] + b"1234"),
    "deflate in zlib with zeros behind": ("deflate", ZLIB + bytes(9)),
    "deflate bare": ("deflate", ZLIB[2:-4]),
    "deflate bare with line ends behind": ("deflate", ZLIB[2:-4] + b"\r\n"),
    "deflate that is gzip": ("deflate", GZIP),
    "deflate flushed": ("deflate", flushed("deflate")),
    "Brotli": ("br", BROTLI),
    "Brotli with zeros behind": ("br", BROTLI + bytes(512)),
    "Brotli with line ends behind": ("br", BROTLI + b"\r\n"),
    "Brotli flushed": ("br", flushed("br")),
    "Zstandard": ("zstd", ZSTD),
    "Zstandard with a checksum": ("zstd", ZSTD_WITH_CHECKSUM),
    "Zstandard without its checksum": ("zstd", ZSTD_WITH_CHECKSUM[:-4]),
    "Zstandard with half a checksum": ("zstd", ZSTD_WITH_CHECKSUM[:-2]),
    "Zstandard with zeros behind": ("zstd", ZSTD + bytes(512)),
    "Zstandard in two frames": ("zstd", zstd.compress(TEXT[:40]) + zstd.compress(TEXT[40:])),
    "Zstandard behind a frame to skip": ("zstd", SKIPPABLE_ZSTD + ZSTD),
    "Zstandard flushed": ("zstd", flushed("zstd")),
    "Brotli in gzip": ("br, gzip", gzip.compress(BROTLI)),
    "gzip without checksums in gzip": ("gzip, gzip", gzip.compress(GZIP[:-8])[:-8]),
    "a list with identity and nothing": ("identity,, GZIP ,", GZIP),
    "two headers": ("identity\r\nContent-Encoding: gzip", GZIP),
    "two headers of two codings": ("deflate\r\ncontent-encoding: zstd", zstd.compress(ZLIB)),
    "an encoding of characters": ("utf-8", TEXT),
    "a name of nothing": ("none", TEXT),
    "the chunks of a storage service": ("aws-chunked", TEXT),
}

NOT_DECODED = {
    "gzip that is text": ("gzip", TEXT),
    "gzip that is Brotli": ("gzip", BROTLI),
    "gzip cut in the middle": ("gzip", GZIP[:20]),
    "gzip cut in its header": ("gzip", GZIP[:9]),
    "gzip that is damaged": ("gzip", GZIP[:10] + b"\xff" * 4 + GZIP[14:]),
    "deflate that is text": ("deflate", TEXT),
    "deflate cut in the middle": ("deflate", ZLIB[:20]),
    "Brotli that is text": ("br", b"Fatal error: " + TEXT),
    "Brotli cut in the middle": ("br", BROTLI[:20]),
    "Brotli that is gzip": ("br", GZIP),
    "Zstandard that is text": ("zstd", TEXT),
    "Zstandard cut in the middle": ("zstd", ZSTD[:20]),
    "Zstandard with a wrong checksum": ("zstd", ZSTD_WITH_CHECKSUM[:-4] + b"1234"),
    "gzip compressed once that is said to be compressed twice": ("gzip, gzip", GZIP),
    "codings in the wrong order": ("gzip, br", gzip.compress(BROTLI)),
    "more codings than are decoded": (", ".join(["gzip"] * (MAX_CODINGS + 1)), GZIP),
    "a coding that is not known": ("compress", b"\x1f\x9d\x90" + TEXT),
    "a coding of a dictionary": ("dcz", b"\x5e\x2a\x4d\x18\x20\0\0\0" + ZSTD),
    "a known coding in one that is not known": ("gzip, exi", GZIP),
}


def packed(coding: str, body: bytes) -> bytes:
    return page(body, headers=f"Content-Encoding: {coding}\r\n")


@pytest.mark.parametrize("what", DECODED)
async def test_a_body_that_browsers_decode_is_searched(attempt: AttemptFunction, what: str) -> None:
    async with ScriptedServer(sends(packed(*DECODED[what]))) as server:
        found = await attempt("http", url=server.url(), expect="Acme, all is well")
        forbidden = await attempt("http", url=server.url(), forbid="Acme, all is well")
    assert (found.outcome, found.reason) == (Outcome.OK, "")
    assert (forbidden.outcome, forbidden.reason) == (Outcome.FAIL, "content: forbidden text")


@pytest.mark.parametrize(
    "keys", [{"expect": "Acme"}, {"forbid": "Fatal error"}, {"expect_pattern": "."}, {"expect_json": ("a = 1",)}]
)
@pytest.mark.parametrize("what", NOT_DECODED)
async def test_a_body_that_cannot_be_decoded_is_a_failure_where_it_is_searched(
    attempt: AttemptFunction, what: str, keys: dict[str, object]
) -> None:
    async with ScriptedServer(sends(packed(*NOT_DECODED[what]))) as server:
        seen = await attempt("http", url=server.url(), **keys)
    assert (seen.outcome, seen.reason) == (Outcome.FAIL, "content: encoding")


@pytest.mark.parametrize("what", NOT_DECODED)
async def test_a_body_of_which_nothing_is_expected_is_not_decoded(attempt: AttemptFunction, what: str) -> None:
    async with ScriptedServer(sends(packed(*NOT_DECODED[what]))) as server:
        seen = await attempt("http", url=server.url())
    assert (seen.outcome, seen.reason) == (Outcome.OK, "")


@pytest.mark.parametrize(
    ("raw", "keys", "shown"),
    [
        (page(b"hello"), {}, "5 bytes"),
        (packed("gzip", GZIP), {}, f"{len(GZIP)} bytes, gzip"),
        (packed("identity, gzip", GZIP), {"expect": "Acme"}, f"{len(GZIP)} bytes, gzip: {len(TEXT)} bytes decoded"),
        (packed("br", b"\xff" * 9), {"forbid": "x"}, "9 bytes, br: damaged, begins ff ff ff ff ff ff ff ff"),
        (packed("gzip", b"Fatal"), {"forbid": "x"}, "5 bytes, gzip: no gzip, begins 46 61 74 61 6c"),
        (
            packed("gzip", GZIP[:-9]),
            {"forbid": "x"},
            f"{len(GZIP) - 9} bytes, gzip: cut short, begins 1f 8b 08 00 00 00",
        ),
    ],
)
async def test_the_step_shows_what_came(
    attempt: AttemptFunction, raw: bytes, keys: dict[str, object], shown: str
) -> None:
    async with ScriptedServer(sends(raw)) as server:
        seen = await attempt("http", url=server.url(), **keys)
    assert seen.steps[-1].text.startswith(shown)


BOMB = bytes(64 * LIMIT)
BOMBS = {
    "gzip": gzip.compress(BOMB),
    "deflate": zlib.compress(BOMB),
    "br": brotli.compress(BOMB, quality=5),
    "zstd": zstd.compress(BOMB),
    "gzip, gzip, gzip": gzip.compress(gzip.compress(gzip.compress(BOMB))),
    "br, zstd": zstd.compress(brotli.compress(BOMB, quality=5)),
}


@pytest.mark.parametrize("coding", BOMBS)
def test_a_compressed_cannot_fill_the_memory(coding: str) -> None:
    tracemalloc.start()
    try:
        body = decode(BOMBS[coding], tuple(coding.split(", ")), LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert body == bytes(LIMIT)
    assert peak < 8 * LIMIT


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"") * 20_000),
        ("zstd", zstd.compress(b"") * 50_000),
        ("zstd", b"\x50\x2a\x4d\x18\0\0\0\0" * 50_000),
    ],
)
def test_a_body_of_countless_compressed_files_is_not_decoded(coding: str, body: bytes) -> None:
    with pytest.raises(CodingError, match="too many parts"):
        decode(body, (coding,), LIMIT)


def test_a_window_larger_than_browsers_allow_is_not_reserved() -> None:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    with pytest.raises(CodingError, match="damaged"):
        decode(packer.compress(TEXT) + packer.flush(), ("zstd",), LIMIT)


def test_a_body_that_is_not_read_to_its_end_must_give_all_that_is_searched() -> None:
    packer = zlib.compressobj(wbits=31)
    whole = packer.compress(bytes(LIMIT)) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert decode(whole, ("gzip",), LIMIT, is_cut=True) == bytes(LIMIT)
    with pytest.raises(CodingError, match="cut short"):
        decode(whole, ("gzip",), LIMIT + 1, is_cut=True)


@given(st.binary(max_size=3000), st.sampled_from(["gzip", "deflate", "br", "zstd"]), st.integers(0, 3000))
def test_a_body_is_decoded_whole_or_not_at_all(body: bytes, coding: str, cut: int) -> None:
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}[coding]
    compressed = pack(body)
    assert decode(compressed, (coding,), LIMIT) == body
    shorter = compressed[: max(1, len(compressed) - cut)]
    try:
        assert decode(shorter, (coding,), LIMIT) == body
    except CodingError:
        assert cut > 0


@given(st.binary(max_size=500), st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd", "x"]), max_size=6))
def test_any_bytes_are_decoded_or_refused(body: bytes, codings: list[str]) -> None:
    for begin in (b"", GZIP[:12], ZLIB[:3], BROTLI[:5], ZSTD[:9]):
        with contextlib.suppress(CodingError):
            assert len(decode(begin + body, tuple(codings), 1000)) <= 1000
