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
from monitor.probes.failures import failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST = 16 * 1024
"""Bytes of a message: more than any zone has of one name and type."""
MOST_RECORDS = 200
"""Of the type that was asked for."""
MOST_SHOWN = 20
"""Records that a person is shown."""
_LONGEST_SHOWN = 500
_HEADER = struct.Struct("!2x5H")
_RECORD = struct.Struct("!HHIH")
_QUESTION = struct.Struct("!HH")
_POINTER, _LONGEST_LABEL = 192, 63


class DnsMessage:
    """An answer: its head is read at once, its records by ``read``."""

    def __init__(self, data: bytes) -> None:
        """Raises ``NotOkError`` where it is no answer; of a truncated one, no more than the header is looked at."""
        if len(data) > LONGEST:
            raise failed(Reason.PROTOCOL, "too long")
        self._data = data
        self._place = _HEADER.size
        self.asked: tuple[dns.name.Name, int] | None = None
        """What was asked, where the answer repeats it."""
        self.given = 0
        """Answers of the type that was to be read."""
        self.missing: set[dns.rdata.Rdata] = set()
        """What was expected among them, and was not there."""
        self.shown: list[str] = []
        """The first answers, as a zone file has them."""
        try:
            flags, questions, self._answers, authorities, additional = _HEADER.unpack_from(data)
            self._others = authorities + additional
            self.truncated = bool(flags & dns.flags.TC)
            self._flags = flags
            self._extended = 0
            if questions and not self.truncated:
                name = self._name(self._place)
                self._skip_name()
                self.asked = name, _QUESTION.unpack_from(data, self._place)[0]
                self._place += _QUESTION.size
        except (dns.exception.DNSException, ValueError, IndexError, struct.error):
            raise failed(Reason.PROTOCOL) from None
        if questions > 1 or not flags & dns.flags.QR:
            raise failed(Reason.PROTOCOL)

    @property
    def rcode(self) -> dns.rcode.Rcode:
        """The code of the answer, all of it once everything was read."""
        return dns.rcode.from_flags(self._flags, self._extended)

    def read(self, kind: int, expected: Iterable[dns.rdata.Rdata] = ()) -> Iterator[None]:
        """Read the answers of one type, and what follows them, a piece at each step. Raises ``NotOkError``."""
        self.missing.update(expected)
        try:
            for number in range(self._answers):
                self._take(number, kind)
                yield
            for _ in range(self._others):
                _, found, _, ttl, _ = self._next()
                if found == dns.rdatatype.OPT:
                    self._extended = ttl
            yield
        except (dns.exception.DNSException, ValueError, IndexError, struct.error):
            raise failed(Reason.PROTOCOL) from None

    def _take(self, number: int, kind: int) -> None:
        """Take the next answer: count it where it is of that type, show it where there is room."""
        owner, found, kind_of_class, ttl, length = self._next()
        found, kind_of_class = dns.rdatatype.RdataType.make(found), dns.rdataclass.RdataClass.make(kind_of_class)
        counts = found == kind and kind_of_class == dns.rdataclass.IN
        if not counts and number >= MOST_SHOWN:
            return
        parser = dns.wire.Parser(self._data, self._place - length)
        with parser.restrict_to(length):
            record = dns.rdata.from_wire_parser(kind_of_class, found, parser)
        if counts:
            self.given += 1
            if self.given > MOST_RECORDS:
                raise failed(Reason.PROTOCOL, "too long")
            if self.missing:  # to compare one with another can take milliseconds
                self.missing.discard(record)
        if number < MOST_SHOWN:
            words = dns.rdataclass.to_text(kind_of_class), dns.rdatatype.to_text(found)
            self.shown.append(f"{self._name(owner)} {ttl} {' '.join(words)} {record}"[:_LONGEST_SHOWN])

    def _next(self) -> tuple[int, int, int, int, int]:
        """Step over a record: where its name stands, its type, class, TTL and length."""
        owner = self._place
        self._skip_name()
        kind, kind_of_class, ttl, length = _RECORD.unpack_from(self._data, self._place)
        self._place += _RECORD.size + length
        if self._place > len(self._data):
            raise ValueError(length)
        return owner, kind, kind_of_class, ttl, length

    def _skip_name(self) -> None:
        while length := self._data[self._place]:
            if length >= _POINTER:
                self._place += 1
                break
            if length > _LONGEST_LABEL:
                raise ValueError(length)
            self._place += 1 + length
        self._place += 1

    def _name(self, place: int) -> dns.name.Name:
        return dns.name.from_wire(self._data, place)[0]
