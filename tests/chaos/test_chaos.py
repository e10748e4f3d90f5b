"""Broken on purpose, as far as minutes allow; `make chaos` is the same at length."""

from __future__ import annotations

import random

import pytest

from tests import engine
from tests.chaos import faults, runs, storm, trio
from tests.chaos.deaths import run_deaths
from tests.chaos.parents import write_tasks
from tests.chaos.senders import write_letters
from tests.chaos.victims import killable_machine, killable_process

KILLS, CUTS = 5, 2
BUSES = 3 if engine.IS_POSTGRESQL else 1


@pytest.mark.lab
@pytest.mark.timeout(450)
def test_no_message_is_lost_or_left_while_nodes_and_bus_are_cut_frozen_and_killed(tmp_path, lab):
    outcome = storm.run_storm(storm.share(storm.SHORT, BUSES), tmp_path)
    print(*outcome.lines, sep="\n")
    assert not outcome.verdict.wrong
    assert outcome.verdict.counts["accepted"] == storm.SHORT.messages


@pytest.mark.lab
@pytest.mark.timeout(240)
def test_every_run_ends_once_and_is_told_once_while_nodes_and_bus_are_killed(tmp_path, lab):
    outcome = runs.run_runs(storm.share(runs.SHORT, BUSES), tmp_path)
    print(*outcome.lines, sep="\n")
    assert not outcome.verdict.wrong
    assert outcome.verdict.counts["accepted"] == runs.SHORT.runs


def test_a_bus_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path):
    with killable_process(tmp_path) as victim:
        result = run_deaths(victim, KILLS, 1, tmp_path)
    print(result)
    assert not result.wrong
    assert result.counts["databases found sound"] == KILLS + 1


@pytest.mark.lab
def test_a_bus_whose_power_is_cut_loses_and_doubles_nothing(tmp_path, lab):
    with killable_machine(tmp_path) as victim:
        result = run_deaths(victim, CUTS, 1, tmp_path)
    print(result)
    assert not result.wrong
    assert result.counts["databases found sound"] == CUTS + 1


@pytest.mark.lab
@pytest.mark.timeout(450)
def test_three_buses_on_one_server_lose_nothing_while_each_of_them_and_the_server_die(tmp_path):
    verdict, lines = trio.run_trio(trio.SHORT, tmp_path)
    print(*lines, sep="\n")
    assert not verdict.wrong, "\n".join(verdict.wrong)
    assert verdict.counts["heard"] == verdict.counts["accepted"] > 0


def test_the_same_seed_breaks_the_same_things_and_sends_and_dispatches_the_same():
    def plan(seed):
        hosts = [f"node{number}" for number in range(1, 10)]
        kinds = faults.add_server(storm.LONG.faults, 3)
        broken = faults.make_plan(seed, kinds, 2000, hosts, ["node3"], 40, ["node10"])
        letters = write_letters(random.Random(seed), ["a", "b", "c", "d"], 50)
        return broken, letters, write_tasks(random.Random(seed), ["a"], ["v", "w"], 50, 40)

    assert plan(7) == plan(7)
    assert trio.SHORT.throw() == trio.SHORT.throw()
    assert plan(7) != plan(8)
