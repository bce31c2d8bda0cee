"""Terms, times and a function to import results of one check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from monitor.ledger.results.importing import import_results
from monitor.model import CheckKey, Outcome, Subscription
from monitor.sla.terms import CheckTerms, ServerTerms, Terms
from monitor.store import database, import_staging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database


START = 1_790_000_000_000
STEP = 60_000
NOW = START + 1_000 * STEP
KEY = CheckKey("web-01", "ping")
TERMS = Terms(
    in_force=START,
    timezone="Europe/Istanbul",
    rounding="down",
    rolling_days=30,
    interval=STEP,
    servers={"web-01": ServerTerms(2, (CheckTerms("ping", "icmp"),))},
    subscriptions={"s": Subscription("s", "c", "web-01", "server", None, None, 1, None, None)},
    customers={"c": "C"},
)


def import_into(db: Database, moments: Iterable[tuple[int, Outcome]], at: int = NOW) -> int:
    with database.transaction(db):
        import_staging.create_tables(db)
        import_staging.stage_rows(
            db,
            (
                import_staging.StagedRow(n, *KEY, START + slot * STEP, int(o), None)
                for n, (slot, o) in enumerate(moments, 2)
            ),
        )
        assert import_staging.find_conflicts(db, 20) == ([], 0)
        return import_results(db, TERMS, at)


moments = st.dictionaries(st.integers(0, 60), st.sampled_from(list(Outcome)), min_size=1, max_size=40)
