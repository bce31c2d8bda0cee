"""The way in which mail leaves, as configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.mail.delivery.eml_files import FileTransport
from monitor.mail.delivery.smtp import SmtpTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config.settings import Config
    from monitor.mail.delivery.transport import MailTransport


def make_transport(config: Config, environ: Mapping[str, str]) -> MailTransport:
    """Give the way in which mail leaves; the password is read only when it is needed."""
    email = config.email
    if email.transport == "file":
        return FileTransport(config.data_dir / "mail")
    return SmtpTransport(
        email.host,
        email.port,
        email.security,
        username=email.username or "",
        password=(lambda: email.read_password(environ)) if email.username else None,
    )
