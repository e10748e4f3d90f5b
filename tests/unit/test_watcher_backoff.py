"""The waits between tries stay in their bounds, whatever the dice and the server say."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from watcher.backoff import CAP_S, LONGEST_FLOOR_S, SPREAD, Backoff

FRACTIONS = st.floats(0, 1, exclude_max=True)
FLOORS = st.floats(-10, 10_000)


@given(FRACTIONS, FLOORS, st.integers(0, 200))
def test_a_wait_lies_between_the_floor_and_the_cap(fraction, floor_s, failures):
    backoff = Backoff(lambda: fraction)
    for _ in range(failures):
        backoff.next_s()
    asked_s = min(max(floor_s, 0), LONGEST_FLOOR_S)
    most_s = max(CAP_S, asked_s * (1 + SPREAD)) + 1e-9  # floats round up where a clock would not
    assert asked_s <= backoff.next_s(floor_s) <= most_s


@given(FRACTIONS)
def test_the_first_wait_without_a_floor_is_under_a_second(fraction):
    assert 0 <= Backoff(lambda: fraction).next_s() < 1


def test_the_ceiling_doubles_up_to_the_cap():
    backoff = Backoff(lambda: 0.5)
    assert [backoff.next_s() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_two_nodes_do_not_come_back_in_step():
    waits = [Backoff(random.Random(seed).random).next_s(3) for seed in range(50)]
    assert len(set(waits)) == 50
    assert all(wait >= 3 for wait in waits)


def test_a_minute_of_health_begins_anew_and_less_does_not():
    backoff = Backoff(lambda: 0.5)
    for _ in range(5):
        backoff.next_s()
    backoff.note_healthy(59.9)
    assert backoff.next_s() == 16
    backoff.note_healthy(60)
    assert backoff.next_s() == 0.5


def test_it_goes_on_for_ever():
    backoff = Backoff(lambda: 0.999)
    assert all(backoff.next_s(3) <= CAP_S for _ in range(10_000))
