"""A name server's answer, read record by record.

dnspython reads whole messages, for as long as their names and sets of records want it: a datagram of 1232 bytes can
keep it busy for a fifth of a second, a message of 64 KiB for many. So the records are found here, and it reads those
that count, one after another; the caller lets others run in between.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire

from monitor.model import Reason
from monitor.probes.failures import server_failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_MESSAGE_SIZE = 16 * 1024
"""Bytes of a message: more than any zone has of one name and type."""
MAX_RECORDS = 200
"""Of the type that was asked for."""
MAX_DISPLAYED_RECORDS = 20
"""Records that a person is shown."""
_MAX_DISPLAYED_LENGTH = 500
_HEADER = struct.Struct("!2x5H")
_RECORD_HEADER = struct.Struct("!HHIH")
_QUESTION = struct.Struct("!HH")
_COMPRESSION_POINTER, _MAX_LABEL_LENGTH = 192, 63


class DnsMessage:
    """An answer: its head is read at once, its records by ``read``."""

    def __init__(self, data: bytes) -> None:
        """Raises ``ProbeError`` where it is no answer; of a truncated one, no more than the header is looked at."""
        if len(data) > MAX_MESSAGE_SIZE:
            raise server_failure(Reason.PROTOCOL, "too long")
        self._data = data
        self._offset = _HEADER.size
        self.question: tuple[dns.name.Name, int] | None = None
        """What was asked, where the answer repeats it."""
        self.answer_count = 0
        """Answers of the type that was to be read."""
        self.missing: set[dns.rdata.Rdata] = set()
        """What was expected among them, and was not there."""
        self.displayed_records: list[str] = []
        """The first answers, as a zone file has them."""
        try:
            flags, questions, self._answers, authorities, additional = _HEADER.unpack_from(data)
            self._other_records = authorities + additional
            self.truncated = bool(flags & dns.flags.TC)
            self._flags = flags
            self._edns_flags = 0
            if questions and not self.truncated:
                name = self._name_at(self._offset)
                self._skip_name()
                self.question = name, _QUESTION.unpack_from(data, self._offset)[0]
                self._offset += _QUESTION.size
        except (dns.exception.DNSException, ValueError, IndexError, struct.error):
            raise server_failure(Reason.PROTOCOL) from None
        if questions > 1 or not flags & dns.flags.QR:
            raise server_failure(Reason.PROTOCOL)

    @property
    def rcode(self) -> dns.rcode.Rcode:
        """The code of the answer, all of it once everything was read."""
        return dns.rcode.from_flags(self._flags, self._edns_flags)

    def read(self, record_type: int, expected: Iterable[dns.rdata.Rdata] = ()) -> Iterator[None]:
        """Read the answers of one type, and what follows them, a piece at each step. Raises ``ProbeError``."""
        self.missing.update(expected)
        try:
            for number in range(self._answers):
                self._read_answer(number, record_type)
                yield
            for _ in range(self._other_records):
                _, found, _, ttl, _ = self._next_record()
                if found == dns.rdatatype.OPT:
                    self._edns_flags = ttl
            yield
        except (dns.exception.DNSException, ValueError, IndexError, struct.error):
            raise server_failure(Reason.PROTOCOL) from None

    def _read_answer(self, index: int, record_type: int) -> None:
        """Take the next answer: count it where it is of that type, show it where there is room."""
        owner, found, kind_of_class, ttl, length = self._next_record()
        found, kind_of_class = dns.rdatatype.RdataType.make(found), dns.rdataclass.RdataClass.make(kind_of_class)
        counts = found == record_type and kind_of_class == dns.rdataclass.IN
        if not counts and index >= MAX_DISPLAYED_RECORDS:
            return
        parser = dns.wire.Parser(self._data, self._offset - length)
        with parser.restrict_to(length):
            record = dns.rdata.from_wire_parser(kind_of_class, found, parser)
        if counts:
            self.answer_count += 1
            if self.answer_count > MAX_RECORDS:
                raise server_failure(Reason.PROTOCOL, "too long")
            if self.missing:  # to compare one with another can take milliseconds
                self.missing.discard(record)
        if index < MAX_DISPLAYED_RECORDS:
            words = dns.rdataclass.to_text(kind_of_class), dns.rdatatype.to_text(found)
            self.displayed_records.append(
                f"{self._name_at(owner)} {ttl} {' '.join(words)} {record}"[:_MAX_DISPLAYED_LENGTH]
            )

    def _next_record(self) -> tuple[int, int, int, int, int]:
        """Step over a record: where its name stands, its type, class, TTL and length."""
        owner = self._offset
        self._skip_name()
        kind, kind_of_class, ttl, length = _RECORD_HEADER.unpack_from(self._data, self._offset)
        self._offset += _RECORD_HEADER.size + length
        if self._offset > len(self._data):
            raise ValueError(length)
        return owner, kind, kind_of_class, ttl, length

    def _skip_name(self) -> None:
        while length := self._data[self._offset]:
            if length >= _COMPRESSION_POINTER:
                self._offset += 1
                break
            if length > _MAX_LABEL_LENGTH:
                raise ValueError(length)
            self._offset += 1 + length
        self._offset += 1

    def _name_at(self, offset: int) -> dns.name.Name:
        return dns.name.from_wire(self._data, offset)[0]
