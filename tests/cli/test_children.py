"""The logs of what `bus up` runs do not fill a disk in a year."""

from __future__ import annotations

import sys

import pytest

from bus.cli import children


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(children, "LOG_BYTES", 40)


def test_a_log_that_is_long_begins_again_and_its_last_part_is_kept(small, tmp_path):
    log = tmp_path / "bus.log"
    log.write_text("of yesterday, and rather much of it for so small a bound\n")
    argv = [sys.executable, "-c", "print('x' * 50, flush=True); import signal; signal.pause()"]
    with children.running("it", argv, log, {}) as child:
        kept = log.with_name("bus.log.1")
        assert "of yesterday" in kept.read_text()
        while "x" * 50 not in kept.read_text():
            assert not child.wait(0.01)
        assert log.stat().st_size == 0


def test_a_short_log_goes_on_where_it_was(tmp_path):
    log = tmp_path / "bus.log"
    log.write_text("of yesterday\n")
    with children.running("it", [sys.executable, "-c", "print('today')"], log, {}) as child:
        assert child.wait(20)
    assert log.read_text() == "of yesterday\ntoday\n"
