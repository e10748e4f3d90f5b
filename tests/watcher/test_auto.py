"""The auto method: the first way that works, for how long, and why that one."""

from __future__ import annotations

import threading

import pytest

from watcher.methods import auto as auto_module
from watcher.methods.auto import Auto
from watcher.methods.base import Choice, Outcome, Probe, Wake
from watcher.settings import AgentSettings

ALPHA = AgentSettings("alpha")
WAKE = Wake("w_1", 1, "alpha", "alpha", "agent:alpha:main", "mail", 1, 0)


class FakeMethod:
    """Works or not, as a test says."""

    def __init__(self, name, outcome=None, *, works=True):
        self.name = name
        self.works = works
        self.outcome = outcome or Outcome("ended")
        self.probes = 0
        self.runs = 0

    def probe(self, _agent):
        self.probes += 1
        return Probe(self.works, f"{self.name} says {'yes' if self.works else 'no'}")

    def run(self, *_):
        self.runs += 1
        return self.outcome


@pytest.fixture
def best():
    return FakeMethod("best")


@pytest.fixture
def second():
    return FakeMethod("second")


@pytest.fixture
def auto(best, second, clock):
    return Auto([best, second], clock)


def run(auto):
    return auto.run(WAKE, ALPHA, None, threading.Event())


def test_it_takes_the_first_that_works(auto, best, second):
    assert run(auto) == Outcome("ended")
    assert auto.choice(ALPHA) == Choice("best", "best says yes")
    assert (best.runs, second.probes) == (1, 0)


def test_it_says_why_it_did_not_take_the_better_one(auto, best):
    best.works = False
    why = "second says yes; not best: best says no"
    assert auto.choice(ALPHA) == Choice("second", why)


def test_it_probes_once_for_each_agent(auto, best):
    for _ in range(5):
        run(auto)
    assert best.probes == 1
    auto.choice(AgentSettings("beta"))
    assert best.probes == 2


def test_it_looks_again_when_the_chosen_one_started_no_turn(auto, best, second):
    best.outcome = Outcome("no_turn", "gone")
    assert run(auto) == Outcome("no_turn", "gone")
    best.works = False
    assert run(auto) == Outcome("ended")
    assert second.runs == 1


def test_a_failed_turn_is_no_reason_to_look_again(auto, best):
    best.outcome = Outcome("failed", "the model")
    run(auto)
    run(auto)
    assert best.probes == 1


def test_a_second_best_is_not_for_ever(auto, best, clock, monkeypatch):
    best.works = False
    assert auto.choice(ALPHA).name == "second"
    best.works = True
    assert auto.choice(ALPHA).name == "second"
    now_s = clock.monotonic_s()
    monkeypatch.setattr(clock, "monotonic_s", lambda: now_s + auto_module.SECOND_BEST_S + 1)
    assert auto.choice(ALPHA).name == "best"


def test_where_none_works_the_best_one_gives_the_reason(auto, best, second):
    best.works = second.works = False
    best.outcome = Outcome("no_turn", "no such agent", permanent=True)
    assert run(auto) == Outcome("no_turn", "no such agent", permanent=True)
    probe = auto.probe(ALPHA)
    assert not probe.works
    assert probe.why == "none: cannot be woken: best: best says no; second: second says no"
    assert second.runs == 0


def test_where_none_works_it_is_shown_as_none_and_a_reason_is_said_once(auto, best, second):
    best.works = second.works = False
    best.probe = second.probe = lambda _agent: Probe(False, "OpenClaw is not here")
    choice = auto.choice(ALPHA)
    assert (choice.name, choice.works) == ("none", False)
    assert choice.why == "cannot be woken: best, second: OpenClaw is not here"
