"""The checks of mail servers against a Postfix that takes a login; its other states are in ``labmatrix``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitor.clock import SystemClock
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import Target
from monitor.probes.resources import open_resources
from tests.integration.postfix import PASSWORD, USER, Postfix, network_namespace, run_in_namespace, skip_reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.probes.probe import Attempt

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(skip_reason()), reason=skip_reason() or "can run")]


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with network_namespace() as namespace, Postfix(namespace) as started:
        yield started


def look(postfix: Postfix, kind: str, **keys: Any) -> Attempt:
    async def attempt() -> Attempt:
        async with open_resources(SystemClock()) as tools:
            probe = CHECK_TYPES[kind].build(CHECK_TYPES[kind].settings(**keys), tools)
            return await probe.attempt(Target(postfix.address), 20.0)

    return run_in_namespace(postfix.namespace, attempt())


def test_postfix_passes_and_the_login_and_the_certificate_are_judged(postfix: Postfix, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    login = {"user": USER, "password_file": password, "ca_file": postfix.ca}
    assert look(postfix, "smtp").reason == ""
    assert look(postfix, "smtp", starttls=True, ca_file=postfix.ca).reason == ""
    assert look(postfix, "submission", **login).reason == ""
    assert look(postfix, "submission", ca_file=postfix.ca, server_name="other.lab.test").reason == "tls_name"
    assert look(postfix, "submission").reason == "tls_untrusted"
    password.write_text("wrong")
    assert look(postfix, "submission", **login).reason == "login: 535"
