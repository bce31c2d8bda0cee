"""What is said of single instants adds up to what the accounts say of them together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ledger.accounts.accounts import LedgerView
from monitor.ledger.accounts.explain import explain
from monitor.ledger.exclusions import ExclusionRequest, add
from monitor.ledger.results.importing import import_results
from monitor.model import Outcome, Span, Subscription
from monitor.sla.terms import CUSTOMER_CLAUSES, RECORDED_CLAUSES, CheckTerms, ServerTerms
from monitor.store import database, history, import_staging, journal
from tests.fakes import ledger_in_memory
from tests.ledger.results.import_fixture import START, STEP, TERMS

if TYPE_CHECKING:
    from sqlite_utils import Database

NOW = START + 60 * STEP
CHECKS = ("ping", "site", "shop")
SUBSCRIPTIONS = {
    "metal": Subscription("metal", "c", "web-01", "server", None, None, 1, None, None),
    "pages": Subscription("pages", "c", "web-01", "web-hosting", None, None, 1, None, None),
    "away": Subscription("away", "c", "web-02", "server", None, None, 1, None, None),
}
TERMS_OF_ALL = replace(
    TERMS,
    servers={
        "web-01": ServerTerms(4, (CheckTerms("ping", "icmp"), CheckTerms("site", "http"), CheckTerms("shop", "https"))),
        "web-02": ServerTerms(2, (CheckTerms("ping", "icmp"),)),
    },
    subscriptions=SUBSCRIPTIONS,
)

records = st.dictionaries(
    st.tuples(st.sampled_from(CHECKS), st.integers(0, 40)), st.sampled_from(list(Outcome)), max_size=60
)


@st.composite
def excluded(draw: st.DrawFn, outage_ids: list[int]) -> ExclusionRequest:
    clause = draw(st.sampled_from(RECORDED_CLAUSES))
    only = draw(st.sampled_from([None, "pages", "metal"])) if clause in CUSTOMER_CLAUSES else None
    number = draw(st.sampled_from([None, *outage_ids]))
    if number is not None:
        return ExclusionRequest(clause, "why", outage=number, subscription=only)
    first, last = sorted(draw(st.lists(st.integers(-5, 50), min_size=2, max_size=2, unique=True)))
    check = draw(st.sampled_from([None, *CHECKS]))
    span = Span(START + first * STEP, START + last * STEP)
    return ExclusionRequest(clause, "why", server="web-01", span=span, check=check, subscription=only)


def announce_emergency(db: Database, first: int, last: int) -> None:
    body = {
        "window": 1,
        "servers": ["web-01"],
        "start": START + first * STEP,
        "end": START + last * STEP,
        "reason": "disks",
        "emergency": "they burn",
        "announced_at": NOW,
        "reference": None,
        "recorded_by": "ayse",
    }
    journal.append(db, NOW, "maintenance-announced", body)


def filled(found: dict[tuple[str, int], Outcome]) -> Database:
    db = ledger_in_memory()
    with database.transaction(db):
        import_staging.create_tables(db)
        lines = (
            import_staging.StagedRow(line, "web-01", check, START + slot * STEP, int(outcome), None)
            for line, ((check, slot), outcome) in enumerate(found.items(), 2)
        )
        import_staging.stage_rows(db, lines)
        import_staging.find_conflicts(db, 1)
        import_results(db, TERMS_OF_ALL, NOW)
    return db


@settings(max_examples=40, deadline=None)
@given(records, st.data())
def test_what_instants_are_said_to_be_adds_up_to_the_accounts(
    found: dict[tuple[str, int], Outcome], data: st.DataObject
) -> None:
    db = filled(found)
    ids = [outage.id for outage in history.list_outages(db)]
    with database.transaction(db):
        announce_emergency(db, *data.draw(st.sampled_from([(3, 9), (20, 30), (70, 80)])))
        for asked in data.draw(st.lists(excluded(ids), max_size=4)):
            add(db, TERMS_OF_ALL, asked, NOW)
    books = LedgerView(db, NOW, TERMS_OF_ALL)
    accounts = {each.subscription.id: each.account for each in books.rolling(1).subscriptions}
    kinds: Counter[tuple[str, str]] = Counter()
    charges: Counter[tuple[str, str | None, str | None]] = Counter()
    # every fact lies on a whole step, so that a step is one thing from its first to its last millisecond
    within = data.draw(st.integers(0, STEP - 1))
    for slot in range(-6, 60):
        instant = explain(db, books, "web-01", START + slot * STEP + within, list(CHECKS))
        assert [each.subscription for each in instant.verdicts] == ["metal", "pages"]
        for each in instant.verdicts:
            kinds[each.subscription, each.verdict] += STEP
            if each.verdict == "excluded":
                charges[each.subscription, each.clause, each.reference] += STEP
            else:
                assert each.clause is None
    for name in ("metal", "pages"):
        account = accounts[name]
        lengths = {"up": account.up, "down": account.down, "excluded": account.excluded}
        assert {kind: kinds[name, kind] for kind in lengths} == lengths
        assert {(one.clause, one.reference): one.length for one in account.exclusions} == {
            key[1:]: length for key, length in charges.items() if key[0] == name
        }


@settings(max_examples=40, deadline=None)
@given(records, st.integers(-3 * STEP, 50 * STEP))
def test_the_result_that_holds_is_the_last_before_it_for_two_intervals(
    found: dict[tuple[str, int], Outcome], place: int
) -> None:
    db = filled(found)
    instant = explain(db, LedgerView(db, NOW, TERMS_OF_ALL), "web-01", START + place, list(CHECKS))
    for then in instant.checks:
        slots = sorted(slot for check, slot in found if check == then.key.name)
        earlier = [slot for slot in slots if slot * STEP <= place]
        later = [slot * STEP for slot in slots if slot * STEP > place]
        if earlier and place < earlier[-1] * STEP + 2 * STEP:
            assert then.evidence is not None
            assert then.evidence.result.at == START + earlier[-1] * STEP
            assert then.evidence.result.outcome is found[then.key.name, earlier[-1]]
            assert then.until == START + min([earlier[-1] * STEP + 2 * STEP, *later])
        else:
            assert then.evidence is None
            assert then.last_result_at == (START + earlier[-1] * STEP if earlier else None)
