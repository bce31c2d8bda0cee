"""Databases."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from tests.integration.lab_servers import LOGIN, PASSWORD, TLS, USER, RefusalSetup, ServerKind, program_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.lab_servers import Check, ServerFiles


MAX_CONNECT_ERRORS = 3
"""How often a host may hang up on MariaDB."""


def _mariadb(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    data = files.folder / "mysql"
    as_user = ["--user=mysql"] if os.geteuid() == 0 else []
    if not data.exists():
        data.mkdir()
        if as_user:
            shutil.chown(data, "mysql", "mysql")
        subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", *as_user, f"--datadir={data}", "--skip-test-db"),
                "--auth-root-authentication-method=normal",
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
    first = files.folder / "first.sql"
    first.write_text(
        f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
        f"CREATE USER IF NOT EXISTS '{USER}'@'localhost' IDENTIFIED BY '{PASSWORD}';\n"
        "DELETE FROM mysql.global_priv WHERE User='';\nFLUSH PRIVILEGES;\n"
    )
    return [
        *(program_path("mariadbd"), "--no-defaults", *as_user, f"--datadir={data}", f"--socket={data}/my.sock"),
        *("--bind-address=127.0.0.1", f"--port={ports['mysql']}", f"--pid-file={data}/my.pid", f"--init-file={first}"),
        *(
            "--innodb-buffer-pool-size=8M",
            "--skip-log-bin",
            "--max-connections=10",
            f"--max-connect-errors={MAX_CONNECT_ERRORS}",
        ),
        *(f"--ssl-cert={files.certificate}", f"--ssl-key={files.key}"),
    ]


def _postgresql(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    data = files.folder / "pg"
    drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if not data.exists():
        data.mkdir(mode=0o700)
        if drop:
            shutil.chown(data, "postgres", "postgres")
        command = [*drop, program_path("initdb"), "-D", str(data), "-A", "scram-sha-256", "-U", "postgres"]
        command += [f"--pwfile={files.password}"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        with (data / "postgresql.conf").open("a") as opened:
            opened.write(
                "ssl = on\n"
                "max_connections = 5\nmax_wal_senders = 0\nautovacuum_max_workers = 1\nmax_worker_processes = 1\n"
                f"listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nport = {ports['postgresql']}\n"
            )
    key = files.folder / "pg.key"
    key.write_bytes(files.key.read_bytes())
    key.chmod(0o600)
    if drop:
        shutil.chown(key, "postgres", "postgres")
    certificate = [f"--ssl_cert_file={files.certificate}", f"--ssl_key_file={key}"]
    return [*drop, program_path("postgres"), "-D", str(data), *certificate]


def _redis(files: ServerFiles, ports: Mapping[str, int]) -> list[str]:
    tls = ["--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key), "--tls-auth-clients", "no"]
    return [
        *(program_path("redis-server"), "--port", str(ports["redis"]), "--bind", "127.0.0.1", "--save", ""),
        *(
            "--maxclients",
            "8",
            "--dir",
            str(files.folder),
            "--requirepass",
            PASSWORD,
            "--tls-port",
            str(ports["rediss"]),
            *tls,
        ),
    ]


_MYSQL: tuple[Check, ...] = (
    ("mysql", "mysql", {}),
    ("mysql", "mysql", LOGIN),
    ("mysql", "mysql", {"starttls": True, **TLS, **LOGIN}),
)
_POSTGRESQL: tuple[Check, ...] = (
    ("postgresql", "postgresql", {}),
    ("postgresql", "postgresql", {"starttls": True, **TLS}),
)
_REDIS: tuple[Check, ...] = (
    ("redis", "redis", {}),
    ("redis", "redis", {"user": "default", "password_file": "PASSWORD"}),
    ("redis", "rediss", {"tls": True, **TLS}),
)
_STARTUP = b"\0\0\0\x17\0\3\0\0user\0postgres\0\0"

MARIADB = ServerKind("mariadb", "mariadbd", ("mysql",), _mariadb, _MYSQL, RefusalSetup(12))
DATA = (
    MARIADB,
    ServerKind(
        "postgresql",
        "postgres",
        ("postgresql",),
        _postgresql,
        _POSTGRESQL,
        RefusalSetup(12, _STARTUP),
        ready_message="ready to accept connections",
        stop_signal=signal.SIGINT,  # at SIGTERM it waits for whoever is connected
    ),
    ServerKind("redis", "redis-server", ("redis", "rediss"), _redis, _REDIS, RefusalSetup(12, b"PING\r\n")),
)
