"""One response, read as leniently as browsers do: status, headers, and a body of limited size.

Servers that people use break the grammar in many ways, and a strict parser would make outages of them. The rules are
those of Chromium's ``HttpStreamParser``, ``HttpUtil`` and ``HttpChunkedDecoder``, and Firefox's where it forgives more.
What neither of them shows stays a failure: two lengths that differ, chunks without sizes, a body that ends too early.
"""

from __future__ import annotations

import re
from encodings import normalize_encoding
from encodings.aliases import aliases

from monitor.model import Reason
from monitor.probes.failures import server_failure
from monitor.probes.http.content_coding import BodySummary, CodingError, decode, parse_codings
from monitor.probes.redaction import printable

MAX_BODY_SIZE = 1024 * 1024
"""Bytes of a body, decoded, that are read and searched."""
MAX_COMPRESSED_SIZE = MAX_BODY_SIZE + 64 * 1024
"""Bytes of a compressed body that are read: incompressible data grows a little."""
MAX_HEAD_SIZE = 256 * 1024
"""Bytes up to the end of the headers: policies in headers grow long, and that is no fault."""
MAX_HEADERS = 1000
MAX_DISPLAYED_HEADERS = 40
MAX_DISPLAYED_LENGTH = 4096
REDIRECT_STATUSES = frozenset((301, 302, 303, 307, 308))

