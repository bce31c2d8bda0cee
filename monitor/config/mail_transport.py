"""The mail transport of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.mail.delivery.eml_files import FileTransport
from monitor.mail.delivery.smtp import SmtpTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config.settings import Config
    from monitor.mail.delivery.transport import MailTransport


def make_transport(config: Config, environ: Mapping[str, str]) -> MailTransport:
    """Return the configured mail transport; it reads the password at each login."""
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
