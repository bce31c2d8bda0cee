"""What a check must say of each server in each state, at a glance; docs/checks.md shows the same table."""

from __future__ import annotations

import re

NOT_POSSIBLE = "-"
"""It speaks no TLS, so there is no certificate to be wrong."""
_TABLE = """
            up  stopped  frozen   refusing              expired      early      self-signed    incomplete     other name
nginx       ok  refused  timeout  status: 403           tls_expired  tls_early  tls_untrusted  tls_untrusted  tls_name
apache2     ok  refused  timeout  status: 403           tls_expired  tls_early  tls_untrusted  tls_untrusted  tls_name
postfix     ok  refused  timeout  status: 421           tls_expired  tls_early  tls_untrusted  tls_untrusted  tls_name
exim4       ok  refused  timeout  status: 421           tls_expired  tls_early  tls_untrusted  tls_untrusted  tls_name
dovecot     ok  refused  timeout  login: NO             tls_expired  tls_early  tls_untrusted  tls_untrusted  tls_name
vsftpd      ok  refused  timeout  status: 421           tls_expired  tls_early  tls_untrusted  tls_untrusted  tls_name
proftpd     ok  refused  timeout  status: 530           tls_expired  tls_early  tls_untrusted  tls_untrusted  tls_name
openssh     ok  refused  timeout  closed                -            -          -              -              -
bind9       ok  refused  timeout  status: REFUSED       -            -          -              -              -
unbound     ok  refused  timeout  status: REFUSED       -            -          -              -              -
mariadb     ok  refused  timeout  too_many_connections  tls_expired  tls_early  tls_untrusted  tls_untrusted  tls_name
postgresql  ok  refused  timeout  too_many_connections  tls_expired  tls_early  tls_untrusted  tls_untrusted  tls_name
redis       ok  refused  timeout  too_many_connections  tls_expired  tls_early  tls_untrusted  tls_untrusted  tls_name
"""


def expected_reasons() -> dict[str, dict[str, str]]:
    """Give the reason by server and state; ``ok`` where all is well."""
    states, *rows = ([cell for cell in re.split(r"\s{2,}", line) if cell] for line in _TABLE.splitlines() if line)
    return {name: dict(zip(states, cells, strict=True)) for name, *cells in rows}
