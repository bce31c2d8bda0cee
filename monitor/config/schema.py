"""Every table and key of the configuration, with its validator and default: the list to read first.

``docs/configuration.md`` describes the same keys for users; a test compares the two.
"""

from __future__ import annotations

from typing import Final, get_args

from monitor.config.decode import Key
from monitor.config.files import INCLUDE
from monitor.config.settings import Security, TransportName
from monitor.config.validators import (
    HIGHEST_PORT,
    ListenAddress,
    choice,
    currency,
    date,
    email,
    host,
    identifier,
    integer,
    list_of,
    listen_address,
    money,
    path,
    public_url,
    reach,
    reference,
    seconds,
    sender,
    text,
    timezone,
)
from monitor.model import CreditPolicy, Language, Product, Rounding
from monitor.probes.settings import MAX_RETRIES, MAX_RETRY_WAIT, MAX_TIMEOUT, MIN_TIMEOUT
from monitor.sla.support_levels import SUPPORT_LEVELS

MONITOR_KEYS: Final = (
    Key("data_dir", path, "data"),
    Key("interval", seconds(1_000, 3_600_000), 60_000),
    Key("timeout", seconds(MIN_TIMEOUT, MAX_TIMEOUT), 5_000),
    Key("retries", integer(0, MAX_RETRIES), 2),
    Key("retry_wait", seconds(0, MAX_RETRY_WAIT), 5_000),
    Key("canaries", list_of(host, "addresses"), ()),
)
CONTRACT_KEYS: Final = (
    Key("timezone", timezone, "Europe/Istanbul"),
    Key("rounding", choice(*get_args(Rounding)), "down"),
    Key("rolling_days", integer(1, 366), 30),
    Key("credit", choice(*get_args(CreditPolicy)), "on-claim"),
    Key("support_credit", integer(1, 100), None),
    Key("ticket_area", reference, None),
    Key("operator_emails", list_of(email, "e-mail addresses"), ()),
)
WEB_KEYS: Final = (
    Key("listen", listen_address, ListenAddress("127.0.0.1", 9809)),
    # None: follows from listen
    Key("public_url", public_url, None),
)
EMAIL_KEYS: Final = (
    Key("transport", choice(*get_args(TransportName)), "file"),
    Key("from", sender, "SLA monitor <sla-monitor@localhost>"),
    Key("host", host, "127.0.0.1"),
    # None: follows from security
    Key("port", integer(1, HIGHEST_PORT), None),
    Key("security", choice(*get_args(Security)), "starttls"),
    Key("username", text(), None),
    Key("password_file", path, None),
)
CUSTOMER_KEYS: Final = (
    Key("id", identifier),
    Key("name", text()),
    Key("emails", list_of(email, "e-mail addresses", min_items=1)),
    Key("language", choice(*get_args(Language)), "tr"),
)
SERVER_KEYS: Final = (
    Key("id", identifier),
    Key("address", host),
    Key("level", integer(min(SUPPORT_LEVELS), max(SUPPORT_LEVELS))),
    Key("parent", reference, None),
    Key("reach", reach, "icmp"),
    Key("family", choice("any", "4", "6"), "any"),
)
SUBSCRIPTION_KEYS: Final = (
    Key("id", identifier),
    Key("customer", reference),
    Key("server", reference),
    Key("product", choice(*get_args(Product))),
    Key("fee", money, None),
    Key("currency", currency, None),
    Key("months", integer(1, 120), 1),
    Key("start", date, None),
    Key("end", date, None),
)

SINGLE_TABLES: Final = {"monitor": MONITOR_KEYS, "contract": CONTRACT_KEYS, "web": WEB_KEYS, "email": EMAIL_KEYS}
"""Tables that appear once, in the main file."""
ARRAY_TABLES: Final = {"customer": CUSTOMER_KEYS, "server": SERVER_KEYS, "subscription": SUBSCRIPTION_KEYS}
"""Arrays of tables, in any file."""
TOP_LEVEL_NAMES: Final = (INCLUDE, *SINGLE_TABLES, *ARRAY_TABLES)
