"""Turns: one for an agent, a few at once, and no second one for what was asked once."""

from __future__ import annotations

import threading

import pytest
from fakebus import ProblemError

from watcher.methods.base import Outcome, Probe, find_strange
from watcher.runner import Runner
from watcher.settings import AgentSettings
from watcher.turns import Turns
from watcher.wakes import Ask

AWAY = ProblemError(503, "draining")


class FakeMethods:
    """Stands for all methods: runs what the test gives."""

    name = "fake"

    def __init__(self, run):
        self.run = run

    def name_of(self, _agent):
        return "fake"

    def find(self, _agent):
        return self

    def probe(self, _agent):
        return Probe(True, "because")


@pytest.fixture
def make_turns(enrolled, client, clock, stop):
    """Make the queue with its runner: `make_turns(run, agents, at_once)`."""
    made = []

    def make(run, agents=("beta",), at_once=4):
        settings = enrolled(agents={name: {} for name in agents})
        runner = Runner(settings, client, FakeMethods(run), clock, stop)
        made.append(Turns(runner.run, at_once))
        return made[-1]

    yield make
    stop.set()
    for turns in made:
        assert turns.close(5)


def ask(wake_id, agent="beta"):
    return Ask(wake_id, 1, agent, "asked", None)


def test_a_turn_is_received_run_and_reported(bus, make_turns):
    make_turns(lambda *_: Outcome("ended")).offer(ask("w_1"))
    bus.wait_for_call("/api/wakes/w_1", "ended")
    assert bus.states("w_1") == ["received", "ended"]


def test_a_wake_in_hand_is_not_taken_twice(bus, make_turns):
    go = threading.Event()
    turns = make_turns(lambda *_: go.wait(30) and Outcome("ended"))
    assert turns.offer(ask("w_1"))
    assert not turns.offer(ask("w_1"))
    go.set()
    assert turns.wait_idle(30)
    assert bus.states("w_1") == ["received", "ended"]


def test_a_wake_that_is_asked_for_again_right_after_its_end_is_taken(bus, make_turns):
    outcomes = iter([Outcome("no_turn", "gateway is down"), Outcome("ended")])
    turns = make_turns(lambda *_: next(outcomes))

    def ask_again(request):
        if request.json["state"] == "no_turn":
            assert turns.offer(ask("w_1"))  # before the answer is on its way
        return bus._take_report(request)

    bus.answers["/api/wakes/w_1"] = ask_again
    turns.offer(ask("w_1"))
    bus.wait_for_call("/api/wakes/w_1", "ended")
    assert bus.states("w_1") == ["received", "no_turn", "received", "ended"]


def lose_reports(bus):
    """Have the bus be away for every report of a call."""

    def take(request):
        if request.json["state"] == "requested":
            raise AWAY
        return bus._take_report(request)

    bus.answers["/api/wakes/"] = take


def test_a_call_whose_report_is_late_is_not_made_twice(bus, make_turns):
    calls = []
    turns = make_turns(lambda *_: calls.append(1) or Outcome("requested"))
    refused = []

    def ask_again(request):
        if request.json["state"] == "requested" and not refused:
            refused.append(turns.offer(ask("w_1")))  # by a list that the bus wrote before
        return bus._take_report(request)

    bus.answers["/api/wakes/w_1"] = ask_again
    turns.offer(ask("w_1"))
    assert turns.wait_idle(30)
    turns.offer(ask("w_1"))  # by a list that came late
    assert turns.wait_idle(30)
    assert (calls, refused) == ([1], [False])
    assert bus.states("w_1") == ["received", "requested"]


def test_a_call_made_before_a_restart_is_reported_and_not_made_again(
    bus, make_turns, stop, client, clock
):
    calls = []
    lose_reports(bus)
    turns = make_turns(lambda *_: calls.append(1) or Outcome("requested"))
    turns.offer(ask("w_1"))
    bus.wait_for_call("/api/wakes/w_1", "requested")
    stop.set()
    assert turns.close(5)
    stop.clear()
    del bus.answers["/api/wakes/"]
    again = make_turns(lambda *_: calls.append(1) or Outcome("requested"))
    again.offer(ask("w_1"))
    assert again.wait_idle(30)
    assert calls == [1]
    last = bus.requests[-1].json
    assert (last["state"], last["method"]) == ("requested", "fake")
    assert make_turns(None)._run_turn.__self__._called.find("w_1") is None


def test_a_watcher_killed_in_the_middle_of_a_blind_call_does_not_call_again(
    bus, make_turns, monkeypatch
):
    calls, kept = [], []
    monkeypatch.setattr("watcher.runner.BLIND", {"fake"})

    def call(*_):
        calls.append(1)
        kept.append(make_turns(None)._run_turn.__self__._called.find("w_1"))  # the next life's look
        return Outcome("no_turn", "refused") if len(calls) == 1 else Outcome("requested")

    turns = make_turns(call)
    turns.offer(ask("w_1"))
    assert turns.wait_idle(30)
    assert kept == ["fake"]
    turns.offer(ask("w_1"))  # refused: it may be tried again, and is
    assert turns.wait_idle(30)
    assert len(calls) == 2


