"""What a set clock does to leases, wakes and mail: while the bus runs, and at its next start."""

from __future__ import annotations

import logging

import pytest

from bus.wakes import service as wakes
from bus.wakes.clockwatch import ClockWatch

HOUR_S = 3600
YEAR_S = 365 * 24 * HOUR_S


@pytest.fixture
def told(monkeypatch):
    lines = []
    logger = logging.getLogger("bus")
    monkeypatch.setattr(logger, "propagate", False)
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def begin_turn(house):
    house.send("alice", "bob")
    (wake,) = house.open_wakes()
    house.report(wake["wake_id"], "received")
    house.report(wake["wake_id"], "admitted", turn_id="r")
    return wake["wake_id"], house.read("bob")[0].handle


def test_a_clock_put_right_by_hours_ends_no_turn_and_no_lease(house, told):
    wake, handle = begin_turn(house)
    house.clock.set_wall(6 * HOUR_S)
    ClockWatch(house.store).look()
    assert house.clock.off_ms() == 0
    house.pass_time(1)
    assert house.report(wake, "alive")["open"]
    assert house.ack("bob", handle) == "acked"
    assert "action=clock_followed by_s=21600" in told


@pytest.mark.parametrize("step_s", [YEAR_S, -YEAR_S, -6 * HOUR_S])
def test_any_other_step_is_not_followed_and_told_once(house, told, step_s):
    watch, before = ClockWatch(house.store), house.clock.now_ms()
    house.clock.set_wall(step_s)
    for _ in range(3):
        watch.look()
    assert house.clock.now_ms() == before
    assert len([line for line in told if "clock_stepped" in line]) == 1
    house.clock.set_wall(0)
    for _ in range(3):
        watch.look()
    assert told[-1] == "action=clock_agrees"


def go_back(house, seconds):
    """Start anew with a clock that was put back while the bus was away."""
    house.clock.advance(-seconds)
    house.store.write(wakes.spare)


def test_a_bus_that_starts_with_an_older_clock_asks_again_as_before(house):
    house.send("alice", "bob")
    (wake,) = house.open_wakes()
    go_back(house, YEAR_S)
    asked = len(house.log("wake"))
    house.pass_time(61)
    assert len(house.log("wake")) == asked + 1
    house.report(wake["wake_id"], "received")
    house.report(wake["wake_id"], "no_turn", reason="down")
    go_back(house, YEAR_S)
    house.pass_time(61)
    assert house.open_wakes()


def test_a_bus_that_starts_with_an_older_clock_still_ends_a_lost_turn_and_its_lease(house):
    begin_turn(house)
    go_back(house, YEAR_S)
    house.pass_time(601)
    house.pass_time(61)
    assert [wake["state"] for wake in house.open_wakes()] == ["asked"]
    assert house.read("bob")[0].attempt > 1


def test_a_bus_that_starts_with_an_older_clock_still_tells_of_a_delay(house):
    house.send("alice", "bob")
    go_back(house, YEAR_S)
    house.pass_time(901)
    assert "delayed" in house.read("alice")[0].row.type.lower()
