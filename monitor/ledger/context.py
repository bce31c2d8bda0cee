"""The part of the configuration that the ledger uses: terms, customers, servers and mail addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.mail.content import Recipient
from monitor.model import PING
from monitor.sla.calendar import day_span, midnight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitor.model import CheckKey, Customer, Language, Millis, Server, Subscription
    from monitor.sla.terms import Terms


@dataclass(frozen=True, slots=True)
class LedgerContext:
    """The part of one configuration that the ledger uses."""

    terms: Terms
    customers: Mapping[str, Customer]
    servers: Mapping[str, Server]
    operators: tuple[str, ...]
    """E-mail addresses of the operators."""
    public_url: str
    """The address of the operators' page, in mails to them."""
    sender: str
    """The sender of mails; its domain is that of their Message-IDs."""
    customer_url: str = ""
    """The address of a page that customers may see, in mails to them; empty: none."""

    @property
    def interval(self) -> Millis:
        """Milliseconds between sweeps (8.2)."""
        return self.terms.interval

    @property
    def hold(self) -> Millis:
        """The longest time in milliseconds that a result holds (docs/contract.md#from-results-to-time)."""
        return 2 * self.terms.interval

    @property
    def zone(self) -> str:
        """The contract's time zone."""
        return self.terms.timezone

    def subscriptions_of(self, server: str, at: Millis) -> list[Subscription]:
        """Return the subscriptions of a server that are in force at a moment."""
        return [s for s in self.terms.subscriptions.values() if s.server == server and self._is_in_force(s, at)]

    def _is_in_force(self, subscription: Subscription, at: Millis) -> bool:
        started = subscription.start is None or midnight(subscription.start, self.zone) <= at
        return started and (
            subscription.end is None or at < day_span(subscription.end, subscription.end, self.zone).end
        )

    def customers_to_notify(self, key: CheckKey, at: Millis) -> list[str | None]:
        """Return the customers to notify of an outage of a check, by id; None stands for the operators alone.

        Customers with web hosting are notified of its services, not of ping: a server that does not answer ping
        while its web checks do is up (docs/contract.md#products-targets-and-credit-tables).
        """
        customers: dict[str | None, None] = {
            s.customer: None
            for s in self.subscriptions_of(key.server, at)
            if s.product != "web-hosting" or key.name != PING
        }
        return list(customers) or [None]

    def checks_by_customer(self, keys: Iterable[CheckKey], at: Millis) -> dict[str | None, list[CheckKey]]:
        """Return the checks by customer, as ``customers_to_notify`` names them, in one pass over all terms."""
        by_server: dict[str, list[CheckKey]] = {}
        for key in keys:
            by_server.setdefault(key.server, []).append(key)
        checks: dict[str | None, dict[CheckKey, None]] = {}
        for s in self.terms.subscriptions.values():
            if s.server in by_server and self._is_in_force(s, at):
                own_checks = checks.setdefault(s.customer, {})
                own_checks |= dict.fromkeys(
                    k for k in by_server[s.server] if s.product != "web-hosting" or k.name != PING
                )
        assigned = {key for own_checks in checks.values() for key in own_checks}
        unassigned = [key for keys_of_server in by_server.values() for key in keys_of_server if key not in assigned]
        if unassigned:
            checks[None] = dict.fromkeys(unassigned)
        return {customer: list(own_checks) for customer, own_checks in checks.items() if own_checks}

    def customers_of(self, servers: tuple[str, ...], at: Millis) -> list[str]:
        """Return the customers who have a subscription on any of the servers at a moment."""
        found = {s.customer: None for server in servers for s in self.subscriptions_of(server, at)}
        return list(found)

    def addresses(self, customer: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the recipients of a mail and those of its blind copies."""
        found = self.customers.get(customer) if customer is not None else None
        return (found.emails, self.operators) if found else (self.operators, ())

    def language(self, customer: str | None) -> Language:
        """Return the language of a customer's mails; the operators' is English."""
        known = self.customers.get(customer) if customer is not None else None
        return known.language if known else "en"

    def recipient(self, customer: str | None) -> Recipient:
        """Return a customer (None: the operators) as the recipient of a mail."""
        known = self.customers.get(customer) if customer is not None else None
        url = self.public_url if customer is None else self.customer_url
        return Recipient(known.name if known else "", self.language(customer), self.zone, url)
