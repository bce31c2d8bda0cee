"""Mail over SMTP, to one relay.

The cause of a refusal decides what happens to the mail. A refusal of a recipient or of the mail itself is about this
mail: 5xx is permanent. A refusal of the monitor (greeting, TLS, login, sender) is about the setup, which an operator
corrects: the mail waits, whatever the code, so a wrong password loses nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from monitor.errors import MonitorError
from monitor.formatting import one_line
from monitor.mail.delivery.transport import Receipt, TransportError
from monitor.mail.message import needs_smtputf8, normalize_address, sender_address, to_mime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from monitor.mail.message import Message

Security: TypeAlias = Literal["starttls", "tls", "none"]

_SETUP_CODES: Final = frozenset({503, 530, 534, 535, 538})
"""Sequence, login and encryption: refusals of the setup, at every step of the dialogue."""
_ENHANCED_CODE: Final = re.compile(r"5\.(\d{1,3})\.(\d{1,3})\b")
_PASSING_CODES: Final = frozenset({"1.7", "1.8", "2.2", "3.1", "3.2"})
"""RFC 3463: the sender's address, a full mailbox, a system that is full or accepts no mail. 7.x is a policy, or says
that the monitor may not send there."""
_PASSING_WORDS: Final = re.compile(
    r"quota|mailbox (?:is )?full|over ?limit|limit exceeded|\brate\b|too many|policy|spam|\bblock|blacklist|reputation"
    r"|sender|from address|mail from|spf|dkim|dmarc|authenticat|relay(?:ing)? (?:access )?(?:is )?(?:denied|not)",
    re.IGNORECASE,
)
"""Words by which a reply without an enhanced code says the same."""
_MESSAGE_TOO_LARGE: Final = 552
_QUIT_TIMEOUT: Final = 5.0
"""Seconds for the answer to QUIT, which decides nothing."""
_NO_SMTPUTF8_MESSAGE = "the relay does not offer SMTPUTF8, which this address needs"


@dataclass(frozen=True, slots=True)
class SmtpTransport:
    """One relay, one connection for each mail.

    ``starttls`` and ``tls`` never fall back to clear text. The relay's certificate must be valid for ``host`` by the
    system's authorities (or ``ca_file``). Only a relay on the same machine, named by a loopback address or as
    ``localhost``, needs no valid one: no authority certifies 127.0.0.1, and the traffic does not leave the machine.
    """

    host: str
    port: int
    security: Security
    username: str = ""
    """Empty: no login."""
    password: Callable[[], str] | None = field(default=None, repr=False)
    """Called at each login, so that a changed password takes effect; may raise MonitorError or OSError."""
    ca_file: Path | None = None
    """Authorities to trust instead of the system's."""
    timeout: float = 60.0
    """Seconds for each answer of the relay."""
    deadline: float = 300.0
    """Seconds for the whole dialogue, also if each answer is in time."""

    async def send(self, message: Message, recipients: tuple[str, ...]) -> Receipt:
        """Pass the mail to the relay for ``recipients``; see MailTransport.send."""
        try:
            sender_address(message.sender)
            known = {address: normalize_address(address) for address in recipients}
        except MonitorError as error:
            raise TransportError(permanent=True, text=str(error)) from error
        try:
            return await self._send_once(message, known)
        except _ContentRefusedError as error:
            accepted = {asked: wire for asked, wire in known.items() if asked not in {**error.refused, **error.later}}
            if len(accepted) > 1:
                return await self._send_to_each(message, accepted, error)
            refused = {**error.refused, **dict.fromkeys(accepted, error.text)} if error.later else error.refused
            raise TransportError(permanent=not error.later, text=error.text, refused=refused) from error

    async def _send_to_each(
        self, message: Message, recipients: dict[str, str], refusal: _ContentRefusedError
    ) -> Receipt:
        """Send the mail to each recipient alone: the relay may have refused it for all because of one of them."""
        gone, later, reply = dict(refusal.refused), dict(refusal.later), ""
        for asked, wire in recipients.items():
            try:
                reply = (await self._send_once(message, {asked: wire})).reply
            except TransportError as error:
                text = error.refused.get(asked, error.text)
                (gone if error.permanent else later)[asked] = text
        if not reply:
            raise TransportError(permanent=not later, text=refusal.text, refused=gone)
        return Receipt(reply=reply, refused_permanently=gone, refused_temporarily=later)

    async def _send_once(self, message: Message, known: dict[str, str]) -> Receipt:
        """Send the mail to some recipients in one session."""
        smtp = SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.security == "tls",
            start_tls=False,  # done by hand below: so EHLO can name the connection's own address
            validate_certs=not is_loopback(self.host),
            cert_bundle=str(self.ca_file) if self.ca_file else None,
            local_hostname="[127.0.0.1]",
            timeout=self.timeout,
        )
        try:
            receipt = await self._send_with_deadline(smtp, message, known)
            # the relay has the mail: a failure of QUIT is no failure of the delivery
            with suppress(SMTPException, OSError):
                await smtp.execute_command(b"QUIT", timeout=min(self.timeout, _QUIT_TIMEOUT))
        finally:
            _abort_connection(smtp)
        return receipt

    async def _send_with_deadline(self, smtp: SMTP, message: Message, recipients: dict[str, str]) -> Receipt:
        try:
            async with asyncio.timeout(self.deadline):
                await self._open_session(smtp)
                return await self._transfer(smtp, message, recipients)
        except TimeoutError as error:
            raise self._temporary_error("the dialogue took too long") from error

    async def _open_session(self, smtp: SMTP) -> None:
        """Connect, encrypt and log in; a failure here is one of the setup or the network, never of the mail."""
        clear = self.security == "none" and not is_loopback(self.host)
        if self.username and clear:
            raise self._temporary_error('security = "none" would send the password in clear over the network')
        step = "connecting"
        try:
            await smtp.connect()
            smtp.local_hostname = helo_name(smtp.get_transport_info("sockname"))
            step = "EHLO"
            await smtp.ehlo()
            if self.security == "starttls":
                step = "STARTTLS"
                await smtp.starttls()
                await smtp.ehlo()
            if self.username and self.password is not None:
                step = f"login as {self.username}"
                await self._login(smtp, self.password())
        except (SMTPException, MonitorError, OSError, ValueError) as error:
            raise self._temporary_error(f"{step}: {_error_text(error)}") from None

    async def _login(self, smtp: SMTP, password: str) -> None:
        """Log in; the password is never in the error, not even if the relay repeats it."""
        try:
            await smtp.login(self.username, password)
        except UnicodeError:
            raise SMTPException("the user name or the password has letters that cannot be sent") from None
        except SMTPException as error:
            raise SMTPException(
                _error_text(error).replace(password, "***") if password else _error_text(error)
            ) from None

    async def _transfer(self, smtp: SMTP, message: Message, recipients: dict[str, str]) -> Receipt:
        """Send MAIL, RCPT for each, DATA; ``recipients`` maps configured addresses to those with an ASCII domain."""
        gone: dict[str, str] = {}
        later: dict[str, str] = {}
        if not smtp.supports_extension("smtputf8"):
            gone = {asked: _NO_SMTPUTF8_MESSAGE for asked, wire in recipients.items() if not wire.isascii()}
            ascii_to = tuple(a for a in message.to if normalize_address(a).isascii())
            ascii_bcc = tuple(a for a in message.bcc if normalize_address(a).isascii())
            message = replace(message, to=ascii_to, bcc=ascii_bcc)
        utf8 = needs_smtputf8(message)
        try:
            await smtp.mail(
                sender_address(message.sender),
                options=["SMTPUTF8"] if utf8 else [],
                encoding="utf-8" if utf8 else "ascii",
            )
            for asked, wire in recipients.items():
                if asked not in gone:
                    await self._add_recipient(
                        smtp, asked, wire, refused_permanently=gone, refused_temporarily=later, utf8=utf8
                    )
            if len(gone) + len(later) == len(recipients):
                raise TransportError(
                    permanent=not later, text=self._with_relay(_format_refusals({**gone, **later})), refused=gone
                )
            reply = await smtp.data(to_mime(message).as_bytes())
        except SMTPSenderRefused as error:
            raise TransportError(
                permanent=error.code == _MESSAGE_TOO_LARGE and _is_permanent(error),
                text=self._with_relay(f"MAIL: {_error_text(error)}"),
            ) from error
        except SMTPDataError as error:
            text = self._with_relay(f"DATA: {_error_text(error)}")
            if _is_permanent(error):
                raise _ContentRefusedError(text, gone, later) from error
            raise TransportError(permanent=False, text=text, refused=gone) from error
        except (SMTPException, OSError, ValueError) as error:
            raise TransportError(permanent=False, text=self._with_relay(_error_text(error)), refused=gone) from error
        return Receipt(
            reply=one_line(f"{reply.code} {reply.message}"), refused_permanently=gone, refused_temporarily=later
        )

    async def _add_recipient(
        self,
        smtp: SMTP,
        address: str,
        wire_address: str,
        *,
        refused_permanently: dict[str, str],
        refused_temporarily: dict[str, str],
        utf8: bool,
    ) -> None:
        """Send RCPT for one address; add it to the refused ones if the relay refuses it."""
        try:
            await smtp.rcpt(wire_address, encoding="utf-8" if utf8 else "ascii")
        except SMTPRecipientRefused as error:
            refused = refused_permanently if _is_permanent(error) else refused_temporarily
            refused[address] = _error_text(error)

    def _with_relay(self, text: str) -> str:
        return f"relay {self.host}:{self.port}: {text}"

    def _temporary_error(self, text: str) -> TransportError:
        return TransportError(permanent=False, text=self._with_relay(text))


