"""``python -m bench.standins FOLDER``: a server for each check type on every loopback address, and one that hangs.

Each speaks as much of its protocol as a check needs, as cheaply as possible, because it shares the machine with the
measured program. The certificate's authority is written into the folder. SIGTERM ends it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rrset
import trustme

from bench import standin_ssh
from bench.check_kinds import CA_FILE, KINDS, NAME, SILENT_PORT
from bench.website import ANSWER, BACKLOG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from typing import TypeAlias

    Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - 127.0.0.0/8
IMPLICIT_TLS = ("https", "tls", "smtps", "imaps", "pop3s")


@dataclass(frozen=True, slots=True)
class BannerScript:
    """A line protocol: its greeting, and its answer to each command word."""

    greeting: bytes
    answers: Mapping[bytes, bytes]
    tagged: bool = False
    """Whether commands begin with a tag, which replaces ``TAG`` in the answer."""


_SMTP = BannerScript(
    b"220 stand-in ESMTP\r\n",
    {
        b"EHLO": b"250-stand-in\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 8BITMIME\r\n",
        b"STARTTLS": b"220 go ahead\r\n",
        b"QUIT": b"221 bye\r\n",
    },
)
_IMAP = BannerScript(
    b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n",
    {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1 SASL-IR IDLE STARTTLS\r\nTAG OK done\r\n",
        b"LOGOUT": b"* BYE logging out\r\nTAG OK done\r\n",
    },
    tagged=True,
)
_POP3 = BannerScript(
    b"+OK ready\r\n", {b"CAPA": b"+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nSTLS\r\nUSER\r\n.\r\n", b"QUIT": b"+OK bye\r\n"}
)
_FTP = BannerScript(b"220 (stand-in)\r\n", {b"QUIT": b"221 Goodbye.\r\n"})
_REDIS = BannerScript(b"", {b"PING": b"+PONG\r\n", b"QUIT": b"+OK\r\n"})


async def serve_banner(
    banner: BannerScript, tls: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Serve one connection of a line protocol."""
    writer.write(banner.greeting)
    while line := await reader.readline():
        words = line.upper().split()
        word = words[1] if banner.tagged else words[0]
        writer.write(banner.answers[word].replace(b"TAG", line.split()[0]))
        if word == b"STARTTLS":
            await writer.start_tls(tls)
        elif word in (b"QUIT", b"LOGOUT"):
            return


async def serve_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one HTTP request."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)


async def serve_silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Wait until the client closes the connection."""
    await reader.read()


_GREETING = (
    b"\x0a8.0.36\0" + bytes(4) + b"12345678\0" + b"\xff\xf7" + b"\x21\x02\x00" + b"\xff\xdf" + b"\x15" + bytes(10)
) + b"123456789012\0caching_sha2_password\0"
_DENIED = b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied"
_PRE_LOGIN = bytes.fromhex("0401002b0000010000001a00060100200001020021000103002200000400220001ff0f0007d0000000000000")


async def serve_mysql(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a greeting and deny the login."""
    writer.write(len(_GREETING).to_bytes(3, "little") + b"\0" + _GREETING)
    head = await reader.readexactly(4)
    await reader.readexactly(int.from_bytes(head[:3], "little"))
    writer.write(len(_DENIED).to_bytes(3, "little") + bytes([head[3] + 1]) + _DENIED)
    await reader.read()


async def serve_mssql(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a pre-login."""
    head = await reader.readexactly(8)
    await reader.readexactly(int.from_bytes(head[2:4]) - 8)
    writer.write(_PRE_LOGIN)
    await reader.read()


async def serve_postgresql(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for a password."""
    await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
    writer.write(b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0")
    await reader.read()


_PACKET_INFO = 8  # IP_PKTINFO


class NameServer:
    """Answers every query with the same record, from the address of the query."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.IPPROTO_IP, _PACKET_INFO, 1)
        self._socket.bind((ANY_ADDRESS, port))
        self._answers: dict[bytes, bytes] = {}
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._answer)

    def _answer(self) -> None:
        with suppress(BlockingIOError):
            while True:
                query, ancillary, _, client = self._socket.recvmsg(4096, 256)
                number, question = query[:2], query[2:]
                if question not in self._answers:
                    self._answers[question] = self._make_answer(query)[2:]
                self._socket.sendmsg([number + self._answers[question]], ancillary, 0, client)

    @staticmethod
    def _make_answer(query: bytes) -> bytes:
        question = dns.message.from_wire(query)
        made = dns.message.make_response(question)
        made.flags |= dns.flags.AA
        soa = f"ns.{NAME}. root.{NAME}. 2026112401 3600 900 604800 300"
        made.answer.append(dns.rrset.from_text(question.question[0].name, 3600, "IN", "SOA", soa))
        return made.to_wire()


@dataclass(slots=True)
class StandInServers:
    """All servers, in one event loop."""

    tls: ssl.SSLContext
    _references: list[object] = field(default_factory=list)

    async def listen(self) -> None:
        """Start all servers."""
        banners = {
            **dict.fromkeys(("smtp", "submission", "smtps"), _SMTP),
            **dict.fromkeys(("imap", "imaps"), _IMAP),
            **dict.fromkeys(("pop3", "pop3s"), _POP3),
            "ftp": _FTP,
            "redis": _REDIS,
        }
        serves: dict[str, Serve] = {name: partial(serve_banner, banner, self.tls) for name, banner in banners.items()}
        serves |= {
            "http": serve_page,
            "https": serve_page,
            "tcp": serve_silence,
            "tls": serve_silence,
            "ssh": standin_ssh.serve,
        }
        serves |= {"mysql": serve_mysql, "mssql": serve_mssql, "postgresql": serve_postgresql}
        for kind in KINDS:
            if kind.type in serves:
                await self._serve(kind.port, serves[kind.type], self.tls if kind.type in IMPLICIT_TLS else None)
            elif kind.type == "dns":
                self._references.append(NameServer(kind.port))
        await self._serve(SILENT_PORT, serve_silence)
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind((ANY_ADDRESS, SILENT_PORT))
        self._references.append(silent)

    async def _serve(self, port: int, serve: Serve, tls: ssl.SSLContext | None = None) -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                with suppress(OSError, asyncio.IncompleteReadError):
                    await serve(reader, writer)
            finally:
                writer.close()

        self._references.append(await asyncio.start_server(connected, ANY_ADDRESS, port, backlog=BACKLOG, ssl=tls))


async def run(folder: Path) -> None:
    """Serve until the process ends."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / CA_FILE)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(tls)
    await StandInServers(tls).listen()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


@contextmanager
def run_standins(folder: Path) -> Iterator[None]:
    """Run the servers in another process, within the context."""
    command = [sys.executable, "-m", "bench.standins", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("the stand-ins do not start; is one of their ports in use?")
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
