"""The part of a configuration that the ledger needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.ledger.context import LedgerContext

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.model import Millis


def ledger_context(config: Config, in_force: Millis) -> LedgerContext:
    """Return the ledger's view of a configuration that is in force from an instant on."""
    return LedgerContext(
        terms=config.terms(in_force),
        customers=config.customers_by_id,
        servers=config.servers_by_id,
        operators=config.contract.operator_emails,
        public_url=config.web.public_url,
        customer_url=config.web.customer_url,
        sender=config.email.sender,
    )
