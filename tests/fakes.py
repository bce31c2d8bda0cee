"""The fakes that several tests share: time that jumps, threads that are none, probes and relays that follow a script.

Each is a named class that stands where production code takes its collaborator; nothing is patched.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import sqlite3
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sqlite_utils import Database

from monitor.errors import StoreError
from monitor.ledger.context import LedgerContext
from monitor.mail.delivery.transport import Receipt
from monitor.model import PING, Check, CheckKey, Customer, Outcome, Result, Server, Subscription
from monitor.probes.probe import Attempt
from monitor.sla.terms import CheckTerms, ServerTerms, Terms
from monitor.store import database, results
from monitor.store.archive import compaction, hours
from monitor.store.schema import migrations

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path

    from monitor.engine.live.state import CheckEntry, LiveState, SubscriptionEntry
    from monitor.mail.content import OperatorNews
    from monitor.mail.delivery.transport import TransportError
    from monitor.mail.message import Message
    from monitor.model import Language, Millis, Product, Rounding
    from monitor.probes.probe import Target

T = TypeVar("T")

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START: Millis = 1_790_935_200_000
"""2026-10-02 10:00:00 UTC, a Friday: 13:00 in Istanbul."""
OK, FAIL, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN
OUTCOMES_BY_LETTER = {"o": OK, "x": FAIL, "?": UNKNOWN}


# --- time ------------------------------------------------------------------------------------------------------------


class FakeClock:
    """Both readings of time, moved by hand or by the virtual loop; the wall can be stepped alone."""

    def __init__(self, start: Millis = START, monotonic: float = 1_000.0) -> None:
        self._micros = round(monotonic * 1_000_000)
        self._wall = start - self._micros // 1_000

    def monotonic(self) -> float:
        return self._micros / 1_000_000

    def now(self) -> Millis:
        return self._wall + self._micros // 1_000

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._micros += max(0, round(seconds * 1_000_000))

    def step(self, millis: Millis) -> None:
        """Step the wall clock; no time passes."""
        self._wall += millis

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a story on a loop that lives by this clock."""
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(self)) as runner:
            return runner.run(coroutine)


class _TimeJumpingSelector(selectors.SelectSelector):
    """Where a real selector would wait, time jumps to the next timer."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen any more in virtual time")
        if timeout > 0:
            # never short of the timer: a microsecond more is nothing, one less would spin
            self._clock.advance(timeout + 0.000_001)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop without waiting: a month passes as fast as its work is done."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        super().__init__(_TimeJumpingSelector(clock))

    def time(self) -> float:
        return self._clock.monotonic()


# --- the database ----------------------------------------------------------------------------------------------------


class InlineWriter:
    """The writer's thread without a thread; the next ``failures_left`` pieces of work are refused, at their commit."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.failures_left = 0
        self.is_full: Callable[[], bool] = lambda: False
        """Asked before each piece of work as well: a database that is full for a while."""
        self.calls = 0

    async def run(self, work: Callable[[Database], T]) -> T:
        await asyncio.sleep(0)
        self.calls += 1
        try:
            with database.transaction(self.db):
                done = work(self.db)
                if self.failures_left > 0 or self.is_full():
                    self.failures_left = max(0, self.failures_left - 1)
                    raise sqlite3.OperationalError("database or disk is full")
                return done
        except sqlite3.Error as error:
            raise StoreError(f"cannot write: {error}") from error

    async def close(self) -> None:
        self.db.close()


