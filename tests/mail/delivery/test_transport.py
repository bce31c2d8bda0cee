"""How long a mail is tried."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from monitor.mail.delivery.transport import QUEUE_LIFETIME, backoff, next_attempt_at

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def test_delays_double_from_a_minute_to_an_hour() -> None:
    assert [backoff(attempts) // MINUTE for attempts in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@given(st.integers(-10, 10**9))
def test_no_delay_is_shorter_than_a_minute_or_longer_than_an_hour(attempts: int) -> None:
    assert MINUTE <= backoff(attempts) <= HOUR


def test_a_mail_is_tried_for_five_days_and_at_their_very_end() -> None:
    at, attempts, times = 0, 0, [0]
    while (following := next_attempt_at(attempts := attempts + 1, 0, at)) is not None:
        assert following > at
        at = following
        times.append(at)
    assert times[-1] == 5 * DAY == QUEUE_LIFETIME
    assert len(times) > 5 * 24
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) == HOUR


def test_a_mail_whose_relay_was_away_for_longer_is_given_up() -> None:
    assert next_attempt_at(1, 0, QUEUE_LIFETIME - 1) == QUEUE_LIFETIME
    assert next_attempt_at(1, 0, QUEUE_LIFETIME) is None
    assert next_attempt_at(1, 0, QUEUE_LIFETIME + 1) is None
