"""What a person writes for a time, as the command line reads it."""

from __future__ import annotations

from datetime import datetime

import click
import pytest

from bus.cli.words import LAST, read_moment

NOW = datetime(2026, 11, 20, 12, 0).astimezone()


@pytest.mark.parametrize(
    ("text", "coming", "past"),
    [("21:00", 20, 19), ("09:00", 21, 20), ("12:00", 21, 20), ("11:59:59", 21, 20)],
)
def test_a_time_of_day_is_the_next_for_what_comes_and_the_last_for_what_was(text, coming, past):
    assert read_moment(text, NOW).day == coming
    assert read_moment(text, NOW, is_past=True).day == past


def test_a_day_and_a_time_are_what_they_say():
    for is_past in (False, True):
        assert read_moment("2030-01-02T03:04", NOW, is_past=is_past).year == 2030


def test_what_is_no_time_is_refused_with_one_that_is():
    for text in ("25:00", "yesterday", "9:5"):
        with pytest.raises(click.BadParameter, match="such as 21:30"):
            LAST.convert(text, None, None)
