"""A log line stays one line, whatever an agent wrote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watcher import log


def test_a_line_is_an_action_and_its_values():
    values = {"agent": "beta", "count": 3, "why": "it is so", "none": None}
    assert log.line("wake_taken", values) == 'action=wake_taken agent=beta count=3 why="it is so"'


def test_it_forges_no_line_and_steers_no_terminal():
    assert log.escape("x\naction=token_leaked") == '"x\\naction=token_leaked"'
    assert log.escape("\x1b[2J\x9b\x7f") == '"\\u001b[2J\\u009b\\u007f"'


@given(st.text(max_size=500))
def test_every_value_is_printable_ascii_and_bounded(text):
    written = log.escape(text)
    assert written.isascii()
    assert written.isprintable()
    assert len(written) <= 6 * 2 * log.LONGEST_VALUE + 2
    assert " " not in written or written.startswith('"')
