"""What the keys of the check type ``dns`` mean to the library: names, types of records, codes, records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.exception
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

if TYPE_CHECKING:
    from collections.abc import Callable

_PARSERS: dict[str, Callable[[str], object]] = {
    "query": dns.name.from_text,
    "record": dns.rdatatype.from_text,
    "rcode": dns.rcode.from_text,
}


def is_valid_value(key: str, text: str) -> bool:
    """Whether the text means something as the value of ``query``, ``record`` or ``rcode``."""
    try:
        _PARSERS[key](text)
    except (dns.exception.DNSException, ValueError):
        return False
    return bool(text)


def are_valid_records(record_type: str, texts: tuple[str, ...]) -> bool:
    """Whether the texts are records of that type as a zone file has them."""
    try:
        parse_records(record_type, texts)
    except (dns.exception.DNSException, ValueError):
        return False
    return True


def parse_records(record_type: str, texts: tuple[str, ...]) -> frozenset[dns.rdata.Rdata]:
    """Read records of one type; raises ``DNSException`` or ``ValueError`` for what is none."""
    read = dns.rdatatype.from_text(record_type)
    return frozenset(
        dns.rdata.from_text(dns.rdataclass.IN, read, text, origin=dns.name.root, relativize=False) for text in texts
    )
