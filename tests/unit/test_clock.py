"""The bus's own time: it goes on whatever is done to the machine's clock."""

from __future__ import annotations

import pytest

from bus.clock import FleetClock, SystemClock

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


class Server:
    """A database on another machine, of which two machines with clocks of their own learn."""

    def __init__(self):
        self.off_ms = 7_000_000

    def tell(self, machine, took_ms=2):
        """Have a machine ask it, and be answered after a while, half of it on the way there."""
        asked_ms = machine.clock.steady_ms()
        machine.steady_ms += took_ms
        told_ms = machine.steady_ms - took_ms // 2 + machine.apart_ms + self.off_ms
        machine.clock.learn(told_ms, asked_ms)
        return machine


class Far(Machine):
    """One of several machines: its steady clock began so long after the first one's."""

    def __init__(self, *, wall_off_ms=0, apart_ms=0):
        super().__init__()
        self.apart_ms = apart_ms
        self.wall_ms += wall_off_ms
        self.clock = FleetClock(lambda: self.wall_ms, lambda: self.steady_ms)


def test_machines_whose_clocks_are_wrong_have_one_time_the_database_s():
    server = Server()
    one, two = server.tell(Far()), server.tell(Far(wall_off_ms=YEAR_MS, apart_ms=400))
    assert one.clock.now_ms() == 5_002 + server.off_ms
    assert two.clock.now_ms() == 5_002 + 400 + server.off_ms
    assert two.clock.off_ms() == 0
    assert two.clock.machine_off_ms() - one.clock.machine_off_ms() == YEAR_MS - 400


def test_an_answer_that_was_long_in_coming_does_not_move_the_time():
    server = Server()
    machine = server.tell(Far())
    before = machine.clock.now_ms()
    asked_ms = machine.clock.steady_ms()
    machine.steady_ms += 1000
    machine.clock.learn(asked_ms + server.off_ms, asked_ms)  # all of it on the way back
    assert machine.clock.now_ms() == before + 1000


def test_a_database_whose_clock_goes_back_takes_nobody_with_it_and_who_comes_later_joins_them():
    server = Server()
    one = server.tell(Far())
    server.off_ms -= 60_000
    before = one.clock.now_ms()
    server.tell(one)
    assert one.clock.now_ms() == before + 2
    assert one.clock.off_ms() == -60_000
    two = server.tell(Far())
    two.clock.join(one.clock.lead_ms())
    two.steady_ms = one.steady_ms
    assert two.clock.now_ms() == one.clock.now_ms()
    server.off_ms += 60_000
    for each in (one, two):
        server.tell(each)
        assert each.clock.off_ms() == 0
    assert two.clock.now_ms() == one.clock.now_ms()


def test_a_database_whose_clock_goes_forward_is_followed_when_the_bus_says_so():
    server = Server()
    machine = server.tell(Far())
    before = machine.clock.now_ms()
    server.off_ms += 60_000
    server.tell(machine)
    assert machine.clock.now_ms() == before + 2
    assert machine.clock.off_ms() == 60_000
    machine.clock.follow()
    assert machine.clock.now_ms() == before + 60_002