class InlineReader:
    """A reader's thread without a thread, on a connection of its own."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def run(self, work: Callable[[Database], T]) -> T:
        await asyncio.sleep(0)
        with database.snapshot(self.db):
            return work(self.db)

    async def close(self) -> None:
        self.db.close()


class CrashError(Exception):
    """The power went, as far as the code under test can tell."""


class CrashingConnection(sqlite3.Connection):
    """A connection on which the ``crash_at``-th write statement from now on raises; 0 is never."""

    crash_at = 0
    writes = 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._count(sql)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self._count(sql)
        return super().executemany(sql, parameters)

    def commit(self) -> None:
        self._count("COMMIT")
        super().commit()

    def _count(self, sql: str) -> None:
        if sql.split(None, 1)[0].upper() in {"SELECT", "PRAGMA", "BEGIN", "ROLLBACK"}:
            return
        self.writes += 1
        if self.writes == self.crash_at:
            raise CrashError(sql)

    def arm(self, crash_at: int) -> None:
        """Crash at the so-many-th write from now on."""
        self.writes, self.crash_at = 0, crash_at


def open_crashing(path: Path) -> tuple[Database, CrashingConnection]:
    """Open a database whose writes can be made to crash."""
    database.open_read_write(path).close()
    connection = sqlite3.connect(path, factory=CrashingConnection, isolation_level=None)
    return _closed_after_the_test(Database(connection)), connection


_opened: list[Database] = []


def close_databases() -> None:
    """Close what the functions below opened; called at the end of every test."""
    while _opened:
        _opened.pop().close()


def _closed_after_the_test(db: Database) -> Database:
    _opened.append(db)
    return db


def open_read_write(path: Path) -> Database:
    """Open a ledger for writing; it is closed after the test."""
    return _closed_after_the_test(database.open_read_write(path))


def open_read_only(path: Path) -> Database:
    """Open a ledger for reading; it is closed after the test."""
    return _closed_after_the_test(database.open_read_only(path))


def ledger_in_memory() -> Database:
    """An empty ledger that leaves nothing on disk, for properties with many examples; closed after the test."""
    db = _closed_after_the_test(Database(memory=True))
    db.conn.isolation_level = None
    migrations.apply(db)
    return db


def pack_hours(db: Database, until: Millis) -> None:
    """Pack every hour that ends by then, as the daemon does in the background, in pieces of a few results."""
    while (began := compaction.next_hour_due(db, until)) is not None:
        compaction.discard_unfinished(db)
        for first, last in compaction.check_ranges(db, began, 50):
            hours.write_hours(db, compaction.pack_rows(db, began, first, last))
        assert compaction.commit_hour(db, began)
        while compaction.delete_packed_rows(db, 50):
            pass


RANDOM_COLUMNS = frozenset({"message_id", "refers"})
"""Columns that no two tellings of one story share."""
DIGEST_COLUMNS = frozenset({"hash", "previous"})
"""Columns of the journal that depend on them: it has a digest of every mail."""


def stored_rows(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is stored, but for what chance made."""
    return {
        table: sorted((_without_chance(table, row) for row in db[table].rows), key=repr)
        for table in db.table_names()
        if not table.startswith("_")
    }


def _without_chance(table: str, row: dict[str, Any]) -> tuple[Any, ...]:
    if table == "journal" and row["kind"].startswith("mail-"):
        row = row | {"body": json.loads(row["body"])["mail"]}
    elif table == "note" and row["key"] == "journal-head":
        row = row | {"body": json.loads(row["body"])["entry"]}
    left_out = RANDOM_COLUMNS | DIGEST_COLUMNS if table == "journal" else RANDOM_COLUMNS
    return tuple(value for column, value in row.items() if column not in left_out)


# --- probes and mail -------------------------------------------------------------------------------------------------


class ScriptedProbe:
    """A probe that gives what its script says for the moment at which it is sent, after ``duration`` seconds."""

    def __init__(
        self,
        clock: FakeClock,
        script: Callable[[Millis], Outcome],
        *,
        duration: float = 0.0,
        reason: str = "timeout",
    ) -> None:
        self._clock = clock
        self._script = script
        self._duration = duration
        self._reason = reason
        self.sent_at: list[float] = []

    async def attempt(self, target: Target, timeout: float) -> Attempt:  # noqa: ARG002, ASYNC109 - see Probe
        at = self._clock.monotonic()
        self.sent_at.append(at)
        outcome = self._script(self._clock.now())
        if self._duration:
            await asyncio.sleep(self._duration)
        ok = outcome is OK
        return Attempt(outcome, at, 400 if ok else None, "" if ok else self._reason)


class FakeTransport:
    """A relay that answers by script, then takes everything; it keeps what it was handed."""

    def __init__(self, *answers: Receipt | TransportError) -> None:
        self.replies: deque[Receipt | TransportError] = deque(answers)
        self.attempts: list[tuple[Message, tuple[str, ...]]] = []
        """Every try, with those it was for."""
        self.delivered: list[tuple[Message, tuple[str, ...]]] = []
        """What was accepted, and for whom."""
        self.unreachable: Callable[[], TransportError | None] = lambda: None
        """Asked first: a relay that cannot be reached for a while."""

    async def send(self, message: Message, recipients: tuple[str, ...]) -> Receipt:
        await asyncio.sleep(0)
        self.attempts.append((message, recipients))
        answer = self.unreachable() or (self.replies.popleft() if self.replies else Receipt("250 queued"))
        if not isinstance(answer, Receipt):
            raise answer
        refused = {**answer.refused_permanently, **answer.refused_temporarily}
        self.delivered.append((message, tuple(each for each in recipients if each not in refused)))
        return answer


class FakeOperatorNotifier:
    """Keeps what the operators would be told: the troubles in order, and which were said to be over."""

    def __init__(self) -> None:
        self.problems: list[tuple[OperatorNews, tuple[str, ...]]] = []
        self.cleared: list[OperatorNews] = []

    def raise_problem(self, news: OperatorNews, lines: Iterable[str], at: Millis | None = None) -> None:  # noqa: ARG002
        self.problems.append((news, tuple(lines)))

    def clear_problem(self, news: OperatorNews) -> None:
        self.cleared.append(news)


# --- one configuration -----------------------------------------------------------------------------------------------


def make_customer(name: str, language: Language = "en") -> Customer:
    return Customer(name, f"{name.title()} Ltd", (f"it@{name}.example",), language)


