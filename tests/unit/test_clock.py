"""The bus's own time: it goes on whatever is done to the machine's clock."""

from __future__ import annotations

import pytest

from bus.clock import SystemClock

YEAR_MS = 365 * 86_400_000


class Machine:
    """Two clocks of a machine: one that can be set, one that cannot."""

    def __init__(self):
        self.wall_ms, self.steady_ms = 1_780_000_000_000, 5_000
        self.clock = SystemClock(lambda: self.wall_ms, lambda: self.steady_ms)

    def pass_ms(self, steady_ms, *, drift_ms=0):
        self.steady_ms += steady_ms
        self.wall_ms += steady_ms + drift_ms
        return self.clock.now_ms()


@pytest.fixture
def machine():
    return Machine()


@pytest.mark.parametrize("step_ms", [YEAR_MS, -YEAR_MS, 3_600_000, -3_600_000])
def test_a_step_of_the_wall_clock_moves_no_deadline(machine, step_ms):
    before = machine.clock.now_ms()
    machine.wall_ms += step_ms
    assert machine.pass_ms(1000) == before + 1000
    assert machine.clock.off_ms() == step_ms


def test_a_clock_that_is_set_and_set_right_again_leaves_no_trace(machine):
    machine.wall_ms += YEAR_MS
    machine.pass_ms(1000)
    machine.wall_ms -= YEAR_MS
    assert machine.pass_ms(1000) == machine.wall_ms
    assert machine.clock.off_ms() == 0


def test_small_corrections_are_taken_in_so_that_the_bus_is_never_far_from_the_truth(machine):
    for _ in range(1000):
        machine.pass_ms(1000, drift_ms=3)
    assert machine.clock.now_ms() == machine.wall_ms


def test_a_small_correction_back_stops_the_time_and_never_turns_it(machine):
    before = machine.clock.now_ms()
    machine.wall_ms -= 1500
    assert machine.clock.now_ms() == before
    assert machine.pass_ms(1500) == before
    assert machine.pass_ms(500) == before + 500


def test_it_goes_with_the_wall_clock_once_told_to(machine):
    machine.wall_ms -= YEAR_MS
    machine.clock.follow()
    assert machine.clock.now_ms() == machine.wall_ms
    assert machine.clock.off_ms() == 0
