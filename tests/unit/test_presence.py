"""Who is there, over several processes, each of which knows of the others what they said last."""

from __future__ import annotations

import json

import pytest

from bus.clock import ManualClock
from bus.errors import InstanceBusyError
from bus.live.others import Others, Standing
from bus.live.presence import HEARD_S, Link, Presence

NODE, PAT = 7, 3


class Woken:
    topics = ()

    def __init__(self):
        self.calls = 0

    def wake(self):
        self.calls += 1


class Town:
    """Processes that tell each other what they hold when they are told to."""

    def __init__(self, *names):
        self.clock = ManualClock()
        self.others = {name: Others() for name in names}
        self.at = {name: Presence(self.clock, others) for name, others in self.others.items()}
        self.stamps = 0

    def open(self, name, instance):
        self.stamps += 1
        link = Link(instance, Woken(), since=self.stamps)
        self.at[name].open(NODE, link)
        return link

    def tell(self, *gone):
        """Have all hear of all, but of those that are gone."""
        said = {
            name: json.loads(json.dumps(one.say()))
            for name, one in self.at.items()
            if name not in gone
        }
        for name, others in self.others.items():
            others.learn({far: Standing.read(far, said[far]) for far in said if far != name})
        for one in self.at.values():
            one.yield_to_others()


@pytest.fixture
def town():
    return Town("a", "b")


def test_a_node_is_online_wherever_its_watcher_is(town):
    link = town.open("a", "i")
    town.tell()
    assert town.at["b"].is_online(NODE)
    assert town.at["b"].online == 1
    town.at["a"].close(NODE, link)
    town.tell()
    assert not town.at["b"].is_online(NODE)
    assert town.at["b"].online == 0


def test_a_watcher_that_comes_back_at_another_process_replaces_its_stream_at_the_first(town):
    old = town.open("a", "i")
    town.tell()
    new = town.open("b", "i")
    town.tell()
    assert (old.replaced, old.listener.calls) == (True, 1)
    town.at["a"].close(NODE, old)
    town.tell()
    assert not new.replaced
    assert town.at["a"].is_online(NODE)


def test_another_instance_is_refused_wherever_the_first_was_heard_within_a_minute(town):
    link = town.open("a", "i")
    town.tell()
    with pytest.raises(InstanceBusyError):
        town.open("b", "other")
    town.at["a"].close(NODE, link)
    town.tell()
    with pytest.raises(InstanceBusyError):
        town.open("b", "other")
    town.clock.advance(HEARD_S)
    town.open("b", "other")


def test_a_process_that_is_gone_holds_no_node(town):
    town.open("a", "i")
    town.tell("a")
    assert not town.at["b"].is_online(NODE)
    town.open("b", "other")


def test_of_two_instances_that_come_at_once_at_two_processes_the_first_one_stays(town):
    first, second = town.open("a", "i"), town.open("b", "other")
    town.tell()
    assert (first.replaced, second.replaced) == (False, True)
    town.at["b"].close(NODE, second)
    town.tell()
    assert town.at["b"].is_online(NODE)
    with pytest.raises(InstanceBusyError):
        town.open("b", "other")


def test_somebody_with_a_stream_at_any_process_is_here(town):
    assert town.at["a"].come(PAT)
    town.tell()
    assert town.at["b"].is_here(PAT)
    assert town.at["a"].go(PAT)
    town.tell()
    assert not town.at["b"].is_here(PAT)
    assert town.others["b"].people_of({"a"}) == set()


def test_whom_a_process_had_here_is_known_when_it_is_gone(town):
    town.at["a"].come(PAT)
    town.tell()
    assert town.others["b"].people_of({"a"}) == {PAT}
