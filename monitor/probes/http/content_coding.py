"""Compressed bodies: gzip, deflate, Brotli and Zstandard, one over the other where a server says so.

The rules are those of browsers: a checksum may be missing, and bytes behind the compressed data are ignored. A body
that ends within the compressed data cannot be decoded. The decoded size and the work for it are bounded.
"""

from __future__ import annotations

import re
import sys
import zlib
from typing import TYPE_CHECKING

import brotli

from monitor.probes.redaction import printable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_CODINGS = 5
"""Codings that may lie one over the other."""
MAX_FRAMES = 1000
"""Compressed files that may follow each other in one body: each costs microseconds, even an empty one."""
_PIECE = 16 * 1024
"""Bytes that are decoded at a time: libraries copy what follows the end of a compressed file."""
_IDENTITY = ("", "identity")
_NOT_IN_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that only binary data contains (https://mimesniff.spec.whatwg.org/#binary-data-byte)."""


class CodingError(Exception):
    """A body cannot be decoded; its text says why, in words of our own."""


class BodySummary:
    """What came as a body, for the steps of an attempt; completed when the body is decoded."""

    __slots__ = ("_codings", "_size", "result")

    def __init__(self, size: int, codings: tuple[str, ...]) -> None:
        self._size = size
        self._codings = codings
        self.result = ""
        """The result of decoding it."""

    def __str__(self) -> str:
        text = f"{self._size} bytes, {', '.join(self._codings)}"
        return printable(f"{text}: {self.result}" if self.result else text)


def parse_codings(values: Iterable[bytes]) -> tuple[str, ...]:
    """Return what the headers ``Content-Encoding`` name, in small letters and in the order of encoding."""
    names = (name.strip().lower() for value in values for name in value.decode("latin-1").split(","))
    return tuple(name for name in names if name not in _IDENTITY)


def decode(body: bytes, codings: tuple[str, ...], limit: int, *, is_cut: bool = False) -> bytes:
    """Return the uncompressed body, ``limit`` bytes at most. Raises ``CodingError``.

    ``is_cut`` says that the compressed body was not read to its end: then what it gives must reach the limit.

    An unknown coding is ignored, as browsers do (some servers name an encoding of characters there), but only where
    the body is text: nothing can be searched in what is encoded in an unknown way.
    """
    if len(codings) > MAX_CODINGS:
        raise CodingError("too many codings")
    if any(coding not in _DECODERS for coding in codings):
        if _NOT_IN_TEXT.search(body):
            raise CodingError("unknown coding")
        return body[:limit]
    for coding in reversed(codings):
        if not body:
            return body
        decoded = bytearray()
        is_whole = _DECODERS[coding](memoryview(body), decoded, limit)
        is_full = len(decoded) >= limit
        if not is_full and (is_cut or not is_whole):
            raise CodingError("cut short")
        is_cut = is_full
        body = bytes(decoded[:limit])
    return body


# --- one decoder a coding: it decodes into ``out``, about ``limit`` bytes, and returns whether it reached the end -----


def _decode_gzip(data: memoryview, out: bytearray, limit: int) -> bool:
    at = 0
    for number in range(MAX_FRAMES):
        start = _gzip_data_start(data, at)
        if start is None:
            if number == 0:
                raise CodingError("no gzip")
            return True
        at, is_whole = _inflate(data, start, out, limit)
        if not is_whole or len(out) >= limit:
            return is_whole
        at += _GZIP_TRAILER
    raise CodingError("too many parts")


_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_HEADER = 10
_GZIP_TRAILER = 8
_MAX_GZIP_NAME = 4096
_HAS_CHECKSUM, _HAS_EXTRA, _HAS_NAME, _HAS_COMMENT = 2, 4, 8, 16


def _gzip_data_start(data: memoryview, at: int) -> int | None:
    """Return where the compressed data of a file begins (RFC 1952, 2.3); None where there is no file at ``at``."""
    if data[at : at + 3] != _GZIP_MAGIC or len(data) < at + _GZIP_HEADER:
        return None
    flags = data[at + 3]
    at += _GZIP_HEADER
    if flags & _HAS_EXTRA:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (_HAS_NAME, _HAS_COMMENT):
        if flags & flag:
            at = bytes(data[at : at + _MAX_GZIP_NAME]).find(b"\0") + at + 1
    return at + 2 if flags & _HAS_CHECKSUM else at


def _decode_deflate(data: memoryview, out: bytearray, limit: int) -> bool:
    """Decode the zlib format, or bare deflate, or gzip: servers mean any of them by this name."""
    if data[:3] == _GZIP_MAGIC:
        return _decode_gzip(data, out, limit)
    if _is_zlib_header(data[:2]):
        try:
            return _inflate(data, 2, out, limit)[1]
        except CodingError:
            out.clear()
    return _inflate(data, 0, out, limit)[1]


_ZLIB_METHOD, _ZLIB_CHECK, _ZLIB_DICTIONARY = 8, 31, 0x20


def _is_zlib_header(header: memoryview) -> bool:
    return (
        header[0] & 0xF == _ZLIB_METHOD
        and int.from_bytes(header, "big") % _ZLIB_CHECK == 0
        and not header[-1] & _ZLIB_DICTIONARY
    )


_FLUSH_MARK = b"\0\0\xff\xff"
_LAST_EMPTY_BLOCK = b"\x03\0"


def _inflate(data: memoryview, at: int, out: bytearray, limit: int) -> tuple[int, bool]:
    """Decode bare deflate from ``at`` on; return where it ended, and whether it came to its end or to the limit."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        while at < len(data) and len(out) < limit:
            piece = data[at : at + _PIECE]
            out += stream.decompress(piece, limit - len(out))
            at += len(piece)
            if stream.eof:
                return at - len(stream.unused_data), True
        # a server may flush all that it has to say and hang up without the mark of the end
        if len(out) < limit and data[-4:] == _FLUSH_MARK:
            stream.decompress(_LAST_EMPTY_BLOCK, 1)
    except zlib.error:
        raise CodingError("damaged") from None
    return at, stream.eof or len(out) >= limit


_BROTLI_LAST_EMPTY_BLOCK = b"\x03"


def _decode_brotli(data: memoryview, out: bytearray, limit: int) -> bool:
    stream = brotli.Decompressor()
    at = 0
    try:
        while at < len(data) and len(out) < limit and not stream.is_finished():
            piece = data[at : at + _PIECE]
            _feed_brotli(stream, piece, out, limit)
            at += len(piece)
        if len(out) >= limit or stream.is_finished():
            return True
        return not stream.process(_BROTLI_LAST_EMPTY_BLOCK, output_buffer_limit=1) and stream.is_finished()
    except brotli.error:
        out.clear()
    return _decode_brotli_to_end(data, at, out, limit)


def _feed_brotli(stream: brotli.Decompressor, piece: memoryview, out: bytearray, limit: int) -> None:
    out += stream.process(piece, output_buffer_limit=limit - len(out))
    while len(out) < limit and not stream.can_accept_more_data():
        out += stream.process(b"", output_buffer_limit=limit - len(out))


def _decode_brotli_to_end(data: memoryview, at: int, out: bytearray, limit: int) -> bool:
    """Decode again what the library refused from ``at`` on: it does so where bytes follow the end.

    Each byte of the piece with the end is given alone, since the library does not say where the end is.
    """
    stream = brotli.Decompressor()
    try:
        for begin in range(0, at, _PIECE):
            _feed_brotli(stream, data[begin : begin + _PIECE], out, limit)
        for place in range(at, min(at + _PIECE, len(data))):
            _feed_brotli(stream, data[place : place + 1], out, limit)
            if stream.is_finished() or len(out) >= limit:
                return True
    except brotli.error:
        raise CodingError("damaged") from None
    return False


_ZSTD_MAGIC = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
_ZSTD_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
"""What browsers and RFC 9659 allow: a server could make this machine reserve gigabytes otherwise."""
_ZSTD_LAST_EMPTY_BLOCK = b"\x01\0\0"
_ZSTD_CHECKSUM = 4


def _decode_zstd(data: memoryview, out: bytearray, limit: int) -> bool:
    at = 0
    for number in range(MAX_FRAMES):
        if not _ZSTD_MAGIC.match(data[at : at + 4]):
            if number == 0:
                raise CodingError("no zstd")
            return True
        stream = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
        try:
            while at < len(data) and len(out) < limit and not stream.eof:
                piece = data[at : at + _PIECE]
                out += stream.decompress(piece, limit - len(out))
                at += len(piece)
        except zstd.ZstdError:
            raise CodingError("damaged") from None
        if len(out) >= limit:
            return True
        if not stream.eof:
            return _lacks_only_zstd_end(stream)
        at -= len(stream.unused_data)
    raise CodingError("too many parts")


def _lacks_only_zstd_end(stream: zstd.ZstdDecompressor) -> bool:
    """Whether only the checksum or the mark of the end is missing: then a substitute for it decodes to nothing."""
    try:
        for filling in (_ZSTD_LAST_EMPTY_BLOCK, bytes(_ZSTD_CHECKSUM)):
            if stream.decompress(filling, 1):
                return False
            if stream.eof:
                return True
    except zstd.ZstdError as error:
        return "checksum" in str(error)
    return False


_DECODERS: dict[str, Callable[[memoryview, bytearray, int], bool]] = {
    "gzip": _decode_gzip,
    "x-gzip": _decode_gzip,
    "deflate": _decode_deflate,
    "br": _decode_brotli,
    "zstd": _decode_zstd,
}
