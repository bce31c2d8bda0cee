"""What a web server answers, as it comes: status and headers, then a body that is bounded.

The parser is llhttp, by httptools. It is told to overlook what browsers overlook: a page that people can read is up.
"""

from __future__ import annotations

import re
import zlib
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from monitor.model import Reason
from monitor.probes.failures import failed
from monitor.probes.redaction import printable

MOST_BODY = 1024 * 1024
"""Bytes of a body, unpacked, that are read and searched."""
MOST_HEAD = 256 * 1024
"""Bytes up to the end of the headers: policies in headers grow long, and that is no fault."""
MOST_HEADERS = 1000
MOST_SHOWN = 40
LONGEST_SHOWN = 4096
REDIRECTS = frozenset((301, 302, 303, 307, 308))
_SWITCHING = 101
_FINAL = 200
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([^\s"';]{1,40})""", re.IGNORECASE)
_CODECS = aliases | {codec: codec for codec in aliases.values()} | {"koi8_u": "koi8_u"}
"""Names of encodings as Python spells them: it would keep every other that it is asked for."""


class Answer:
    """One answer; ``feed`` it what comes, until it is ``complete``."""

    def __init__(self, *, keep: bool, bodyless: bool = False) -> None:
        """``keep`` the body, not only count it; or there is to be none, whatever the headers say (HEAD)."""
        self._bodyless = bodyless
        self.status = 0
        """0 until the headers are complete."""
        self.complete = False
        """Whether all of it is there, or as much as is read."""
        self._keep = keep
        self._headers: list[tuple[bytes, bytes]] = []
        self._kept = bytearray()
        self._heard = 0
        self._size = 0
        self._unpack: _Unpacker | None = None
        self._broken = False
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_data_after_close=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def feed(self, data: bytes) -> None:
        """Take what came. Raises ``NotOkError`` where it is no answer."""
        if self._parser is None:
            return
        self._heard += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.complete = True
        except HttpParserError:
            self._broken = not self.complete
        if self._broken:
            raise failed(Reason.PROTOCOL, "incomplete body" if self.status else "")
        if len(self._headers) > MOST_HEADERS or (not self.status and self._heard > MOST_HEAD):
            raise failed(Reason.PROTOCOL, "too long")
        if self.complete:
            self.part()

    def part(self) -> None:
        """Listen no more: answer and parser know each other, and apart are freed without a search for cycles."""
        self._parser = None

    def end(self) -> None:
        """Take that the server hung up. Raises ``NotOkError`` where more had to come."""
        if not self.status:
            raise failed(Reason.CLOSED)
        # without a length, the end of the connection is the end of the body
        measured = self.header(b"content-length") is not None
        if measured or b"chunked" in (self.header(b"transfer-encoding") or b"").lower():
            raise failed(Reason.PROTOCOL, "incomplete body")
        self.on_message_complete()
        if self._broken:
            raise failed(Reason.PROTOCOL, "incomplete body")

    def headers(self, name: bytes) -> list[bytes]:
        """Give all headers of that name, in small letters."""
        return [value for each, value in self._headers if each.lower() == name]

    def header(self, name: bytes) -> bytes | None:
        """Give the first header of that name, in small letters; None where there is none."""
        return next((value for each, value in self._headers if each.lower() == name), None)

    @property
    def shown(self) -> str:
        """What a person sees of it: status and headers, as far as they are for people."""
        heads = (f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in self._headers[:MOST_SHOWN])
        return printable("\n".join([f"HTTP {self.status}", *heads])[:LONGEST_SHOWN])

    @property
    def location(self) -> str | None:
        """Where a redirect leads to, as it is written there."""
        place = self.header(b"location") or self.header(b"uri")
        return None if place is None else place.decode("utf-8", "replace")

    @property
    def charset(self) -> str | None:
        """The encoding that the answer says it is in; None where it names none, or one that is not known."""
        found = _CHARSET.search(self.header(b"content-type") or b"")
        return _CODECS.get(normalize_encoding(found[1].decode("latin-1")).lower()) if found else None

    @property
    def size(self) -> int:
        """How many bytes of the body came, unpacked, up to those that are read."""
        return self._size

    @property
    def body(self) -> bytes:
        """The body, unpacked, as far as it is kept."""
        return bytes(self._kept[:MOST_BODY])

    # called by the parser; what they raise would be wrapped, so they do not

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those after the body are not looked at."""
        if not self.status:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take that the headers are complete; those of a word in between (103 Early Hints) are forgotten."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < _FINAL and status != _SWITCHING:
            self._headers.clear()
            return
        self.status = status
        packed = (self.header(b"content-encoding") or b"").strip().lower()
        if packed in (b"gzip", b"x-gzip", b"deflate"):
            self._unpack = _Unpacker()
        self.complete = self._bodyless

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self.complete or self._broken:
            return
        if self._unpack is not None:
            try:
                data = self._unpack(data, MOST_BODY - self._size)
            except zlib.error:
                self._broken = True
                return
        self._size += len(data)
        if self._keep:
            self._kept += data
        self.complete = self._size >= MOST_BODY

    def on_message_complete(self) -> None:
        """Take that the body is complete, unless it was a word in between."""
        if not self.status or self.complete:
            return
        self.complete = True
        self._broken = self._unpack is not None and not self._unpack.whole


class _Unpacker:
    """Unpacks gzip, and deflate with or without its wrapping."""

    def __init__(self) -> None:
        self._stream: Any = None

    @property
    def whole(self) -> bool:
        """Whether what was packed has come to its end; an empty body has nothing to unpack."""
        return self._stream is None or self._stream.eof

    def __call__(self, data: bytes, most: int) -> bytes:
        """Unpack, ``most`` bytes at most. Raises ``zlib.error``."""
        unpacked = bytearray()
        while data and len(unpacked) < most:
            if self._stream is None:
                # the low half of the first byte says whether there is a wrapping at all
                self._stream = zlib.decompressobj(47 if data[0] & 0xF == 8 or data[0] == 0x1F else -15)  # noqa: PLR2004
            elif self._stream.eof:  # files that were packed one by one may follow each other
                self._stream = zlib.decompressobj(47)
            unpacked += self._stream.decompress(data, most - len(unpacked))
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return bytes(unpacked)
