"""What the directory is told of how this node's agents are reached, and when it is told anew."""

from __future__ import annotations

import threading

import pytest
from fakebus import ProblemError

from watcher import address
from watcher.bus import Bus
from watcher.introduction import Introduction
from watcher.methods.base import Choice


class Changing:
    """Stands for all methods: chooses what a test says."""

    def __init__(self):
        self.choice = Choice("none", "cannot be woken: nothing is here")

    def choose(self, agent):
        if agent.name == "odd":
            raise RuntimeError("oops")
        return self.choice


@pytest.fixture
def methods(bus, enrolled, clock):
    stop = threading.Event()
    changing = Changing()
    settings = enrolled(agents={"beta": {}, "odd": {}})
    with Bus(address.parse(bus.url), lambda: "t", timeout_s=5) as client:
        thread = Introduction(settings, client, changing, clock, stop).start()
        yield changing
        stop.set()
        thread.join(30)


def test_the_directory_learns_when_an_agent_can_be_woken_again(bus, methods):
    first = bus.wait_for_call("/api/nodes/self").json["methods"]
    assert first["beta"] == {"method": "none", "why": "cannot be woken: nothing is here"}
    assert first["odd"]["method"] == "none"
    assert "oops" in first["odd"]["why"]
    methods.choice = Choice("gateway", "OpenClaw answers")
    second = bus.wait_for_call("/api/nodes/self", count=2).json["methods"]
    assert second["beta"] == {"method": "gateway", "why": "OpenClaw answers"}


def test_a_refused_introduction_is_not_the_last_one(bus, methods):
    def refuse(_request):
        raise ProblemError(400, "invalid_request")

    bus.wait_for_call("/api/nodes/self")
    bus.answers["/api/nodes/self"] = refuse
    methods.choice = Choice("hook", "posts")
    bus.wait_for_call("/api/nodes/self", count=2)
    bus.answers.clear()
    methods.choice = Choice("gateway", "OpenClaw answers")
    third = bus.wait_for_call("/api/nodes/self", count=3).json["methods"]
    assert third["beta"]["method"] == "gateway"