def make_server(name: str, *services: str, parent: str | None = None, level: int | None = None) -> Server:
    """A server with ping and web services; without a level it is the lowest that has them."""
    level = level if level is not None else (4 if services else 2)
    checks = [Check(CheckKey(name, PING), "icmp", None)] if level > 1 else []
    checks += [Check(CheckKey(name, service), "http", None) for service in services]
    return Server(name, "192.0.2.1", level, parent, tuple(checks))


def make_subscription(
    customer: str,
    server: str,
    product: Product = "server",
    *,
    fee: Decimal | None = None,
    start: dt.date | None = None,
    end: dt.date | None = None,
) -> Subscription:
    currency = None if fee is None else "USD"
    return Subscription(f"{customer}-{server}", customer, server, product, fee, currency, 1, start, end)


def make_terms(
    servers: Iterable[Server],
    subscriptions: Iterable[Subscription],
    customers: Iterable[Customer],
    *,
    in_force: Millis = START,
    interval: Millis = MINUTE,
    timezone: str = "Europe/Istanbul",
    rounding: Rounding = "down",
) -> Terms:
    return Terms(
        in_force=in_force,
        timezone=timezone,
        rounding=rounding,
        rolling_days=30,
        interval=interval,
        servers={
            each.id: ServerTerms(each.level, tuple(CheckTerms(check.key.name, check.type) for check in each.checks))
            for each in servers
        },
        subscriptions={each.id: each for each in subscriptions},
        customers={each.id: each.name for each in customers},
    )


def make_context(
    servers: Sequence[Server] = (),
    subscriptions: Sequence[Subscription] = (),
    customers: Sequence[Customer] | None = None,
    *,
    operators: tuple[str, ...] = ("noc@example.com",),
    interval: Millis = MINUTE,
    timezone: str = "Europe/Istanbul",
) -> LedgerContext:
    """A configuration as the books see it; customers that are not given are made of the subscriptions."""
    if customers is None:
        customers = [make_customer(name) for name in dict.fromkeys(each.customer for each in subscriptions)]
    return LedgerContext(
        terms=make_terms(servers, subscriptions, customers, interval=interval, timezone=timezone),
        customers={each.id: each for each in customers},
        servers={each.id: each for each in servers},
        operators=operators,
        public_url="https://sla.example.com/",
        sender="SLA <sla@example.com>",
        customer_url="https://sla.example.com/",
    )


# --- results ---------------------------------------------------------------------------------------------------------


def make_result(key: CheckKey, at: Millis, outcome: Outcome, reason: str = "timeout") -> Result:
    ok = outcome is OK
    return Result(key, at, outcome, 1 if ok else 3, 412 if ok else None, "" if ok else reason)


def results_from(key: CheckKey, letters: str, start: Millis = START, interval: Millis = MINUTE) -> list[Result]:
    """Results an interval apart: ``o`` ok, ``x`` fail, ``?`` unknown, ``.`` none."""
    return [
        make_result(key, start + place * interval, OUTCOMES_BY_LETTER[letter])
        for place, letter in enumerate(letters)
        if letter in OUTCOMES_BY_LETTER
    ]


@dataclass(frozen=True)
class ResultScript:
    """What several checks gave, a letter an interval, to be told sweep by sweep."""

    checks: Mapping[CheckKey, str]
    start: Millis = START
    interval: Millis = MINUTE

    def sweeps(self) -> list[list[Result]]:
        """The results of each sweep."""
        length = max(len(letters) for letters in self.checks.values())
        return [
            [
                make_result(key, self.start + place * self.interval, OUTCOMES_BY_LETTER[letters[place]])
                for key, letters in self.checks.items()
                if letters[place : place + 1] in OUTCOMES_BY_LETTER
            ]
            for place in range(length)
        ]


def terms_effective_from(terms: Terms, in_force: Millis) -> Terms:
    """The same terms, in force from another moment."""
    return replace(terms, in_force=in_force)


def run_steps(steps: Iterable[None]) -> None:
    """Do at once what the program does in steps."""
    for _ in steps:
        pass


def replace_config(
    live_state: LiveState,
    checks: Iterable[CheckEntry],
    subscriptions: Iterable[SubscriptionEntry],
    servers: Iterable[str] = (),
    *,
    interval: Millis = 60_000,
    timezone: str = "UTC",
) -> None:
    """Configure a live state at once, with the usual interval and zone."""
    released: list[Iterator[None]] = []
    steps = live_state.replace_config_steps(
        checks, subscriptions, servers, interval=interval, timezone=timezone, released=released
    )
    run_steps(steps)
    for freeing in released:
        run_steps(freeing)


def all_results(db: Database) -> list[Result]:
    """Every result there is, in time order."""
    return [result for result, _ in results.read_with_batches(db)]


def cert_expiry(attempt: Attempt) -> int | None:
    """Unix seconds at which the first certificate of the presented chain expires; None without TLS."""
    return attempt.certificate.earliest_expiry if attempt.certificate else None
