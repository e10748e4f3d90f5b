"""Quiet hours as pure decisions: in which windows a moment is, and when they end, in any zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bus.directory.model import Quiet, Window
from bus.directory.rules import (
    EVERY_DAY,
    LEAST_OPEN,
    longest_open,
    quiet_until,
    read_window,
    read_windows,
    write_window,
)
from bus.errors import InvalidRequestError

BERLIN = "Europe/Berlin"
LEFT_OUT_A_DAY = {"Pacific/Apia", "Pacific/Fakaofo"}
ZONES = sorted(available_timezones() - LEFT_OUT_A_DAY - {"localtime", "Factory"})
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def quiet(*texts: str, zone: str = BERLIN) -> Quiet:
    return Quiet(ZoneInfo(zone), zone, read_windows(texts))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def until(text: str, *windows: str, zone: str = BERLIN) -> str | None:
    """Say until when it is quiet at a moment, in UTC."""
    end = quiet_until(quiet(*windows, zone=zone), ms(text))
    return None if end is None else f"{datetime.fromtimestamp(end / 1000, UTC):%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-01-15T20:59:59.999+00:00", None),
        ("2026-01-15T21:00+00:00", "01-16 06:00"),
        ("2026-01-15T23:30+00:00", "01-16 06:00"),
        ("2026-01-16T05:59:59.999+00:00", "01-16 06:00"),
        ("2026-01-16T06:00+00:00", None),
        ("2026-07-15T20:00+00:00", "07-16 05:00"),
    ],
)
def test_a_window_over_midnight_holds_from_its_beginning_to_just_before_its_end(at, ends):
    assert until(at, "22:00-07:00") == ends


@pytest.mark.parametrize(
    ("at", "window", "ends"),
    [
        # 2026-03-29: at 02:00 clocks go to 03:00 (01:00 UTC).
        ("2026-03-28T21:00+00:00", "22:00-07:00", "03-29 05:00"),
        ("2026-03-29T00:30+00:00", "00:00-02:30", "03-29 01:00"),
        ("2026-03-29T00:59+00:00", "02:30-06:00", None),
        ("2026-03-29T01:00+00:00", "02:30-06:00", "03-29 04:00"),
        ("2026-03-29T00:59+00:00", "02:10-02:50", None),
        ("2026-03-29T01:00+00:00", "02:10-02:50", None),
        # 2026-10-25: at 03:00 clocks go to 02:00 (01:00 UTC).
        ("2026-10-24T20:00+00:00", "22:00-07:00", "10-25 06:00"),
        ("2026-10-24T23:00+00:00", "00:00-02:30", "10-25 01:30"),
        ("2026-10-25T00:45+00:00", "00:00-02:30", "10-25 01:30"),
        ("2026-10-25T00:29+00:00", "02:30-06:00", None),
        ("2026-10-25T00:30+00:00", "02:30-06:00", "10-25 05:00"),
        ("2026-10-25T01:15+00:00", "02:30-06:00", "10-25 05:00"),
    ],
)
def test_a_night_on_which_clocks_are_changed_has_one_beginning_and_one_end(at, window, ends):
    assert until(at, window) == ends


def test_a_day_that_a_zone_left_out_keeps_nobody_quiet_for_longer():
    # Samoa had no 30 December 2011: after the 29th came the 31st.
    assert until("2011-12-30T09:00+00:00", "22:00-07:00", zone="Pacific/Apia") == "12-30 17:00"
    assert until("2011-12-30T18:00+00:00", "fri 00:00-24:00", zone="Pacific/Apia") is None


def test_windows_that_touch_are_one_stretch():
    windows = ("fri 20:00-24:00", "sat,sun 00:00-24:00", "mon 00:00-07:00")
    assert until("2026-01-16T19:00+00:00", *windows) == "01-19 06:00"
    assert until("2026-01-19T06:00+00:00", *windows) is None


def test_a_window_belongs_to_the_day_on_which_it_begins():
    assert until("2026-01-17T01:00+00:00", "fri 22:00-07:00") == "01-17 06:00"
    assert until("2026-01-18T01:00+00:00", "fri 22:00-07:00") is None


@pytest.mark.parametrize(
    "text",
    ["", "22-7", "25:00-07:00", "22:60-07:00", "24:00-07:00", "22:00-24:01", "22:00-22:00",
     "mo 22:00-07:00", "mon- 22:00-07:00", "mon,,tue 22:00-07:00", "٢٢:00-07:00"],
)  # fmt: skip
def test_what_is_no_window_is_refused_with_what_one_is(text):
    with pytest.raises(InvalidRequestError):
        read_window(text)


@pytest.mark.parametrize(
    "texts", [["00:00-24:00"], ["00:00-22:00"], ["03:00-01:00"], [], ["22:00-07:00"] * 15]
)
def test_quiet_hours_without_an_end_are_refused(texts):
    with pytest.raises(InvalidRequestError):
        read_windows(texts)


def test_days_are_read_as_a_list_or_a_range_over_the_weekend():
    assert read_window("fri-mon 22:00-07:00").days == {4, 5, 6, 0}
    assert write_window(read_window("fri-mon 22:00-07:00")) == "mon,fri,sat,sun 22:00-07:00"


windows = st.builds(
    Window,
    begins=st.integers(0, 1439),
    ends=st.integers(1, 1440),
    days=st.frozensets(st.integers(0, 6), min_size=1),
).filter(lambda one: one.begins != one.ends)
schedules = (
    st.lists(windows, min_size=1, max_size=5)
    .map(tuple)
    .filter(lambda several: longest_open(several) >= LEAST_OPEN)
)
zones = st.sampled_from(ZONES)
moments = st.integers(ms("2010-01-01T00:00+00:00"), ms("2040-01-01T00:00+00:00"))


@given(windows)
def test_a_window_is_read_as_it_is_written(window):
    assert read_window(write_window(window)) == window


@given(schedules, zones, moments)
@example((read_window("02:30-05:00"),), BERLIN, ms("2026-03-29T00:30+00:00"))
@example((read_window("23:00-02:15"),), "Australia/Lord_Howe", ms("2026-04-04T13:00+00:00"))
def test_the_end_is_the_first_moment_in_no_window(several, zone, at):
    hours = Quiet(ZoneInfo(zone), zone, several)
    end = quiet_until(hours, at)
    if end is None:
        return
    assert end > at
    assert quiet_until(hours, end) is None
    for before in (at, (at + end) // 2, end - 1):
        assert quiet_until(hours, before) == end
    assert end - at < 8 * 24 * HOUR_MS


@given(schedules, zones, moments)
def test_away_from_a_change_of_clocks_a_moment_is_quiet_where_the_clock_on_the_wall_says_so(
    several, zone, at
):
    there = ZoneInfo(zone)
    now = datetime.fromtimestamp(at / 1000, there)
    around = {(now + timedelta(hours=hours)).astimezone(UTC).astimezone(there).utcoffset()
              for hours in range(-50, 51)}  # fmt: skip
    assume(len(around) == 1)
    minute = now.weekday() * 1440 + now.hour * 60 + now.minute
    is_in = any(
        (minute - day * 1440 - window.begins) % 10080 < window.minutes
        for window in several
        for day in window.days
    )
    assert (quiet_until(Quiet(there, zone, several), at) is not None) == is_in


@given(st.integers(0, 1439), st.integers(1, 1440 - LEAST_OPEN), zones, moments)
def test_a_daily_window_never_lasts_more_than_a_day_and_an_hour(begins, minutes, zone, at):
    ends = (begins + minutes) % 1440
    hours = Quiet(ZoneInfo(zone), zone, (Window(begins, ends, EVERY_DAY),))
    end = quiet_until(hours, at)
    assert end is None or end - at <= 25 * HOUR_MS
    if end is not None:
        assert end - at <= minutes * MINUTE_MS + 3 * HOUR_MS
