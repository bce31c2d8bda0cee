"""What the configuration takes for an address, the parts that use it take too."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.faults import ValueRejected
from monitor.config.validators import email, host, sender
from monitor.mail.message import normalize_address, sender_address
from monitor.probes.settings import is_host
from tests.config.config_strategies import EMAILS, SENDERS

RIGHT = [
    *("it@acme.example", "root@localhost", "i.t+sla@acme.example", "o'hara@acme.example", "a@b"),
    *("ıt@acme.example", "it@müşteri.example", "it@straße.example", "x" * 64 + "@acme.example"),
]
WRONG = [
    *("", "it", "@acme.example", "it@", "it@acme..example", "it@-acme.example", "it@acme.example.", ".it@acme.example"),
    *(
        "it.@acme.example",
        "i t@acme.example",
        "it@acme example",
        "it@@acme.example",
        "<it@acme.example>",
        "it@[192.0.2.1]",
    ),
    *("it@acme.example\n", "it@acme.example\r\nBcc: x@y", "x" * 65 + "@acme.example", "it@" + "a." * 130 + "example"),
    *("it,at@acme.example", '"it desk"@acme.example', "it@" + "ü" * 63 + ".example"),
]


@pytest.mark.parametrize("address", RIGHT)
def test_an_e_mail_address_is_taken(address: str) -> None:
    assert email(address) == address


@pytest.mark.parametrize("address", WRONG)
def test_what_is_no_e_mail_address_is_refused(address: str) -> None:
    with pytest.raises(ValueRejected):
        email(address)


@given(address=EMAILS | st.text(max_size=30) | st.from_regex(r"[\w.+'-]+@[\w.-]+", fullmatch=True))
def test_mail_can_be_sent_to_every_address_that_is_taken(address: str) -> None:
    with contextlib.suppress(ValueRejected):
        email(address)
        assert normalize_address(address).rpartition("@")[0] == address.rpartition("@")[0]


@given(given=SENDERS | st.text(max_size=30) | st.builds("{} <{}>".format, st.text(max_size=20), EMAILS))
def test_mail_can_be_sent_from_every_sender_that_is_taken(given: str) -> None:
    with contextlib.suppress(ValueRejected):
        kept = str(sender(given))
        assert sender_address(kept).rpartition("@")[0] in kept


@pytest.mark.parametrize(
    "given",
    [
        "sla@example.com",
        "SLA <sla@example.com>",
        '"SLA, Ops" <sla@example.com>',
        "Ağ İzleme <sla@example.com>",
        "<a@b>",
    ],
)
def test_a_sender_is_taken(given: str) -> None:
    assert sender(given) == given


@given(name=st.text(max_size=20) | st.from_regex(r"[a-zA-Z0-9.:%_-]{1,20}", fullmatch=True))
def test_every_address_that_is_taken_can_be_probed(name: str) -> None:
    with contextlib.suppress(ValueRejected):
        host(name)
        assert is_host(name)