def is_loopback(host: str) -> bool:
    """Return whether the host is this machine, by its name alone: nothing is resolved."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def helo_name(sockname: tuple[str, ...], hostname: str | None = None) -> str:
    """Return the name for EHLO: this machine's if it is a full one, else the connection's address as a literal.

    ``sockname`` is the socket's; ``hostname`` is the system's name unless given. RFC 5321 2.3.5 requires one of the
    two, and some relays refuse anything else.
    """
    name = socket.gethostname() if hostname is None else hostname
    labels = name.rstrip(".").split(".")
    if len(labels) > 1 and name.isascii() and all(label.replace("-", "").isalnum() for label in labels):
        return name.rstrip(".")
    address = ipaddress.ip_address(sockname[0].partition("%")[0])
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"  # noqa: PLR2004 - the protocol's name


def _abort_connection(smtp: SMTP) -> None:
    """Close the connection at once: a TLS shutdown would wait for the relay and could leave a socket open."""
    if isinstance(smtp.transport, asyncio.WriteTransport):
        smtp.transport.abort()
    smtp.close()


class _ContentRefusedError(TransportError):
    """The relay refused the mail itself for good, for all recipients that it had accepted."""

    def __init__(self, text: str, refused: Mapping[str, str], later: Mapping[str, str]) -> None:
        super().__init__(permanent=True, text=text, refused=refused)
        self.later = later
        """Recipients that were refused for now."""


def _is_permanent(error: SMTPResponseException) -> bool:
    """Whether a reply is about this mail or recipient, for good; not about the sender, a quota or a policy."""
    return _has_permanent_code(error) and not _is_about_setup(error)


def _is_about_setup(error: SMTPResponseException) -> bool:
    found = _ENHANCED_CODE.match(error.message)
    if found is None or found[1] == "0":
        return _PASSING_WORDS.search(error.message) is not None
    return found[1] == "7" or f"{found[1]}.{found[2]}" in _PASSING_CODES


def _has_permanent_code(error: SMTPResponseException) -> bool:
    return 500 <= error.code < 600 and error.code not in _SETUP_CODES  # noqa: PLR2004 - SMTP's permanent replies


def _error_text(error: Exception) -> str:
    """Return an error's text on one line: the relay's code and text if it answered."""
    if isinstance(error, SMTPResponseException):
        return one_line(f"{error.code} {error.message}")
    return one_line(str(error)) or type(error).__name__


def _format_refusals(refused: dict[str, str]) -> str:
    return "; ".join(f"{address}: {reply}" for address, reply in refused.items())
