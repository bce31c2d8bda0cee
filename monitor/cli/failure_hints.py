"""What to do about a failed check: the hint that ``monitor probe`` prints."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from monitor.model import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_HINTS_BY_REASON: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.TIMEOUT: "no complete answer in time: is the server overloaded, or does a packet filter drop packets?"
        " The last step shows how far the attempt got",
        Reason.REFUSED: "nothing listens there: does the service run, on that address and port?",
        Reason.UNREACHABLE: "the network reports that the server cannot be reached: check routes and packet filters",
        Reason.RESET: "the connection was reset: check the server's log and the packet filters on the path",
        Reason.CLOSED: "the server closed the connection: check its log; it may block this address or be full",
        Reason.TLS: "no TLS connection: does the port speak TLS, from the first byte or by STARTTLS, in that version?",
        Reason.TLS_NAME: "the certificate is for other names, see above: correct the certificate or the name"
        " (the URL, server_name), or set verify_certificate = false",
        Reason.TLS_EXPIRED: "renew the expired certificate of the chain and reload the server",
        Reason.TLS_EARLY: "a certificate of the chain is not valid yet: check its dates and this machine's clock",
        Reason.TLS_UNTRUSTED: "no trusted authority issued it, or the server does not send the intermediate"
        " certificates: send the whole chain, or name the authority by ca_file",
        Reason.TLS_REVOKED: "the certificate was revoked: replace it",
        Reason.PROTOCOL: "the answer violates the protocol: does that port speak it?",
        Reason.STATUS: "the server answered with an error or an unexpected status: check its log",
        Reason.REDIRECT: "the redirects do not end at a page: check the Location headers above",
        Reason.CONTENT: "the answer is not as expected: compare it with the check's expectations",
        Reason.LOGIN: "the login was not accepted: check user, password_file and the server's log",
        Reason.HOST_KEY: "the server's key is not in fingerprints: find out why before you change them",
        Reason.NO_COMMON_ALGORITHM: "the server offers no such algorithm that OpenSSH accepts; see key_type",
        Reason.HOST_BLOCKED: "MySQL has blocked this address after too many connection errors: run FLUSH HOSTS there",
        Reason.TOO_MANY_CONNECTIONS: "the server accepts no more connections: raise its limit, or find what holds them",
        Reason.SLOW: "the answer took longer than slower_than: the steps above show where the time was spent",
        Reason.ANSWERS: "the check has invert = true, and the server passes it: stop the service, or block the port",
    }
)
_HINTS_BY_TEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name not resolved": "this machine's resolver knows no address: check the name and /etc/resolv.conf",
        "name not resolved in time": "this machine's resolver does not answer: check /etc/resolv.conf",
        "icmp not permitted": "this machine does not permit ping: see docs/checks.md, icmp, for the remedies",
        "password not readable": "password_file does not exist, is not readable by you, or is not one line",
        "client certificate not readable": "certificate_file or key_file does not exist, is not readable by you, is not"
        " PEM, or the key has a passphrase or belongs to another certificate",
        "revocation list not usable": "the revocation list in ca_file has expired or is not of the server's authority",
        "authorities not readable": "ca_file does not exist, is not readable by you, or is not PEM",
        "no address of that family": "the name has no address of that family: change family or source",
        "source address not local": "no interface of this machine has the address in source: see `ip address`",
        "expression too slow": "write an expression that takes less time to search",
        "login needs starttls": "the server requires the password itself: set starttls = true",
    }
)


def failure_hint(reason: str) -> str:
    """Return the hint for a result's reason; empty if there is none."""
    word = reason.partition(":")[0].partition(" (")[0]
    if word in frozenset(Reason):
        return _HINTS_BY_REASON[Reason(word)]
    return _HINTS_BY_TEXT.get(reason, "")