_HEAD_END = re.compile(rb"\n\r{0,2}\n")
_HEAD_END_LENGTH = 4
_STATUS_LINE = re.compile(rb"(?:http|icy)(?:/([0-9]{1,9})\.([0-9]{1,9}))?[^ \t\r\n]*[ \t]*([0-9]*)", re.IGNORECASE)
"""The version, which may be any or none, and the status; what follows is for people."""
_ORDINARY_STATUS_LINE = re.compile(rb"HTTP/1\.[01] [0-9]{3}[^\r\n]*")
_STATUS_LINE_BEGIN = re.compile(rb"http|icy ", re.IGNORECASE)
_MAX_JUNK_AND_WORD = 8
"""Bytes within which the status line must have begun: up to four before it are ignored, such as line ends."""
_STATUS_LINE_COMING = re.compile(rb"[\s\S]{0,4}(?:h(?:tt?)?|i(?:cy?)?)?", re.IGNORECASE)
"""What may still become the begin of a status line."""
_ASSUMED_STATUS = 200
"""What a status line without a status means."""
_SWITCHING_PROTOCOLS = 101
_FIRST_STATUS, _FIRST_FINAL_STATUS, _LAST_STATUS = 100, 200, 999
_BODYLESS_STATUSES = (_SWITCHING_PROTOCOLS, 204, 205, 304)
_HTTP_1_1 = (1, 1)
_BLANKS = b" \t"
_PLAIN_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]{1,18})(?=\r|\Z)")
_PLAIN_CHUNKED = re.compile(rb"\r\ntransfer-encoding: chunked(?=\r|\Z)")
"""How nearly all servers say how the body ends, in small letters."""
_MAX_LENGTH_DIGITS = 18
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([^\s"';]{1,40})""", re.IGNORECASE)
_KNOWN_CODECS = aliases | {codec: codec for codec in aliases.values()} | {"koi8_u": "koi8_u"}
"""Names of encodings as Python spells them: it would keep every other that it is asked for."""


class HttpResponse:
    """One response; ``feed`` it what comes, until it is ``complete``."""

    def __init__(self, *, keep_body: bool, bodyless: bool = False) -> None:
        """``keep_body``: keep the body, not only count it. ``bodyless``: none follows, whatever headers say (HEAD)."""
        self._keep_body = keep_body
        self._bodyless = bodyless
        self.status = 0
        """0 until the headers are complete."""
        self.complete = False
        """Whether all of it is there, or as much as is read."""
        self._pending = b""
        """What came of the headers so far."""
        self._received_bytes = 0
        self._head = b""
        """The status line and the headers as they came."""
        self._parsed_headers: list[tuple[bytes, bytes]] | None = None
        self._remaining: int | None = None
        """Bytes of the body to come; None where no length is known."""
        self._chunks: _ChunkDecoder | None = None
        self._size_limit = MAX_BODY_SIZE
        self._is_cut = False
        self._body = bytearray()
        self._body_size = 0
        self._codings: tuple[str, ...] = ()
        self._decoded: bytes | None = None
        self.body_summary: str | BodySummary = ""
        """What came as a body, for people; set once it is complete."""

    def feed(self, data: bytes) -> None:
        """Process what came. Raises ``ProbeError`` where it is no response."""
        if not self.status:
            self._received_bytes += len(data)
            data = self._read_heads(data)
            if not self.status:
                return
        if not self.complete and data:
            self._read_body(data)

    def on_connection_closed(self) -> None:
        """Process that the server closed the connection. Raises ``ProbeError`` where more had to come."""
        if not self.status:
            if self._pending and not _STATUS_LINE_BEGIN.search(self._pending, 0, _MAX_JUNK_AND_WORD):
                raise server_failure(Reason.PROTOCOL)
            raise server_failure(Reason.CLOSED)
        if self.complete:
            return
        if self._chunks is not None and self._chunks.may_be_absent:
            line = self._chunks.line
            self._chunks = None
            self._read_body(line)
        elif self._chunks is not None and self._chunks.line:
            self._read_body(b"\n")  # it may be the last chunk's size, and lack only its line end
        # without a length, the end of the connection is the end of the body
        if self._remaining or (self._chunks is not None and not self._chunks.complete):
            raise server_failure(Reason.PROTOCOL, "incomplete body")
        self._complete()

    @property
    def _headers(self) -> list[tuple[bytes, bytes]]:
        """Names in small letters, and values."""
        if self._parsed_headers is None:
            self._parsed_headers = _parse_headers(self._head)
        return self._parsed_headers

    def headers(self, name: bytes) -> list[bytes]:
        """Return all headers of that name, in small letters."""
        return [value for each, value in self._headers if each == name]

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of that name, in small letters; None where there is none."""
        return next((value for each, value in self._headers if each == name), None)

    @property
    def displayed_head(self) -> str:
        """What a person sees of it: status and headers as they came, as far as they are for people."""
        ordinary = _ORDINARY_STATUS_LINE.match(self._head)
        shown = self._head[ordinary.end() if ordinary else 0 :][:MAX_DISPLAYED_LENGTH]
        lines = [line for line in shown.splitlines()[: MAX_DISPLAYED_HEADERS + 2] if line]
        raw = b"\n".join([b"HTTP %d" % self.status, *lines[:MAX_DISPLAYED_HEADERS]])[:MAX_DISPLAYED_LENGTH]
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        return printable(text)

    @property
    def location(self) -> bytes | None:
        """Where a redirect leads to, as it is written there."""
        return self.header(b"location") or self.header(b"uri")

    @property
    def charset(self) -> str | None:
        """The encoding that the response names; None where it names none, or one that is not known."""
        found = _CHARSET.search(self.header(b"content-type") or b"")
        return _KNOWN_CODECS.get(normalize_encoding(found[1].decode("latin-1")).lower()) if found else None

    @property
    def body(self) -> bytes:
        """The body, decoded, as far as it is kept. Raises ``ProbeError`` where it cannot be decoded."""
        if self._decoded is None:
            self._decoded = self._decode() if self._codings else bytes(self._body[:MAX_BODY_SIZE])
        return self._decoded

    def _decode(self) -> bytes:
        summary = self.body_summary
        try:
            body = decode(bytes(self._body), self._codings, MAX_BODY_SIZE, is_cut=self._is_cut)
        except CodingError as error:
            if isinstance(summary, BodySummary):
                summary.result = f"{error}, begins {self._body[:8].hex(' ')}"
            raise server_failure(Reason.CONTENT, "encoding") from None
        if isinstance(summary, BodySummary):
            summary.result = f"{len(body)} bytes decoded"
        return body

    # --- status and headers

    def _read_heads(self, data: bytes) -> bytes:
        """Read up to the end of the final headers; those before them (103 Early Hints) are dropped.

        Return what follows them.
        """
        pending = self._pending + data
        searched = max(0, len(self._pending) - _HEAD_END_LENGTH + 1)
        while not self.status:
            begin = _STATUS_LINE_BEGIN.search(pending, 0, _MAX_JUNK_AND_WORD)
            if begin is None and not _STATUS_LINE_COMING.fullmatch(pending):
                raise server_failure(Reason.PROTOCOL)
            end = _HEAD_END.search(pending, max(searched, begin.end())) if begin else None
            if self._received_bytes - (len(pending) - end.end() if end else 0) > MAX_HEAD_SIZE:
                raise server_failure(Reason.PROTOCOL, "too long")
            if begin is None or end is None:
                break
            self._parse_head(pending[begin.start() : end.start()])
            pending = pending[end.end() :]
            searched = 0
        self._pending = b"" if self.status else pending
        return pending

    def _parse_head(self, head: bytes) -> None:
        """Parse status line and headers."""
        first = _STATUS_LINE.match(head)
        assert first is not None
        status = int(first[3][:9]) if first[3] else _ASSUMED_STATUS
        if not _FIRST_STATUS <= status <= _LAST_STATUS:
            raise server_failure(Reason.PROTOCOL)
        if status < _FIRST_FINAL_STATUS and status != _SWITCHING_PROTOCOLS:
            return
        if head.count(b"\n") > MAX_HEADERS or head.count(b"\r") > MAX_HEADERS:
            raise server_failure(Reason.PROTOCOL, "too long")
        self.status = status
        self._head = head
        self._frame_body(head.lower(), first)
        if self._bodyless or status in _BODYLESS_STATUSES or self._remaining == 0:
            self._complete()

    def _frame_body(self, head: bytes, status_line: re.Match[bytes]) -> None:
        """Say how the body ends, and how it is encoded; ``head`` is in small letters."""
        version = (int(status_line[1]), int(status_line[2])) if status_line[1] else _HTTP_1_1
        if b"content-encoding" not in head:  # the ordinary cases, in which no header need be parsed
            if b"transfer-encoding" in head:
                if _PLAIN_CHUNKED.search(head) is not None:
                    self._chunks = _ChunkDecoder(may_be_absent=version < _HTTP_1_1)
                    return
            elif head.count(b"content-length") == 1:
                length = _PLAIN_LENGTH.search(head)
                if length is not None:
                    self._remaining = int(length[1])
                    return
        if any(b"chunked" in value.lower() for value in self.headers(b"transfer-encoding")):
            self._chunks = _ChunkDecoder(may_be_absent=version < _HTTP_1_1)
        else:
            self._remaining = _parse_length(self.headers(b"content-length"))
        self._codings = parse_codings(self.headers(b"content-encoding"))
        if self._codings:
            self._size_limit = MAX_COMPRESSED_SIZE

    # --- the body

    def _read_body(self, data: bytes) -> None:
        if self._chunks is not None:
            data = self._read_chunks(self._chunks, data)
        elif self._remaining is not None:
            data = data[: self._remaining]
            self._remaining -= len(data)
        self._body_size += len(data)
        if self._keep_body:
            self._body += data
        if self._remaining == 0 or (self._chunks is not None and self._chunks.complete):
            self._complete()
        elif self._body_size >= self._size_limit:
            self._is_cut = True
            self._complete()

    def _read_chunks(self, chunks: _ChunkDecoder, data: bytes) -> bytes:
        try:
            return chunks.feed(data)
        except _NotChunkedError as error:
            self._chunks = None
            self._remaining = _parse_length(self.headers(b"content-length"))
            body = error.body if self._remaining is None else error.body[: self._remaining]
            if self._remaining is not None:
                self._remaining -= len(body)
            return body

    def _complete(self) -> None:
        if self.complete:
            return
        self.complete = True
        self.body_summary = BodySummary(self._body_size, self._codings) if self._codings else f"{self._body_size} bytes"


def _parse_headers(head: bytes) -> list[tuple[bytes, bytes]]:
    """Parse the lines after the first one; those without a colon, or with blanks before a name, are ignored."""
    headers: list[tuple[bytes, bytes]] = []
    is_continuable = False
    for line in head.splitlines()[1:]:  # a lone CR ends a line too
        if line[:1] in (b" ", b"\t"):
            if is_continuable:
                name, value = headers[-1]
                headers[-1] = (name, value + b" " + line.strip(_BLANKS))
            continue
        name, colon, value = line.partition(b":")
        is_continuable = bool(colon)
        if colon:
            headers.append((name.rstrip(_BLANKS).lower(), value.strip(_BLANKS)))
    return headers


def _parse_length(values: list[bytes]) -> int | None:
    """Return the length of the body; None where what is said is no number. Raises ``ProbeError`` where two differ."""
    found = {
        int(each) if each.isdigit() and len(each) <= _MAX_LENGTH_DIGITS else each
        for value in values
        for item in value.split(b",")
        if (each := item.strip(_BLANKS))
    }
    if len(found) > 1:
        raise server_failure(Reason.PROTOCOL, "two lengths")
    length = found.pop() if found else None
    return length if isinstance(length, int) else None


# --- chunks -----------------------------------------------------------------------------------------------------------

_MAX_CHUNK_LINE = 16 * 1024
_MAX_CHUNKS = MAX_BODY_SIZE // 8 + 1024
"""Chunks, and what of them came in separate reads: each costs a microsecond in which nobody else runs."""
_PLAIN_CHUNK_LINE = re.compile(rb"(?:\r\n)?([0-9A-Fa-f]{1,8})\r\n")
"""The end of the chunk before, and the size of the next one, as nearly all servers write them."""
_CHUNK_SIZE_BEGIN = re.compile(rb"[\t\v\f\r ]*(?:[0-9A-Fa-f]|\Z)")
"""What may still become a size, or an empty line."""
_LINE_ENDS = re.compile(rb"(?:\r?\n)+")
"""The end of the chunk before, where it is not written like that."""
_CHUNK_SIZE = re.compile(rb"[\t\v\f\r ]*(?:0[xX])?([0-9A-Fa-f]+)(?![0-9A-Za-z])")


class _NotChunkedError(Exception):
    """A body that was said to be chunked is not."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        super().__init__("not chunked")


class _ChunkDecoder:
    """Joins the chunks of a body; the headers that may follow them are not read."""

    def __init__(self, *, may_be_absent: bool) -> None:
        self.may_be_absent = may_be_absent
        """Until a chunk came: HTTP/1.0 has no chunks, and some servers only say so."""
        self.line = b""
        """What came of a line so far."""
        self._remaining = 0
        """Bytes of the chunk to come."""
        self._count = 0
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """Return the data of chunks. Raises ``ProbeError``, and ``_NotChunkedError`` where there are none."""
        if self._remaining > len(data):
            self._remaining -= len(data)
            return data
        if self.line:
            data = self.line + data
            self.line = b""
        pieces = [data[: self._remaining]] if self._remaining else []
        at, size, length = self._remaining, len(data), -1
        self._remaining = 0
        while at < size:
            plain = _PLAIN_CHUNK_LINE.match(data, at)
            if plain is not None:
                begin = plain.end()
                length = int(plain[1], 16)
            elif blank := _LINE_ENDS.match(data, at):
                at = blank.end()
                continue
            else:
                begin = data.find(b"\n", at) + 1
                if not begin:
                    self._keep_line(data[at:])
                    break
                length = self._parse_size(data[at:begin], data)
            if not length:
                break
            at = begin + length
            pieces.append(data[begin:at])
        self._count += len(pieces)
        if self._count > _MAX_CHUNKS:
            raise server_failure(Reason.PROTOCOL, "too long")
        self.complete = length == 0
        self.may_be_absent &= length < 0
        self._remaining = max(0, at - size)
        return b"".join(pieces)

    def _keep_line(self, line: bytes) -> None:
        if len(line) > _MAX_CHUNK_LINE:
            raise server_failure(Reason.PROTOCOL, "too long")
        if not _CHUNK_SIZE_BEGIN.match(line):
            self._parse_size(line, line)
        self.line = line

    def _parse_size(self, line: bytes, data: bytes) -> int:
        size = _CHUNK_SIZE.match(line)
        if size is not None:
            return int(size[1], 16)
        if self.may_be_absent:
            raise _NotChunkedError(data)
        raise server_failure(Reason.PROTOCOL, "incomplete body")
