"""The time axis of a ladder: all in its order and place, small beside large, exact numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.pages.timeline import TICK_APART, Stretch, draw, make_axis, offset

SECOND, HOUR = 1000, 3_600_000


def lane(*times):
    """Make stretches that follow on each other."""
    return [Stretch("one", "waits", before, after) for before, after in pairwise(times)]


def test_the_axis_begins_and_ends_with_what_is_drawn():
    axis = make_axis(lane(5000, 6000, 18_000))
    assert axis.place(5000) == 0
    assert axis.place(18_000) == 100
    assert [tick.text for tick in axis.ticks] == ["0", "+1.0 s", "+13.0 s"]
    assert [tick.anchor for tick in axis.ticks] == ["start", "middle", "end"]


def test_a_millisecond_is_seen_beside_a_night():
    axis = make_axis(lane(0, 1, 10 * HOUR, 10 * HOUR + SECOND))
    assert axis.place(1) > 2
    assert axis.place(10 * HOUR + SECOND) - axis.place(10 * HOUR) > 10


def test_what_lasted_an_hour_is_drawn_broken_and_no_wider_than_any_other_that_is():
    axis = make_axis(lane(0, HOUR, 20 * HOUR, 20 * HOUR + SECOND))
    first, second = axis.place(HOUR), axis.place(20 * HOUR) - axis.place(HOUR)
    assert first == pytest.approx(second, abs=0.02)
    assert len(axis.breaks) == 2
    assert not make_axis(lane(0, HOUR - 1)).breaks


def test_what_happened_in_one_moment_is_a_picture_too():
    picture = draw([[Stretch("acked", "good", 7, 7)]])
    assert [(row["x"], row["width"]) for row in picture["lanes"][0]] == [(0, 0)]
    assert [tick.text for tick in picture["ticks"]] == ["0"]
    assert draw([[]])["lanes"] == [[]]


def test_several_deliveries_are_on_one_axis():
    picture = draw([lane(0, 1000, 9000), lane(0, 1000, 2000)])
    (first, second) = ([row["x"] for row in rows] for rows in picture["lanes"])
    assert first == second


def test_a_place_in_time_is_told_to_the_second_after_a_night_too():
    assert [offset(ms) for ms in (0, 3, 900, 12_300, 65_000, 2 * HOUR + 50_000)] == [
        *("0", "+3 ms", "+900 ms", "+12.3 s", "+0:01:05", "+2:00:50")
    ]
    assert offset(26 * HOUR + SECOND) == "+1 d 2:00:01"


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_nothing_overlaps_or_leaves_the_picture_whatever_the_times(times):
    axis = make_axis(lane(*sorted(times)) or [Stretch("one", "good", times[0], times[0])])
    ordered = sorted(axis.places)
    places = [axis.place(at) for at in ordered]
    assert places == sorted(places)
    assert all(0 <= place <= 100.01 for place in places)
    assert len(set(places)) == len(places)  # each time has a place of its own
    ticks = [tick.place for tick in axis.ticks]
    between = ticks[1:-1]
    assert all(abs(one - other) >= TICK_APART for one in between for other in ticks if one != other)
