"""The conversations of banner protocols, as data: what is sent, what must come back, where TLS begins.

Looking to add such a protocol? Write its turns here and add it to ``DIALOGUES``: it is a check type.
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


class Only(Enum):
    """Where a turn is taken."""

    ALWAYS = auto()
    STARTTLS = auto()
    LOGIN = auto()
    ANONYMOUS = auto()


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said, and the reply to it."""

    send: str | None
    """A template, see ``talk``; None where the server speaks first."""
    good: tuple[str, ...]
    """The codes that are well."""
    only: Only = Only.ALWAYS
    then_tls: bool = False
    """TLS begins after the reply."""
    otherwise: Reason = Reason.STATUS
    """What another code means."""
    last: Pattern[bytes] | None = None
    """Which line ends this reply, where it is not the one that ends others."""
    farewell: bool = False
    """The server may hang up instead of replying."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A protocol: its grammar and its turns."""

    name: str
    doc: str
    port: int
    first: Pattern[bytes]
    """What the first line of a reply begins with."""
    rest: Pattern[bytes]
    """What its other lines begin with."""
    last: Pattern[bytes]
    """What the last line of a reply begins with."""
    code: Pattern[bytes]
    """Group 1 of the last line that matches is the code that the reply is judged by; a word from a closed set."""
    turns: tuple[Turn, ...]
    tls: bool = False
    """Whether TLS is spoken from the first byte."""
    starttls: bool | None = None
    """Whether it is begun in the middle unless told otherwise; None where that is not known."""
    tls_key: bool = False
    """Whether a key ``tls`` says that TLS is spoken from the first byte."""
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    """Codes that mean the same wherever they come, whatever else a turn would make of them."""


_THREE = re.compile(rb"[1-5]\d\d(?:[ -]|$)")
_THREE_LAST = re.compile(rb"[1-5]\d\d(?: |$)")
_THREE_CODE = re.compile(rb"([1-5]\d\d)")
_ANY = re.compile(rb"")

_HELLO = Turn("EHLO {me}", ("250",))
_SMTP_LOGIN = (Turn("AUTH PLAIN {sasl}", ("235",), Only.LOGIN, otherwise=Reason.LOGIN),)
_SMTP_END = Turn("QUIT", ("221",), farewell=True)
_SMTP_TURNS = (
    Turn(None, ("220",)),
    _HELLO,
    Turn("STARTTLS", ("220",), Only.STARTTLS, then_tls=True, otherwise=Reason.TLS),
    Turn("EHLO {me}", ("250",), Only.STARTTLS),
    *_SMTP_LOGIN,
    _SMTP_END,
)


def _smtp(name: str, doc: str, port: int, *, tls: bool = False, starttls: bool | None = None) -> Dialogue:
    return Dialogue(name, doc, port, _THREE, _THREE, _THREE_LAST, _THREE_CODE, _SMTP_TURNS, tls, starttls)


_TAGGED = re.compile(rb"m\d (?:OK|NO|BAD)\b")
_IMAP_TURNS = (
    Turn(None, ("OK", "PREAUTH"), last=re.compile(rb"\* (?:OK|PREAUTH|BYE)\b")),
    Turn("m1 CAPABILITY", ("OK",)),
    Turn("m2 STARTTLS", ("OK",), Only.STARTTLS, then_tls=True, otherwise=Reason.TLS),
    Turn("m3 CAPABILITY", ("OK",), Only.STARTTLS),
    Turn("m4 LOGIN {quoted_user} {quoted_password}", ("OK",), Only.LOGIN, otherwise=Reason.LOGIN),
    Turn("m5 LOGOUT", ("OK",), farewell=True),
)


def _imap(name: str, doc: str, port: int, *, tls: bool = False, starttls: bool | None = None) -> Dialogue:
    line = re.compile(rb"\* |m\d (?:OK|NO|BAD)\b|\+ ")
    code = re.compile(rb"(?:\*|m\d) (OK|NO|BAD|BYE|PREAUTH)\b")
    return Dialogue(name, doc, port, line, line, _TAGGED, code, _IMAP_TURNS, tls, starttls)


