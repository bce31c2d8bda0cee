"""OpenSSH with hardened configurations: the pinned host key is proven by whatever method is left."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.clock import SystemClock
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.probe import Target
from monitor.probes.resources import open_resources
from tests.integration.lab_servers import running
from tests.integration.lab_servers_all import SERVER_KINDS
from tests.integration.lab_servers_file import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.probes.probe import Attempt
    from tests.integration.lab_servers import ServerFiles

OPENSSH = next(kind for kind in SERVER_KINDS if kind.name == "openssh")
WHY_NOT = OPENSSH.skip_reason()
pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can run")]


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="server-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def look(port: int, key_type: str, pinned: str) -> Attempt:
    async with open_resources(SystemClock()) as tools:
        settings = CHECK_TYPES["ssh"].settings(port=port, key_type=key_type, fingerprints=(pinned,))
        return await CHECK_TYPES["ssh"].build(settings, tools).attempt(Target("127.0.0.1"), 20.0)


@pytest.mark.parametrize(
    ("options", "key_type", "reason"),
    [
        (("KexAlgorithms=curve25519-sha256",), "ed25519", ""),
        (("KexAlgorithms=ecdh-sha2-nistp256,ecdh-sha2-nistp384", "Ciphers=aes256-gcm@openssh.com"), "ecdsa", ""),
        (("KexAlgorithms=ecdh-sha2-nistp521", "MACs=hmac-sha2-512", "Ciphers=aes256-ctr"), "rsa", ""),
        (("KexAlgorithms=sntrup761x25519-sha512@openssh.com",), "ed25519", ""),
        (("KexAlgorithms=diffie-hellman-group14-sha256",), "rsa", ""),
        (("KexAlgorithms=diffie-hellman-group16-sha512", "MACs=hmac-sha2-256-etm@openssh.com"), "ed25519", ""),
        (("KexAlgorithms=diffie-hellman-group18-sha512",), "ed25519", ""),
        (("KexAlgorithms=diffie-hellman-group-exchange-sha256",), "ed25519", ""),
        (("MACs=umac-128-etm@openssh.com", "Ciphers=aes128-ctr"), "ed25519", ""),
        (("Ciphers=chacha20-poly1305@openssh.com",), "ed25519", ""),
        (("KexAlgorithms=diffie-hellman-group14-sha1",), "ed25519", "no_common_algorithm: key exchange"),
        (("Ciphers=aes256-cbc",), "ed25519", "no_common_algorithm: cipher"),
        (("Ciphers=aes256-ctr", "MACs=hmac-md5"), "ed25519", "no_common_algorithm: MAC"),
        (("HostKeyAlgorithms=ssh-ed25519",), "rsa", "no_common_algorithm: host key"),
    ],
)
def test_a_pinned_key_of_a_hardened_openssh_is_proven(
    folder: Path, options: tuple[str, ...], key_type: str, reason: str
) -> None:
    def hardened(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
        return [*OPENSSH.command(files, ports), *(word for option in options for word in ("-o", option))]

    with running(dataclasses.replace(OPENSSH, command=hardened), folder) as server:
        pinned = fingerprint(folder, key_type)
        seen = asyncio.run(look(server.ports["ssh"], key_type, pinned))
        other = asyncio.run(look(server.ports["ssh"], key_type, "SHA256:" + "A" * 43))
    assert seen.reason == reason, seen.steps
    assert other.reason == (reason or "host_key")
