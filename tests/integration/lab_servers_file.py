"""FTP servers, and OpenSSH."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.lab_servers import EXTRACTED, TLS, RefusalSetup, ServerKind, program_path, write_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.lab_servers import Check, ServerFiles


_MODULES = next(filter(Path.exists, (EXTRACTED / "usr/lib/proftpd", Path("/usr/lib/proftpd"))), EXTRACTED)


def _vsftpd(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    (files.folder / "empty").mkdir(exist_ok=True)
    file = write_config(
        files,
        "vsftpd.conf",
        f"""listen=YES
background=NO
listen_address=127.0.0.1
listen_port={ports["ftp"]}
anonymous_enable=YES
anon_root={{D}}/www
secure_chroot_dir={{D}}/empty
seccomp_sandbox=NO
max_clients=10
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file={{CERT}}
rsa_private_key_file={{KEY}}
""",
    )
    return [program_path("vsftpd"), file]


def _proftpd(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    file = write_config(
        files,
        "proftpd.conf",
        f"""ModulePath {_MODULES}
LoadModule mod_tls.c
ServerName lab
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
Port {ports["ftp"]}
User nobody
Group nogroup
UseReverseDNS off
WtmpLog off
PidFile {{D}}/proftpd.pid
ScoreboardFile {{D}}/proftpd.score
DelayTable none
MaxConnectionsPerHost 15
TLSEngine on
TLSLog none
TLSECCertificateFile {{CERT}}
TLSECCertificateKeyFile {{KEY}}
""",
    )
    return [program_path("proftpd"), "-n", "-c", file]


def _sshd(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    for kind in ("ed25519", "ecdsa", "rsa"):
        key = files.folder / f"host_{kind}"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)], check=True, timeout=60)
    os.makedirs("/run/sshd", exist_ok=True)  # noqa: PTH103 - where sshd wants it
    keys = [word for kind in ("ed25519", "ecdsa", "rsa") for word in ("-h", str(files.folder / f"host_{kind}"))]
    options = [
        f"ListenAddress=127.0.0.1:{ports['ssh']}",
        "UsePAM=no",
        "MaxStartups=10:100:10",
        f"PidFile={files.folder}/sshd.pid",
    ]
    return [
        program_path("sshd"),
        "-D",
        "-e",
        "-f",
        "/dev/null",
        *keys,
        *(word for each in options for word in ("-o", each)),
    ]


def fingerprint(folder: Path, kind: str) -> str:
    """Compute what ssh-keygen -l prints of a host key."""
    blob = base64.b64decode((folder / f"host_{kind}.pub").read_text().split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


_FTP: tuple[Check, ...] = (("ftp", "ftp", {}), ("ftp", "ftp", {"starttls": True, **TLS}))

FILES = (
    ServerKind("vsftpd", "vsftpd", ("ftp",), _vsftpd, _FTP, RefusalSetup(15), root=True),
    ServerKind(
        "proftpd",
        "proftpd",
        ("ftp",),
        _proftpd,
        _FTP,
        RefusalSetup(20),
        root=True,
        required_file=_MODULES / "mod_tls.so",
    ),
    ServerKind("openssh", "sshd", ("ssh",), _sshd, (("ssh", "ssh", {}),), RefusalSetup(15), root=True),
)
