"""The conversations of banner protocols, as data: what is sent, what must come back, where TLS begins.

Looking to add such a protocol? Write its turns here and add it to ``BANNER_PROTOCOLS``: it is a check type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from re import Pattern
from typing import TYPE_CHECKING

from monitor.model import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExchangeCondition(Enum):
    """Where a turn is taken."""

    ALWAYS = auto()
    STARTTLS = auto()
    LOGIN = auto()
    ANONYMOUS = auto()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One thing said, and the reply to it."""

    send: str | None
    """A template, see ``talk``; None where the server speaks first."""
    expected_codes: tuple[str, ...]
    """The codes that are well."""
    condition: ExchangeCondition = ExchangeCondition.ALWAYS
    then_start_tls: bool = False
    """TLS begins after the reply."""
    failure_reason: Reason = Reason.STATUS
    """What another code means."""
    last_line: Pattern[bytes] | None = None
    """Which line ends this reply, where it is not the one that ends others."""
    may_close: bool = False
    """The server may hang up instead of replying."""
    fallback: str | None = None
    """What is sent instead if the server does not know the command; the judgement is about its reply then."""
    fallback_codes: tuple[str, ...] = ()
    """The codes that say so."""
    preliminary_codes: tuple[str, ...] = ()
    """Codes of replies that another reply follows."""


@dataclass(frozen=True, slots=True)
class BannerProtocol:
    """A protocol: its grammar and its turns."""

    name: str
    doc: str
    port: int
    first_line: Pattern[bytes]
    """What the first line of a reply begins with."""
    continuation_line: Pattern[bytes]
    """What its other lines begin with."""
    last_line: Pattern[bytes]
    """What the last line of a reply begins with."""
    code: Pattern[bytes]
    """Group 1 of the last line that matches is the code that the reply is judged by; a word from a closed set."""
    exchanges: tuple[Exchange, ...]
    own_code_ends: bool = False
    """Whether only a line with the code of the first line ends a reply, whatever stands in between."""
    has_helo_name: bool = False
    """Whether a key ``helo_name`` says by what name the check introduces itself."""
    implicit_tls: bool = False
    """Whether TLS is spoken from the first byte."""
    starttls_default: bool | None = None
    """Whether it is begun in the middle unless told otherwise; None where that is not known."""
    has_tls_key: bool = False
    """Whether a key ``implicit_tls`` says that TLS is spoken from the first byte."""
    reasons_by_code: Mapping[str, Reason] = field(default_factory=dict)
    """Codes that mean the same wherever they come, whatever else a turn would make of them."""


_REPLY_LINE = re.compile(rb"([1-5]\d\d)(?:[ -]|$)")
_LAST_REPLY_LINE = re.compile(rb"[1-5]\d\d(?: |$)")
_REPLY_CODE = re.compile(rb"([1-5]\d\d)")
_ANY_LINE = re.compile(rb"")

_COMPLETED = tuple(map(str, range(200, 300)))
"""All codes of a positive completion (RFC 5321 and RFC 959, 4.2)."""

_NOT_KNOWN = ("500", "501", "502", "504", "550")
"""How a server refuses EHLO if it knows HELO only (RFC 5321, 4.1.4 and 4.3.2)."""
_SMTP_EHLO = Exchange("EHLO {me}", ("250",), fallback="HELO {me}", fallback_codes=_NOT_KNOWN)
_SMTP_LOGIN = (Exchange("AUTH PLAIN {sasl}", ("235",), ExchangeCondition.LOGIN, failure_reason=Reason.LOGIN),)
_SMTP_QUIT = Exchange("QUIT", _COMPLETED, may_close=True)
_SMTP_EXCHANGES = (
    Exchange(None, ("220",)),
    _SMTP_EHLO,
    Exchange("STARTTLS", ("220",), ExchangeCondition.STARTTLS, then_start_tls=True, failure_reason=Reason.TLS),
    Exchange("EHLO {me}", ("250",), ExchangeCondition.STARTTLS),
    *_SMTP_LOGIN,
    _SMTP_QUIT,
)


def _smtp(name: str, doc: str, port: int, *, tls: bool = False, starttls: bool | None = None) -> BannerProtocol:
    return BannerProtocol(
        name=name,
        doc=doc,
        port=port,
        first_line=_REPLY_LINE,
        continuation_line=_ANY_LINE,
        last_line=_LAST_REPLY_LINE,
        code=_REPLY_CODE,
        exchanges=_SMTP_EXCHANGES,
        own_code_ends=True,
        has_helo_name=True,
        implicit_tls=tls,
        starttls_default=starttls,
    )


_IMAP_TAGGED_LINE = re.compile(rb"m\d (?:OK|NO|BAD)\b")
_IMAP_EXCHANGES = (
    Exchange(None, ("OK", "PREAUTH"), last_line=re.compile(rb"\* (?:OK|PREAUTH|BYE)\b")),
    Exchange("m1 CAPABILITY", ("OK",)),
    Exchange("m2 STARTTLS", ("OK",), ExchangeCondition.STARTTLS, then_start_tls=True, failure_reason=Reason.TLS),
    Exchange("m3 CAPABILITY", ("OK",), ExchangeCondition.STARTTLS),
    Exchange("m4 LOGIN {quoted_user} {quoted_password}", ("OK",), ExchangeCondition.LOGIN, failure_reason=Reason.LOGIN),
    Exchange("m5 LOGOUT", ("OK",), may_close=True),
)


