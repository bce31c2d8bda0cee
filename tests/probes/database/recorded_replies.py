"""Recorded replies of database servers, and a script that plays them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from tests.probes.scripted_server import Script


def plays(*says: bytes) -> Script:
    """Send the first reply at once, and each further one after some data has come."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, what in enumerate(says):
            if number:
                await reader.read(4096)
            writer.write(what)
            await writer.drain()
        await reader.read()

    return script


# [MS-TDS] 2.2.6.5 and 4.1: a pre-login reply of SQL Server 2019 (15.0.2000), encryption not required
REPLY = bytes.fromhex("0401002b00000100") + bytes.fromhex(
    "00001a000601002000010200210001030022000004002200 01ff".replace(" ", "")
)
REPLY += bytes.fromhex("0f0007d00000") + b"\0\0\0"


def mssql_reply(encryption: int) -> bytes:
    return REPLY[:-3] + bytes([encryption]) + REPLY[-2:]