class Gauge:
    """How many turns ran at once, over all and for each agent."""

    def __init__(self):
        self.lock = threading.Condition()
        self.running = []
        self.most = 0
        self.is_doubled = False
        self.go = threading.Event()

    def run(self, wake, _agent, _report, _stop):
        with self.lock:
            self.is_doubled = self.is_doubled or wake.agent in self.running
            self.running.append(wake.agent)
            self.most = max(self.most, len(self.running))
            self.lock.notify_all()
        self.go.wait(30)
        with self.lock:
            self.running.remove(wake.agent)
        return Outcome("ended")


def test_a_few_run_at_once_and_one_for_an_agent(bus, make_turns):
    gauge = Gauge()
    agents = ["a", "b", "c", "d"]
    turns = make_turns(gauge.run, agents, at_once=3)
    for number in range(12):
        turns.offer(ask(f"w_{number}", agents[number // 3]))
    with gauge.lock:
        assert gauge.lock.wait_for(lambda: len(gauge.running) == 3, 5)
        assert sorted(gauge.running) == ["a", "b", "c"]
    gauge.go.set()
    assert turns.wait_idle(30)
    assert (gauge.most, gauge.is_doubled) == (3, False)
    assert all(bus.states(f"w_{number}") == ["received", "ended"] for number in range(12))


def test_a_machine_without_threads_does_not_leave_an_agent_busy_for_ever(
    bus, make_turns, monkeypatch
):
    turns = make_turns(lambda *_: Outcome("ended"), ["a", "b"], at_once=1)
    real, refusals = threading.Thread.start, ["a thread"]

    def start(thread):
        if thread.name.startswith("turn-") and refusals:
            refusals.pop()
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert not turns.offer(ask("w_1", "a"))
    assert turns.offer(ask("w_1", "a"))  # the bus asks again
    assert turns.wait_idle(30)
    assert bus.states("w_1") == ["received", "ended"]


def test_an_agent_that_is_not_set_up_here_is_told_with_the_remedy(bus, make_turns):
    make_turns(lambda *_: Outcome("ended")).offer(ask("w_1", "stranger"))
    said = bus.wait_for_call("/api/wakes/w_1", "no_turn").json
    assert "bus node code pi" in said["reason"]
    assert "permanent" not in said


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("local_agent", "--gateway-url=ws://evil"),
        ("local_agent", "a b"),
        ("local_agent", "../a"),
        ("session_key", "--token=x"),
        ("session_key", "agent:main:$(id)"),
        ("session_key", "agent:main:a\nb"),
    ],
)
def test_the_bus_cannot_put_an_option_into_a_command(bus, make_turns, caplog, key, value):
    def answer(request):
        given = bus._take_report(request)
        return {**given, key: value} if request.json["state"] == "received" else given

    bus.answers["/api/wakes/w_1"] = answer
    ran = []
    with caplog.at_level("INFO", "watcher"):
        turns = make_turns(lambda *_: ran.append(1))
        turns.offer(ask("w_1"))
        said = bus.wait_for_call("/api/wakes/w_1", "no_turn").json
        assert turns.wait_idle(30)
    assert ran == []
    assert said["reason"].startswith(f"{key} of beta is ")
    assert "permanent" not in said
    assert f"{key} of beta is " in caplog.text


@pytest.mark.parametrize(
    "key", ["agent:main:main", "agent:m:telegram:group:-100:topic:4", "agent:m:wa:+49@s.net", ""]
)
def test_a_session_of_a_chat_is_a_plain_one(key):
    assert not find_strange(AgentSettings("beta", local_agent="Main_2", session_key=key))


def test_a_method_that_breaks_is_no_living_turn(bus, make_turns):
    def crash(_wake, _agent, report, _stop):
        report.admitted("run-1")
        raise RuntimeError("oops")

    make_turns(crash).offer(ask("w_1"))
    said = bus.wait_for_call("/api/wakes/w_1", "failed").json
    assert "RuntimeError: oops" in said["reason"]


def test_a_turn_cut_short_by_the_stop_is_left_for_the_next_life(bus, make_turns, stop):
    def fail_at_stop(_wake, _agent, report, stop):
        report.admitted("run-1")
        stop.wait(5)
        return Outcome("failed", "the gateway went away")

    turns = make_turns(fail_at_stop)
    turns.offer(ask("w_1"))
    bus.wait_for_call("/api/wakes/w_1", "admitted")
    stop.set()
    assert turns.close(5)
    assert bus.states("w_1") == ["received", "admitted"]
