"""The vocabulary of the product, frozen: what is watched, for whom, and what was seen.

All instants are ``Millis``: whole milliseconds since 1970-01-01 UTC. All lengths of time are whole milliseconds too,
latencies are whole microseconds. Spans are half-open: ``[start, end)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal

Millis: TypeAlias = int
Language: TypeAlias = Literal["tr", "en"]
Product: TypeAlias = Literal["web-hosting", "server", "colocation"]
Rounding: TypeAlias = Literal["down", "half-up"]
CreditPolicy: TypeAlias = Literal["on-claim", "automatic"]
"""Whether a credit is due only after a claim in time (6.2), or without one."""

PING = "ping"
"""The name of the reachability check that every server from level 2 on has, by ICMP or by a TCP port."""


class Outcome(IntEnum):
    """What one cycle of one check gave; the numbers are those stored."""

    OK = 0
    FAIL = 1
    UNKNOWN = 2
    """The failure was the monitor's own: it says nothing about the server."""


class Reason(StrEnum):
    """Why a check failed, in one word that never changes; docs/checks.md says what each means.

    A failed result's reason is such a word, and after a colon perhaps a detail for people: ``status: 500``.
    """

    TIMEOUT = "timeout"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    CLOSED = "closed"
    TLS = "tls"
    TLS_NAME = "tls_name"
    TLS_EXPIRED = "tls_expired"
    TLS_EARLY = "tls_early"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_REVOKED = "tls_revoked"
    PROTOCOL = "protocol"
    STATUS = "status"
    REDIRECT = "redirect"
    CONTENT = "content"
    LOGIN = "login"
    HOST_KEY = "host_key"
    NO_COMMON_ALGORITHM = "no_common_algorithm"
    HOST_BLOCKED = "host_blocked"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    SLOW = "slow"
    ANSWERS = "answers"

    def with_detail(self, detail: str) -> str:
        """Return the reason with a detail, in the program's own words and numbers: never the server's words."""
        return f"{self}: {detail}" if detail else str(self)


class State(StrEnum):
    """What a check, a server or an instant is shown as."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"


class CheckKey(NamedTuple):
    """One check, everywhere: the server's id and the check's name (``ping`` or a service's name)."""

    server: str
    name: str

    def __str__(self) -> str:
        return f"{self.server}/{self.name}"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing probed on a server."""

    key: CheckKey
    type: str
    """A key of the table of check types: ``icmp``, ``tcp``, ``http``, ``https``."""
    settings: object
    """The frozen settings of that type, as its probe declares them."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Who has the contract and gets the mail."""

    id: str
    name: str
    emails: tuple[str, ...]
    language: Language


@dataclass(frozen=True, slots=True)
class Server:
    """An address that is probed. On level 1 ``checks`` is empty: a valid contract without monitoring (8.1)."""

    id: str
    address: str
    level: int
    parent: str | None
    checks: tuple[Check, ...]
    """The reachability check first, then the services in the order of the configuration."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One customer's contract for one product on one server.

    ``start`` and ``end`` are its first and last day, whole days in the contract's zone; ``None`` is open-ended.
    ``fee`` covers ``months`` months (6.4); without a fee amounts are not computed.
    """

    id: str
    customer: str
    server: str
    product: Product
    fee: Decimal | None
    currency: str | None
    months: int
    start: dt.date | None
    end: dt.date | None


class Result(NamedTuple):
    """What one cycle of one check gave, at the time its first attempt was sent."""

    check: CheckKey
    at: Millis
    outcome: Outcome
    attempts: int
    """How many attempts were made; 0 where the slot could not be probed at all."""
    latency: int | None
    """Microseconds of the attempt that succeeded; None unless the outcome is ok."""
    reason: str
    """Why not ok: of a fail a ``Reason`` and its detail (``timeout``, ``status: 500``), else a phrase; empty for ok."""


class Certificate(NamedTuple):
    """What a server presented to a check that speaks TLS; the times are Unix seconds."""

    fingerprint: str
    """SHA-256 of the server's own certificate, in hexadecimal digits."""
    expiry: int
    """When it ceases to be accepted: the first end in the chain by which it is trusted; its own where it is not."""
    earliest_expiry: int
    """The first end of all certificates that were presented, whether needed or not."""


@dataclass(frozen=True, slots=True)
class Run:
    """Results of one check with one outcome and no gap between them: what ``first`` to ``last`` say together.

    The run covers ``[first, last + hold)``, cut short where the check's next run begins: a result holds to the next
    result of its check, at most two intervals (``hold``).
    """

    first: Millis
    last: Millis
    outcome: Outcome
    hold: Millis


@dataclass(frozen=True, slots=True)
class Outage:
    """A maximal run of ``fail`` of one check; unknown results and gaps inside neither end it nor count as down."""

    id: int
    check: CheckKey
    start: Millis
    """Its first fail."""
    last_fail: Millis
    end: Millis | None
    """The first ok after it; None while there is none."""
    last_ok: Millis | None
    """The last ok before it; None where there was none."""
    reason: str
    """The reason of its first fail."""


class Span(NamedTuple):
    """A half-open stretch of time ``[start, end)``."""

    start: Millis
    end: Millis
