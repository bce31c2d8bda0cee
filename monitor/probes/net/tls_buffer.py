"""TLS without I/O: encrypted bytes in and out, plain bytes out and in. Both kinds of connection use it.

The caller moves the bytes: it feeds what the socket gives, and sends what ``outgoing`` returns after every other call.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from monitor.model import Reason
from monitor.probes.failures import server_failure
from monitor.probes.net.tls import handshake_failure, verification_failure

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_HANDSHAKE_BYTES = 48 * 1024
"""Bytes received in a handshake at most: parsing a chain of hundreds of certificates would hold up everything else."""


class TlsBuffer:
    """The client's side of one TLS session. Every method that judges raises ``ProbeError``."""

    def __init__(self, context: ssl.SSLContext, name: str, on_rejected: Callable[[ssl.SSLObject], None]) -> None:
        """``name`` is what the certificate must be made out to; ``on_rejected`` is called before it is refused."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._on_rejected = on_rejected

    def feed(self, data: bytes) -> None:
        """Add encrypted bytes; none are the end of the connection."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def outgoing(self) -> bytes:
        """Return the encrypted bytes that are to be sent now; perhaps none."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def continue_handshake(self) -> bool:
        """Return whether the handshake is complete; False if it needs more bytes."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLCertVerificationError as error:
            self._on_rejected(self.tls)
            raise verification_failure(error) from None
        except ssl.SSLEOFError:
            raise server_failure(Reason.CLOSED) from None
        except ssl.SSLError as error:
            raise handshake_failure(error, cipher_agreed=self.tls.cipher() is not None) from None
        return True

    def write(self, data: bytes) -> None:
        """Encrypt ``data``."""
        try:
            self.tls.write(data)
        except ssl.SSLError:
            raise server_failure(Reason.TLS) from None

    def read(self, size: int) -> bytes | None:
        """Return at most ``size`` plain bytes; none at the end of the session, None if it needs more encrypted ones."""
        try:
            return self.tls.read(size)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except ssl.SSLError as error:  # in TLS 1.3 a client certificate is judged after the handshake
            raise handshake_failure(error) from None

    def close(self) -> bytes:
        """Return the last bytes to send: the goodbye, or the alert of a handshake that failed."""
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        return self.outgoing()
