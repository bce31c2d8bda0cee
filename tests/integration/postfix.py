"""A real Postfix of its own: its own tree, its own network namespace, every mail of ``lab.test`` kept in Maildirs.

Port 25 takes mail as a mail server does, port 587 only after STARTTLS and a login. Nothing leaves it, and nothing of
the machine's own Postfix is touched.

    with own_namespace() as namespace, Postfix(namespace) as postfix:
        inside(namespace, transport.send(message, message.recipients))
        [delivered] = postfix.delivered("it", count=1)
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ctypes
import email
import email.policy
import os
import secrets
import shutil
import signal
import socketserver
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import trustme

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping
    from types import TracebackType

T = TypeVar("T")

ADDRESS = "198.18.25.25"
DOMAIN = "lab.test"
USER, PASSWORD = "sla", "çok gizli 42"
REFUSED = {"gone": "550 5.1.1 no such user", "later": "450 4.2.0 try again"}
"""What the relay answers at once for some mailboxes; every other mailbox exists."""
SIZE_LIMIT = 200_000
WAIT_TIMEOUT = 30.0
"""Seconds for anything that Postfix is waited for; far more than it ever takes."""
_PROGRAMS = ("ip", "postfix", "postconf")
_MASTER = Path("/usr/share/postfix/master.cf.dist")
_MAIL_ID = 8
"""The uid and gid of Debian's user ``mail``, to which the Maildirs belong."""
_CLONE_NEWNET = 0x40000000


def skip_reason() -> str:
    """Say why this machine cannot run it; empty where it can."""
    if os.geteuid() != 0:
        return "needs root: a Postfix in a network namespace"
    missing = [program for program in _PROGRAMS if not shutil.which(program, path=_path())]
    if not _MASTER.exists():
        missing.append(str(_MASTER))
    return f"needs {', '.join(missing)}: apt-get install postfix iproute2" if missing else ""


