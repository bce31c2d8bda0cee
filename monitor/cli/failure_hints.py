"""What to do about a check that is not ok, for whoever looks at it by hand."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from monitor.model import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_HINTS_BY_REASON: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.TIMEOUT: "nothing complete came in time: is the server overloaded, or does a packet filter drop?"
        " The last step says how far it got",
        Reason.REFUSED: "nobody listens there: does the service run, on that address and port?",
        Reason.UNREACHABLE: "the network says that it cannot get there: look at routes and packet filters on the way",
        Reason.RESET: "the connection was broken off: look into the server's log, and at packet filters on the way",
        Reason.CLOSED: "the server hung up: look into its log; it may bar this address, or have no room",
        Reason.TLS: "no TLS came about: is it spoken there, from the first byte or by STARTTLS, and in that version?",
        Reason.TLS_NAME: "the certificate is made out to other names, see above: correct it, the name that is asked for"
        " (the URL, server_name), or set verify_certificate = false",
        Reason.TLS_EXPIRED: "renew a certificate of the chain, and have the server load it",
        Reason.TLS_EARLY: "a certificate of the chain is not in force yet: look at its dates, and at the clock here",
        Reason.TLS_UNTRUSTED: "no authority that is trusted issued it, or the server leaves out those in between:"
        " send the whole chain, or name the authority by ca_file",
        Reason.TLS_REVOKED: "the certificate was revoked: replace it",
        Reason.PROTOCOL: "what came is not what the protocol allows: does that port speak it?",
        Reason.STATUS: "the server answers that something is wrong, or not as expected: look into its log",
        Reason.REDIRECT: "the redirects lead nowhere: look at the Location headers above",
        Reason.CONTENT: "the answer is not what is expected: look at it, and at the check's expectations",
        Reason.LOGIN: "the login was not accepted: look at user, password_file and the server's log",
        Reason.HOST_KEY: "the server has another key than fingerprints says: find out why before you change that",
        Reason.HOST_BLOCKED: "MySQL has blocked this address after too many broken connections: FLUSH HOSTS there",
        Reason.TOO_MANY_CONNECTIONS: "the server takes no more connections: raise its limit, or see who holds them",
    }
)
_HINTS_BY_TEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name not resolved": "this machine's resolver knows no address: look at the name, and at /etc/resolv.conf",
        "name not resolved in time": "this machine's resolver does not answer: look at /etc/resolv.conf",
        "icmp not permitted": "this machine permits no ping: docs/checks.md, icmp, has the remedies",
        "password not readable": "password_file is not there, not readable to you, or not one line",
        "authorities not readable": "ca_file is not there, not readable to you, or not PEM",
        "no address of that family": "the name has no address of that family: change family",
        "expression too slow": "write an expression that is found faster",
        "login needs starttls": "the server wants the password itself: set starttls = true",
    }
)


def failure_hint(reason: str) -> str:
    """Give what to do about a result's reason; empty where that is not known."""
    word = reason.partition(":")[0].partition(" (")[0]
    if word in frozenset(Reason):
        return _HINTS_BY_REASON[Reason(word)]
    return _HINTS_BY_TEXT.get(reason, "")
