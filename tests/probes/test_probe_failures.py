from __future__ import annotations

import errno
import re
import socket
from pathlib import Path

import pytest

from monitor.model import Outcome, Reason
from monitor.probes import credentials, failures, regex_search
from monitor.probes.database import mysql
from monitor.probes.failures import connection_failure, local_os_failure, route_failure
from monitor.probes.icmp import packets, pinger
from monitor.probes.net import resolver, tcp_connect
from monitor.probes.net import tls as net_tls
from monitor.probes.net.address import Address

HERE = Address(socket.AF_INET, "127.0.0.1")
NOWHERE = Address(socket.AF_INET6, "fe80::1")  # link-local without its interface: no route, on any machine


@pytest.mark.parametrize(
    "number",
    [errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT, errno.EPIPE, errno.EHOSTDOWN, errno.ENOPROTOOPT],
)
def test_what_only_the_network_can_cause_is_the_servers_fault_on_any_road(number: int) -> None:
    for address in (HERE, NOWHERE, None):
        assert connection_failure(OSError(number, ""), address).outcome is Outcome.FAIL


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES])
def test_what_both_can_cause_is_the_networks_where_this_machine_has_a_route(number: int) -> None:
    assert connection_failure(OSError(number, ""), HERE).outcome is Outcome.FAIL
    assert connection_failure(OSError(number, ""), NOWHERE).outcome is Outcome.UNKNOWN
    assert connection_failure(OSError(number, ""), None).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EMFILE, "no file descriptor"),
        (errno.ENFILE, "no file descriptor"),
        (errno.ENOBUFS, "no buffer space"),
        (errno.EPERM, "not permitted"),
        (errno.EADDRNOTAVAIL, "no local address"),
        (errno.ENETDOWN, "network down"),
        (errno.EAFNOSUPPORT, "address family not supported"),
        (errno.ENOTTY, "error ENOTTY"),
    ],
)
def test_what_this_machine_refuses_is_the_monitors_fault(number: int, reason: str) -> None:
    for judged in (connection_failure(OSError(number, ""), HERE), local_os_failure(OSError(number, ""))):
        assert (judged.outcome, judged.reason) == (Outcome.UNKNOWN, reason)


def test_no_number_of_any_error_is_the_servers_fault_unless_it_is_known_to_be() -> None:
    blamed = {
        errno.errorcode[number]
        for number in errno.errorcode
        if connection_failure(OSError(number, ""), HERE).outcome is Outcome.FAIL
    }
    assert blamed == {
        "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "EHOSTDOWN", "ENONET", "ENOPROTOOPT",
        "EPROTO", "EHOSTUNREACH", "ENETUNREACH", "EACCES",
    }  # fmt: skip


def test_every_error_of_a_datagram_that_was_not_taken_is_the_monitors_fault() -> None:
    assert {local_os_failure(OSError(number, "")).outcome for number in errno.errorcode} == {Outcome.UNKNOWN}


def test_a_reset_without_a_number_is_the_servers_fault() -> None:
    judged = connection_failure(ConnectionResetError(), HERE)
    assert (judged.outcome, judged.reason) == (Outcome.FAIL, "reset")


def test_this_machine_has_a_route_to_itself_and_none_to_nowhere() -> None:
    assert route_failure(HERE) is None
    fault = route_failure(NOWHERE)
    assert fault is not None
    assert fault.outcome is Outcome.UNKNOWN


def test_every_reason_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs" / "checks.md").read_text()
    reasons: set[str] = {*Reason, *failures._LOCAL_ERRORS.values(), pinger.NOT_PERMITTED, resolver.NOT_RESOLVED}
    reasons |= {
        regex_search.TOO_SLOW,
        tcp_connect.NO_ADDRESS_OF_FAMILY,
        credentials.FILE_UNREADABLE,
        net_tls.CA_FILE_UNREADABLE,
    }
    reasons |= {mysql.NEEDS_TLS, mysql.UNKNOWN_AUTH_METHOD}
    described = {text for row in page.splitlines() if row[:3] == "| `" for text in re.findall(r"`([^`]+)`", row)}
    assert reasons - described == set()


def test_what_the_network_says_begins_with_a_word() -> None:
    told = {text for kind in range(16) for code in range(16) if (text := packets.error_text(4, kind, code))}
    told |= {text for kind in range(16) for code in range(16) if (text := packets.error_text(6, kind, code))}
    assert {text.partition(":")[0] for text in told} == {Reason.UNREACHABLE}