@contextlib.contextmanager
def network_namespace(address: str = ADDRESS) -> Iterator[str]:
    """Make a network namespace with a loopback that has ``address`` too; what still runs in it at the end is ended."""
    name = f"mail-{os.getpid()}-{secrets.token_hex(2)}"
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", name, "address", "add", f"{address}/32", "dev", "lo")
        yield name
    finally:
        for pid in _run("ip", "netns", "pids", name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        _run("ip", "netns", "delete", name)


def run_in_namespace(namespace: str, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in an event loop whose connections are made in the namespace."""

    def run() -> T:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/run/netns", namespace).open() as file:
            if libc.setns(file.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return asyncio.run(coroutine)

    # a namespace is a thread's, and this thread ends with its work
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


class Postfix:
    """Postfix in a namespace that has ``address``; starts with the ``with`` block and leaves nothing behind."""

    def __init__(self, namespace: str, address: str = ADDRESS) -> None:
        self.namespace = namespace
        self.address = address
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.ca = self.folder / "ca.pem"
        self._logins = _SaslServer(self.folder / "logins")

    def __enter__(self) -> Self:
        try:
            self._write_tree()
            self._logins.start()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._remove()

    def start(self) -> None:
        """Start it, or start it again; returns once both ports greet."""
        self._postfix("start")
        for port in (25, 587):
            run_in_namespace(self.namespace, _wait_for_greeting(self.address, port, time.monotonic() + WAIT_TIMEOUT))

    def stop(self) -> None:
        """Stop it; what it has accepted it keeps."""
        self._postfix("stop")

    def delivered(self, mailbox: str, count: int = 0) -> list[EmailMessage]:
        """Give the mails in a mailbox, in the order of their arrival, once there are ``count`` at least."""
        until = time.monotonic() + WAIT_TIMEOUT
        while len(mails := self._stored_mails().get(mailbox, [])) < count:
            assert time.monotonic() < until, f"{len(mails)} mails for {mailbox}, not {count}:\n{self.log()}"
            time.sleep(0.02)
        return mails

    def mailboxes(self) -> Mapping[str, int]:
        """Give how many mails each mailbox has; those without any are not there."""
        return {mailbox: len(mails) for mailbox, mails in self._stored_mails().items()}

    def _stored_mails(self) -> dict[str, list[EmailMessage]]:
        """Read all mails, by the mailbox that Postfix wrote into each: one Maildir holds them all."""
        kept: dict[str, list[EmailMessage]] = {}
        files = (self.folder / "mail" / "all" / "new").glob("*")
        for file in sorted(files, key=lambda file: file.stat().st_mtime_ns):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            kept.setdefault(str(mail["Delivered-To"]).partition("@")[0], []).append(mail)
        return kept

    def log(self) -> str:
        """Give what it logged."""
        file = self.folder / "mail.log"
        return file.read_text() if file.exists() else ""

    def _write_tree(self) -> None:
        """Write its tree: nothing chrooted, no mail to anywhere else, a certificate for its address."""
        self.folder.chmod(0o755)
        for name in ("etc", "spool", "data", "mail"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        os.chown(self.folder / "mail", _MAIL_ID, _MAIL_ID)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        certificate = authority.issue_cert(self.address, f"mx.{DOMAIN}")
        certificate.private_key_and_cert_chain_pem.write_to_path(self.folder / "key.pem")
        (self.folder / "key.pem").chmod(0o600)
        settings = "".join(f"{key} = {value}\n" for key, value in self._settings().items())
        (self.folder / "etc" / "main.cf").write_text(settings)
        (self.folder / "etc" / "master.cf").write_text(_services())

    def _settings(self) -> Mapping[str, object]:
        refusals = ", ".join(f"{{ {user}@{DOMAIN} = {reply} }}" for user, reply in REFUSED.items())
        return {
            "compatibility_level": "3.6",
            "queue_directory": self.folder / "spool",
            "data_directory": self.folder / "data",
            "maillog_file": self.folder / "mail.log",
            "maillog_file_prefixes": self.folder,
            "myhostname": f"mx.{DOMAIN}",
            "mydestination": "",
            "inet_interfaces": f"127.0.0.1, {self.address}",
            "inet_protocols": "ipv4",
            "smtpd_tls_chain_files": self.folder / "key.pem",
            "smtpd_tls_security_level": "may",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": self._logins.path,
            "smtpd_recipient_restrictions": f"check_recipient_access inline:{{ {refusals} }} reject_unauth_destination",
            "message_size_limit": SIZE_LIMIT,
            "mailbox_size_limit": 0,
            "virtual_mailbox_limit": 0,
            "virtual_mailbox_domains": DOMAIN,
            "virtual_mailbox_base": self.folder / "mail",
            "virtual_mailbox_maps": "static:all/",
            "virtual_transport": "virtual",
            "virtual_uid_maps": f"static:{_MAIL_ID}",
            "virtual_gid_maps": f"static:{_MAIL_ID}",
            "virtual_minimum_uid": 1,
            "default_transport": "error:no mail leaves this machine",
            "alias_maps": "",
            "alias_database": "",
            "smtputf8_enable": "no",
        }

    def _postfix(self, verb: str) -> None:
        _run("ip", "netns", "exec", self.namespace, "postfix", "-c", str(self.folder / "etc"), verb)

    def _remove(self) -> None:
        self._logins.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class _SaslServer:
    """The logins that Postfix asks for at a socket, in the protocol of Dovecot: one user, one password."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server: socketserver.ThreadingUnixStreamServer | None = None

    def start(self) -> None:
        self._server = socketserver.ThreadingUnixStreamServer(str(self.path), _SaslHandler)
        self._server.daemon_threads = True
        self.path.chmod(0o666)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _SaslHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        cookie = secrets.token_hex(16)
        self._reply("VERSION", "1", "1")
        self._reply("MECH", "PLAIN", "plaintext")
        self._reply("SPID", "1")
        self._reply("CUID", "1")
        self._reply("COOKIE", cookie)
        self._reply("DONE")
        for line in self.rfile:
            verb, *words = line.decode().rstrip("\n").split("\t")
            if verb == "AUTH":
                response = next(word.removeprefix("resp=") for word in words if word.startswith("resp="))
                _, user, password = base64.b64decode(response).decode().split("\0")
                right = (user, password) == (USER, PASSWORD)
                self._reply("OK" if right else "FAIL", words[0], f"user={user}")

    def _reply(self, *words: str) -> None:
        self.wfile.write("\t".join(words).encode() + b"\n")


def services() -> list[str]:
    """Give Debian's services with nothing chrooted, a line each."""
    lines = []
    for line in _MASTER.read_text().splitlines():
        words = line.split()
        if len(words) > 7 and not line.startswith(("#", " ")):
            lines.append(" ".join([*words[:4], "n", *words[5:]]))
    return lines


def _services() -> str:
    """Give these, and the submission port: first STARTTLS, then a login."""
    login = "-o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes -o smtpd_tls_auth_only=yes"
    only = "-o smtpd_client_restrictions=permit_sasl_authenticated,reject"
    return "\n".join([*services(), f"587 inet n - n - - smtpd {login} {only}", ""])


async def _wait_for_greeting(host: str, port: int, until: float) -> None:
    """Wait until a server greets."""
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, port)
            greeting = await reader.readline()
            writer.write(b"QUIT\r\n")
            writer.close()
            await writer.wait_closed()
        except OSError:
            greeting = b""
        if greeting.startswith(b"220"):
            return
        assert time.monotonic() < until, f"{host}:{port} does not greet"
        await asyncio.sleep(0.02)


def _path() -> str:
    """Give where to look for programs: root's are not on every user's path."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _run(*command: str) -> str:
    """Run a program that has to succeed; gives what it printed."""
    environment = {**os.environ, "PATH": _path()}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