def _imap(name: str, doc: str, port: int, *, tls: bool = False, starttls: bool | None = None) -> BannerProtocol:
    line = re.compile(rb"\* |m\d (?:OK|NO|BAD)\b|\+ ")
    code = re.compile(rb"(?:\*|m\d) (OK|NO|BAD|BYE|PREAUTH)\b")
    return BannerProtocol(
        name=name,
        doc=doc,
        port=port,
        first_line=line,
        continuation_line=line,
        last_line=_IMAP_TAGGED_LINE,
        code=code,
        exchanges=_IMAP_EXCHANGES,
        implicit_tls=tls,
        starttls_default=starttls,
    )


_POP3_CAPA_END = re.compile(rb"-ERR|\.$")
_POP3_EXCHANGES = (
    Exchange(None, ("+OK",)),
    Exchange("CAPA", ("+OK", "-ERR"), last_line=_POP3_CAPA_END),  # a server may know no CAPA
    Exchange("STLS", ("+OK",), ExchangeCondition.STARTTLS, then_start_tls=True, failure_reason=Reason.TLS),
    Exchange("USER {user}", ("+OK",), ExchangeCondition.LOGIN, failure_reason=Reason.LOGIN),
    Exchange("PASS {password}", ("+OK",), ExchangeCondition.LOGIN, failure_reason=Reason.LOGIN),
    Exchange("QUIT", ("+OK",), may_close=True),
)


def _pop3(name: str, doc: str, port: int, *, tls: bool = False, starttls: bool | None = None) -> BannerProtocol:
    status = re.compile(rb"(\+OK|-ERR)")
    return BannerProtocol(
        name=name,
        doc=doc,
        port=port,
        first_line=status,
        continuation_line=_ANY_LINE,
        last_line=status,
        code=status,
        exchanges=_POP3_EXCHANGES,
        implicit_tls=tls,
        starttls_default=starttls,
    )


_FTP_EXCHANGES = (
    Exchange(None, ("220", "230"), preliminary_codes=("120",)),
    Exchange("AUTH TLS", ("234",), ExchangeCondition.STARTTLS, then_start_tls=True, failure_reason=Reason.TLS),
    Exchange("USER {user}", ("331", "230", "232"), ExchangeCondition.LOGIN, failure_reason=Reason.LOGIN),
    Exchange("PASS {password}", ("230", "202", "232"), ExchangeCondition.LOGIN, failure_reason=Reason.LOGIN),
    Exchange("QUIT", _COMPLETED, may_close=True),
)


def _ftp(name: str, doc: str, port: int, *, tls: bool = False, starttls: bool | None = None) -> BannerProtocol:
    return BannerProtocol(
        name=name,
        doc=doc,
        port=port,
        first_line=_REPLY_LINE,
        continuation_line=_ANY_LINE,  # between the first line of a reply and the last may be anything (RFC 959)
        last_line=_LAST_REPLY_LINE,
        code=_REPLY_CODE,
        exchanges=_FTP_EXCHANGES,
        implicit_tls=tls,
        own_code_ends=True,
        starttls_default=starttls,
    )


_REDIS_TOO_MANY_CLIENTS = "ERR max number of clients reached"
_REDIS_NO_PING = ("NOPERM", "ERR unknown command")
"""The caller may not use the command, or it was renamed: the server works."""
_REDIS_NO_ACCESS = ("NOAUTH", "DENIED", "ERR operation not permitted", *_REDIS_NO_PING)
"""The server works and refuses a caller without a login; DENIED is its protected mode."""
_REDIS_ERROR_CODES = "|".join(
    (
        *("WRONGPASS", "LOADING", "MASTERDOWN", "BUSY", "READONLY", "MISCONF", "CLUSTERDOWN", "NOREPLICAS"),
        *_REDIS_NO_ACCESS,
        _REDIS_TOO_MANY_CLIENTS,
        "ERR",
    )
).encode()
_REDIS_LINE = re.compile(rb"\+|-")
_REDIS_EXCHANGES = (
    Exchange("AUTH {quoted_user} {quoted_password}", ("+OK",), ExchangeCondition.LOGIN, failure_reason=Reason.LOGIN),
    Exchange("PING", ("+PONG", *_REDIS_NO_PING), ExchangeCondition.LOGIN),
    Exchange("PING", ("+PONG", *_REDIS_NO_ACCESS), ExchangeCondition.ANONYMOUS),
    Exchange("QUIT", ("+OK", *_REDIS_NO_ACCESS), may_close=True),
)

BANNER_PROTOCOLS = (
    _smtp("smtp", "a mail server greets and takes part in SMTP", 25, starttls=False),
    _smtp("submission", "the same for mail programs, with STARTTLS and its certificate", 587, starttls=True),
    _smtp("smtps", "the same over TLS from the first byte", 465, tls=True),
    _imap("imap", "a mailbox server greets, tells what it can, perhaps STARTTLS and a login", 143, starttls=False),
    _imap("imaps", "the same over TLS from the first byte", 993, tls=True),
    _pop3("pop3", "a mailbox server greets, tells what it can, perhaps STLS and a login", 110, starttls=False),
    _pop3("pop3s", "the same over TLS from the first byte", 995, tls=True),
    _ftp("ftp", "a file server greets, perhaps AUTH TLS and a login", 21, starttls=False),
    _ftp("ftps", "the same over TLS from the first byte", 990, tls=True),
    BannerProtocol(
        name="redis",
        doc="a Redis answers PING",
        port=6379,
        first_line=_REDIS_LINE,
        continuation_line=_REDIS_LINE,
        last_line=_REDIS_LINE,
        code=re.compile(rb"(\+OK|\+PONG)\b|-(" + _REDIS_ERROR_CODES + rb")\b"),
        exchanges=_REDIS_EXCHANGES,
        has_tls_key=True,
        reasons_by_code={_REDIS_TOO_MANY_CLIENTS: Reason.TOO_MANY_CONNECTIONS},
    ),
)
