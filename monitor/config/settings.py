"""The validated configuration: frozen, with every default filled in."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

from monitor.errors import InputError
from monitor.probes.credentials import decode_password
from monitor.sla.terms import CheckTerms, ServerTerms, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from monitor.config.validators import ListenAddress
    from monitor.model import CreditPolicy, Customer, Millis, Rounding, Server, Subscription

TransportName: TypeAlias = Literal["file", "smtp"]
Security: TypeAlias = Literal["starttls", "tls", "none"]

CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
"""The environment variable in which systemd passes the folder of a unit's credentials."""


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """How checks are made; all attempts of a check fit into the interval."""

    interval: Millis
    """From one sweep to the next."""
    timeout: Millis
    """For each attempt."""
    retries: int
    """Attempts after the first, while none succeeded."""
    retry_wait: Millis
    """Between two attempts."""

    @property
    def max_check_duration(self) -> Millis:
        """The duration of a check in which every attempt times out, waits included."""
        return (self.retries + 1) * self.timeout + self.retries * self.retry_wait


@dataclass(frozen=True, slots=True)
class ContractSettings:
    """Terms that the agreement leaves open."""

    timezone: str
    rounding: Rounding
    rolling_days: int
    operator_emails: tuple[str, ...]
    credit: CreditPolicy = "on-claim"
    support_credit: int | None = None
    """Percent of the monthly fee for each late first response (5.4.5); None: no credit."""
    ticket_area: str | None = None
    """The server on which tickets are opened (5.4.3); None: not monitored."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The address of the pages, to listen on and to link to."""

    listen: ListenAddress
    public_url: str
    """Ends with a slash."""

    @property
    def customer_url(self) -> str:
        """The link in mails to customers: ``public_url``, unless it is this machine's own page or a local address.

        That page is shown on this machine only, so customers get no link to it.
        """
        own_page = f"http://{self.listen.browser_address}/"
        return "" if self.public_url == own_page or _is_local(self.public_url) else self.public_url


def _is_local(url: str) -> bool:
    """Return whether a URL leads everybody to their own machine, or nowhere: by its host alone, nothing is resolved."""
    name = (urlsplit(url).hostname or "").rstrip(".").lower()
    if name in ("", "localhost", "ip6-localhost", "localhost.localdomain") or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified or address.is_link_local


@dataclass(frozen=True, slots=True)
class EmailSettings:
    """How mail is sent. The password itself is never kept here."""

    transport: TransportName
    sender: str
    """The key ``from``: ``SLA <sla@example.com>`` or a bare address."""
    host: str
    port: int
    security: Security
    username: str | None
    """None: no login."""
    password_file: Path | None
    """Absolute; set if and only if ``username`` is."""

    def read_password(self, environment: Mapping[str, str]) -> str:
        """Return the password: from the systemd credential with the file's name if there is one, else from the file.

        Each call reads the file again, so that a changed password takes effect. Raises InputError, which names the file
        and never its content, if it does not exist or is not one line of text.
        """
        if self.password_file is None:
            raise InputError("[email] password_file is not set: there is no password to log in with")
        file = self.password_file
        try:
            if folder := environment.get(CREDENTIALS_VARIABLE):
                credential = type(file)(folder) / file.name
                file = credential if credential.exists() else file
            return decode_password(file.read_bytes())
        except OSError as error:
            raise InputError(f"[email] password_file {file} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise InputError(f"[email] password_file {file} is not UTF-8 text") from None
        except ValueError as error:
            raise InputError(f"[email] password_file {file} {error}") from None


@dataclass(frozen=True)
class Config:
    """A whole configuration. Two are equal if their values are, whatever files they come from."""

    path: Path = field(compare=False)
    """The main file, as given."""
    files: tuple[Path, ...] = field(compare=False)
    """Every file that was read, the main one first."""
    data_dir: Path
    """Absolute."""
    monitor: MonitorSettings
    canaries: tuple[str, ...]
    """Addresses that show whether the monitor's own network works; empty: the self-check is off."""
    contract: ContractSettings
    web: WebSettings
    email: EmailSettings
    customers: tuple[Customer, ...]
    servers: tuple[Server, ...]
    subscriptions: tuple[Subscription, ...]

    @cached_property
    def customers_by_id(self) -> Mapping[str, Customer]:
        """Customers by id, in the order of the configuration."""
        return {customer.id: customer for customer in self.customers}

    @cached_property
    def servers_by_id(self) -> Mapping[str, Server]:
        """Servers by id, in the order of the configuration."""
        return {server.id: server for server in self.servers}

    @cached_property
    def subscriptions_by_id(self) -> Mapping[str, Subscription]:
        """Subscriptions by id, in the order of the configuration."""
        return {subscription.id: subscription for subscription in self.subscriptions}

    def terms(self, in_force: Millis) -> Terms:
        """Return the terms that figures depend on, in force from an instant on."""
        return Terms(
            in_force=in_force,
            timezone=self.contract.timezone,
            rounding=self.contract.rounding,
            rolling_days=self.contract.rolling_days,
            interval=self.monitor.interval,
            servers={
                server.id: ServerTerms(
                    level=server.level,
                    checks=tuple(CheckTerms(name=check.key.name, type=check.type) for check in server.checks),
                )
                for server in self.servers
            },
            subscriptions=self.subscriptions_by_id,
            customers={customer.id: customer.name for customer in self.customers},
            credit=self.contract.credit,
            support_credit=self.contract.support_credit,
            ticket_area=self.contract.ticket_area,
        )
