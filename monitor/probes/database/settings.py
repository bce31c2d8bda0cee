"""The keys of the check types ``mysql``, ``mssql`` and ``postgresql``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from monitor.probes.settings import HostSettings, LoginSettings, TlsSettings, any_value, flag_key, key, port_key

MYSQL_PORT = 3306
MSSQL_PORT = 1433
POSTGRESQL_PORT = 5432
_NAME = re.compile(r"[A-Za-z0-9_.$-]{1,63}")


@dataclass(frozen=True, slots=True)
class MysqlSettings(LoginSettings):
    """The keys of type ``mysql``."""

    port: int = port_key(MYSQL_PORT)
    starttls: bool = flag_key(default=False, doc="whether the connection must be upgraded to TLS")


@dataclass(frozen=True, slots=True)
class MssqlSettings(HostSettings):
    """The keys of type ``mssql``."""

    port: int = port_key(MSSQL_PORT)
    encryption: Literal["any", "available", "required"] = key(
        default="any",
        doc="what the server must offer of encryption",
        allowed='"any", "available" or "required"',
        check=any_value,
    )


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class PostgresqlSettings(TlsSettings):
    """The keys of type ``postgresql``."""

    port: int = port_key(POSTGRESQL_PORT)
    starttls: bool = flag_key(default=False, doc="whether the connection must be upgraded to TLS")
    user: str = key(
        default="postgres",
        doc="whom the startup message names; it need not exist",
        allowed="1 to 63 of A-Z a-z 0-9 _ . $ -",
        check=_is_name,
    )
    database: str = key(
        default="postgres",
        doc="the database that it names; it need not exist",
        allowed="1 to 63 of A-Z a-z 0-9 _ . $ -",
        check=_is_name,
    )