_CAPABILITIES = re.compile(rb"-ERR|\.$")
_POP3_TURNS = (
    Turn(None, ("+OK",)),
    Turn("CAPA", ("+OK", "-ERR"), last=_CAPABILITIES),  # a server may know no CAPA
    Turn("STLS", ("+OK",), Only.STARTTLS, then_tls=True, otherwise=Reason.TLS),
    Turn("USER {user}", ("+OK",), Only.LOGIN, otherwise=Reason.LOGIN),
    Turn("PASS {password}", ("+OK",), Only.LOGIN, otherwise=Reason.LOGIN),
    Turn("QUIT", ("+OK",), farewell=True),
)


def _pop3(name: str, doc: str, port: int, *, tls: bool = False, starttls: bool | None = None) -> Dialogue:
    status = re.compile(rb"(\+OK|-ERR)")
    return Dialogue(name, doc, port, status, _ANY, status, status, _POP3_TURNS, tls, starttls)


_FTP_TURNS = (
    Turn(None, ("220",)),
    Turn("AUTH TLS", ("234",), Only.STARTTLS, then_tls=True, otherwise=Reason.TLS),
    Turn("USER {user}", ("331", "230"), Only.LOGIN, otherwise=Reason.LOGIN),
    Turn("PASS {password}", ("230", "202"), Only.LOGIN, otherwise=Reason.LOGIN),
    Turn("QUIT", ("221",), farewell=True),
)
_REDIS_FULL = "ERR max number of clients reached"
_REDIS_ERRORS = (
    rb"NOAUTH|WRONGPASS|NOPERM|LOADING|MASTERDOWN|BUSY|READONLY|DENIED|MISCONF|" + _REDIS_FULL.encode() + rb"|ERR"
)
_REDIS_LINE = re.compile(rb"\+|-")
_REDIS_TURNS = (
    Turn("AUTH {quoted_user} {quoted_password}", ("+OK",), Only.LOGIN, otherwise=Reason.LOGIN),
    Turn("PING", ("+PONG",), Only.LOGIN),
    Turn("PING", ("+PONG", "NOAUTH"), Only.ANONYMOUS),  # one that asks for a login has answered
    Turn("QUIT", ("+OK",), farewell=True),
)

DIALOGUES = (
    _smtp("smtp", "a mail server greets and takes part in SMTP", 25, starttls=False),
    _smtp("submission", "the same for mail programs, with STARTTLS and its certificate", 587, starttls=True),
    _smtp("smtps", "the same over TLS from the first byte", 465, tls=True),
    _imap("imap", "a mailbox server greets, tells what it can, perhaps STARTTLS and a login", 143, starttls=False),
    _imap("imaps", "the same over TLS from the first byte", 993, tls=True),
    _pop3("pop3", "a mailbox server greets, tells what it can, perhaps STLS and a login", 110, starttls=False),
    _pop3("pop3s", "the same over TLS from the first byte", 995, tls=True),
    Dialogue(
        name="ftp",
        doc="a file server greets, perhaps AUTH TLS and a login",
        port=21,
        first=_THREE,
        rest=_ANY,  # between the first line of a reply and the last may be anything (RFC 959)
        last=_THREE_LAST,
        code=_THREE_CODE,
        turns=_FTP_TURNS,
        starttls=False,
    ),
    Dialogue(
        name="redis",
        doc="a Redis answers PING",
        port=6379,
        first=_REDIS_LINE,
        rest=_REDIS_LINE,
        last=_REDIS_LINE,
        code=re.compile(rb"(\+OK|\+PONG)\b|-(" + _REDIS_ERRORS + rb")\b"),
        turns=_REDIS_TURNS,
        tls_key=True,
        reasons={_REDIS_FULL: Reason.TOO_MANY_CONNECTIONS},
    ),
)
