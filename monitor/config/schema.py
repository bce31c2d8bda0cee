"""Every table and key of the configuration, with its kind and default: the list to read first.

``docs/configuration.md`` says the same for those who write a configuration; a test holds the two together.
"""

from __future__ import annotations

from typing import Final, get_args

from monitor.config.addresses import Listen, email, host, listen, public_url, sender
from monitor.config.decode import Key
from monitor.config.files import INCLUDE
from monitor.config.settings import Security, TransportName
from monitor.config.validators import (
    HIGHEST_PORT,
    choice,
    currency,
    day,
    identifier,
    list_of,
    money,
    path,
    reach,
    reference,
    seconds,
    text,
    whole,
    zone,
)
from monitor.model import CreditPolicy, Language, Product, Rounding
from monitor.sla.support_levels import LEVELS

MONITOR: Final = (
    Key("data_dir", path, "data"),
    Key("interval", seconds(1_000, 3_600_000), 60_000),
    Key("timeout", seconds(10, 60_000), 5_000),
    Key("retries", whole(0, 10), 2),
    Key("retry_wait", seconds(0, 600_000), 5_000),
    Key("canaries", list_of(host, "addresses"), ()),
)
CONTRACT: Final = (
    Key("timezone", zone, "Europe/Istanbul"),
    Key("rounding", choice(*get_args(Rounding)), "down"),
    Key("rolling_days", whole(1, 366), 30),
    Key("credit", choice(*get_args(CreditPolicy)), "on-claim"),
    Key("support_credit", whole(1, 100), None),
    Key("ticket_area", reference, None),
    Key("operator_emails", list_of(email, "e-mail addresses"), ()),
)
WEB: Final = (
    Key("listen", listen, Listen("127.0.0.1", 9809)),
    # None: follows from listen
    Key("public_url", public_url, None),
)
EMAIL: Final = (
    Key("transport", choice(*get_args(TransportName)), "file"),
    Key("from", sender, "SLA monitor <sla-monitor@localhost>"),
    Key("host", host, "127.0.0.1"),
    # None: follows from security
    Key("port", whole(1, HIGHEST_PORT), None),
    Key("security", choice(*get_args(Security)), "starttls"),
    Key("username", text(), None),
    Key("password_file", path, None),
)
CUSTOMER: Final = (
    Key("id", identifier),
    Key("name", text()),
    Key("emails", list_of(email, "e-mail addresses", least=1)),
    Key("language", choice(*get_args(Language)), "tr"),
)
SERVER: Final = (
    Key("id", identifier),
    Key("address", host),
    Key("level", whole(min(LEVELS), max(LEVELS))),
    Key("parent", reference, None),
    Key("reach", reach, "icmp"),
)
SUBSCRIPTION: Final = (
    Key("id", identifier),
    Key("customer", reference),
    Key("server", reference),
    Key("product", choice(*get_args(Product))),
    Key("fee", money, None),
    Key("currency", currency, None),
    Key("months", whole(1, 120), 1),
    Key("start", day, None),
    Key("end", day, None),
)

SINGLE: Final = {"monitor": MONITOR, "contract": CONTRACT, "web": WEB, "email": EMAIL}
"""Tables that stand once, in the main file."""
REPEATED: Final = {"customer": CUSTOMER, "server": SERVER, "subscription": SUBSCRIPTION}
"""Tables that stand as often as there are things, in any file."""
TOP: Final = (INCLUDE, *SINGLE, *REPEATED)
