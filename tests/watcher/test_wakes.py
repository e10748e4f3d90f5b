"""What is reported about a wake, how often, and what happens when the bus is away."""

from __future__ import annotations

import itertools

import pytest
from fakebus import ProblemError

from watcher.methods.base import Outcome
from watcher.wakes import Ask, WakeReport

ASK = Ask("w_1", 4, "beta", "asked", None)


@pytest.fixture
def report(client, clock, stop):
    made = WakeReport(client, ASK, clock, stop)
    made.method = "gateway"
    return made


def answer_in_turn(bus, *answers):
    """Script the answers to reports: a problem, or None for the fake's own answer."""
    left = list(answers)

    def take(request):
        problem = left.pop(0) if left else None
        if problem:
            raise problem
        return bus._take_report(request)

    bus.answers["/api/wakes/w_1"] = take


AWAY = ProblemError(503, "draining")
FENCED = ProblemError(409, "fenced")


def test_received_gives_what_to_do(report):
    wake = report.received()
    assert (wake.wake_id, wake.generation, wake.agent) == ("w_1", 4, "beta")
    assert (wake.text, wake.pending_total, wake.turn_id) == ("you have mail", 1, None)
    assert (wake.local_agent, wake.session_key) == ("main", "agent:main:main")


def test_received_may_have_nothing_left_to_do(bus, report):
    bus.answers["/api/wakes/w_1"] = lambda _: {"go": False, "reason": "read meanwhile"}
    assert report.received() is None


def test_received_is_repeated_while_the_bus_is_away(bus, report):
    answer_in_turn(bus, AWAY, AWAY)
    assert report.received() is not None
    assert bus.states("w_1") == ["received"] * 3


def test_an_adopted_turn_keeps_its_id(client, clock, stop):
    ask = Ask("w_1", 4, "beta", "admitted", "run-7")
    assert WakeReport(client, ask, clock, stop).received().turn_id == "run-7"


def test_alive_thins_itself_out(bus, report, clock, monkeypatch):
    seconds = itertools.count(clock.monotonic_s())
    monkeypatch.setattr(clock, "monotonic_s", lambda: next(seconds))
    report.admitted("run-1")
    for _ in range(50):
        report.alive()
    assert bus.states("w_1") == ["admitted", "alive", "alive"]


def test_an_admission_that_did_not_get_through_is_said_before_the_end(bus, report):
    answer_in_turn(bus, AWAY)
    report.admitted("run-1")
    report.finish(Outcome("ended"))
    assert bus.states("w_1") == ["admitted", "admitted", "ended"]
    assert bus.requests[-2].json["turn_id"] == "run-1"


def test_the_end_is_repeated_until_the_bus_has_it(bus, report):
    answer_in_turn(bus, AWAY, ProblemError(401, "unauthorized"), ProblemError(429, "rate_limited"))
    report.finish(Outcome("failed", "it broke"))
    assert bus.states("w_1") == ["failed"] * 4
    last = bus.requests[-1].json
    assert last == {"state": "failed", "method": "gateway", "reason": "it broke"}


def test_a_fenced_wake_needs_no_more_words(bus, report):
    answer_in_turn(bus, FENCED)
    report.admitted("run-1")
    report.alive()
    report.finish(Outcome("ended"))
    assert bus.states("w_1") == ["admitted"]


@pytest.mark.parametrize(
    "problem", [FENCED, ProblemError(404, "not_found"), ProblemError(400, "x")]
)
def test_an_end_that_is_refused_for_good_is_dropped(bus, report, problem):
    answer_in_turn(bus, problem)
    report.finish(Outcome("ended"))
    assert bus.states("w_1") == ["ended"]


def test_permanent_goes_with_no_turn(bus, report):
    report.finish(Outcome("no_turn", "no such agent", permanent=True))
    assert bus.requests[-1].json["permanent"] is True


def test_what_is_left_is_not_reported(bus, report):
    report.finish(Outcome("left"))
    assert bus.requests == []


def test_the_end_is_tried_once_more_at_the_stop(bus, report, stop):
    stop.set()
    answer_in_turn(bus, AWAY)
    report.finish(Outcome("ended"))
    assert bus.states("w_1") == ["ended"]


NO_WAKES = (
    None,
    [],
    {},
    {"wake_id": "w"},
    {"wake_id": "../x", "to_agent": "a"},
    {"wake_id": "w", "to_agent": None},
    {"wake_id": "a b", "to_agent": "a"},
    {"wake_id": "a\r\nb", "to_agent": "a"},
    {"wake_id": "\ud800", "to_agent": "a"},
    {"wake_id": "w" * 65, "to_agent": "a"},
    {"wake_id": "w", "to_agent": "../a"},
    {"wake_id": "w", "to_agent": "a", "turn_id": {"a": 1}},
)


@pytest.mark.parametrize("raw", NO_WAKES)
def test_what_is_no_wake_is_refused(raw):
    with pytest.raises(ValueError, match="not a wake"):
        Ask.parse(raw)


@pytest.mark.parametrize("generation", [1e999, -1, "7", [], None, True, 1 << 99])
def test_a_number_that_is_none_does_not_cost_the_wake(generation):
    raw = {"wake_id": "w", "to_agent": "a", "generation": generation}
    assert Ask.parse(raw).generation == 0
