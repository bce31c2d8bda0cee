"""TLS settings are made once and shared: making them costs more than a check."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from monitor.model import Outcome
from monitor.probes.failures import ProbeError
from monitor.probes.net.tls import TlsContexts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authorities(tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    return file


def test_checks_that_verify_the_same_share_one_context(authorities: Path) -> None:
    contexts = TlsContexts()
    for verify, ca_file in ((True, None), (False, None), (True, authorities)):
        assert contexts.get(verify=verify, ca_file=ca_file) is contexts.get(verify=verify, ca_file=ca_file)


def test_checks_that_verify_otherwise_do_not(authorities: Path) -> None:
    contexts = TlsContexts()
    made = [
        contexts.get(verify=True, ca_file=None),
        contexts.get(verify=False, ca_file=None),
        contexts.get(verify=True, ca_file=authorities),
        contexts.get(verify=True, ca_file=None, lowest_version="TLSv1.3"),
    ]
    assert len(set(made)) == len(made)
    assert [each.verify_mode for each in made] == [*[ssl.CERT_REQUIRED, ssl.CERT_NONE], *[ssl.CERT_REQUIRED] * 2]


def test_authorities_that_change_are_read_again(authorities: Path) -> None:
    contexts = TlsContexts()
    before = contexts.get(verify=True, ca_file=authorities)
    trustme.CA().cert_pem.write_to_path(authorities)
    os.utime(authorities, ns=(0, 1))
    after = contexts.get(verify=True, ca_file=authorities)
    assert before.get_ca_certs() != after.get_ca_certs()


def test_authorities_that_cannot_be_read_are_the_monitors_fault(tmp_path: Path) -> None:
    with pytest.raises(ProbeError) as raised:
        TlsContexts().get(verify=True, ca_file=tmp_path / "nowhere.pem")
    assert raised.value.outcome is Outcome.UNKNOWN
