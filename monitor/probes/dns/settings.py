"""The keys of the check type ``dns``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from monitor.probes.settings import HostSettings, any_value, flag_key, key, port_key

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_PORT = 53


def _validator_of(name: str) -> Callable[[str], bool]:
    def understood(text: str) -> bool:
        # who asks no name server does not wait for the library
        from monitor.probes.dns.records import is_valid_value  # noqa: PLC0415

        return is_valid_value(name, text)

    return understood


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSettings(HostSettings):
    """The keys of type ``dns``."""

    query: str = key(
        doc="the name that is asked for",
        allowed='a domain name like "www.example.com"',
        check=_validator_of("query"),
    )
    port: int = port_key(DEFAULT_PORT)
    record: str = key(
        default="SOA",
        doc="the type of record that is asked for",
        allowed='a type of record like "A", "AAAA", "MX", "SOA"',
        check=_validator_of("record"),
    )
    rcode: str = key(
        default="NOERROR",
        doc="the code that the answer must have",
        allowed='a code like "NOERROR", "NXDOMAIN", "REFUSED"',
        check=_validator_of("rcode"),
    )
    answers: tuple[str, ...] = key(
        default=(),
        doc="records that must be among the answers; none: any record of that type",
        allowed='a list of records as a zone file has them: ["192.0.2.1"], ["10 mail.example.com."]',
        check=any_value,
    )

    transport: Literal["udp", "tcp"] = key(
        default="udp",
        doc="how the question is sent; over UDP a truncated answer is asked for again over TCP",
        allowed='"udp" or "tcp"',
        check=any_value,
    )
    recursion: bool = flag_key(default=True, doc="whether the server is asked to resolve what it does not know itself")

    def validate(self, address: str) -> tuple[str, str] | None:  # noqa: ARG002 - nobody logs in
        """Say which key does not fit the others, and what is allowed."""
        from monitor.probes.dns.records import are_valid_records  # noqa: PLC0415 - see above

        if not are_valid_records(self.record, self.answers):
            return "answers", f"a list of {self.record} records as a zone file has them"
        return None
