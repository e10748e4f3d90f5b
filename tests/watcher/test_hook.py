"""The hook method: which hook it calls, and what it makes of each answer."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from fakehooks import FakeHooks

from watcher.methods.base import Outcome, Wake
from watcher.methods.hook import Hook
from watcher.settings import AgentSettings, Folder, OpenClawSettings, Settings

MAPPING = {
    "match": {"path": "bus-alpha"},
    "action": "agent",
    "agentId": "alpha",
    "messageTemplate": "{{text}}",
    "allowUnsafeExternalContent": True,
}


class Notes:
    """Writes down what is admitted."""

    def __init__(self):
        self.turns = []

    def admitted(self, turn_id):
        self.turns.append(turn_id)

    def alive(self):
        pass


@pytest.fixture
def hooks():
    fake = FakeHooks()
    yield fake
    fake.close()


@pytest.fixture
def make(hooks, tmp_path):
    """Make the method over an OpenClaw with these hooks."""

    def build(**changes):
        raw = {
            "gateway": {"port": hooks.port},
            "hooks": {"enabled": True, "token": "hook-secret", **changes},
            "agents": {"entries": {"alpha": {}, "beta": {}}},
        }
        path = tmp_path / "openclaw.json"
        path.write_text(json.dumps(raw))
        return Hook(
            Settings(Folder(tmp_path), "http://bus", "n1", openclaw=OpenClawSettings(config=path))
        )

    return build


def run(method, name="alpha", turn_id=None, notes=None):
    wake = Wake(
        "w_1", 1, name, name, f"agent:{name}:main", "You have mail.\nRead it.", 1, 0, turn_id
    )
    return method.run(wake, AgentSettings(name), notes or Notes(), threading.Event())


def test_it_asks_openclaw_to_wake_the_agent(hooks, make):
    assert run(make()) == Outcome("requested")
    body = {"text": "You have mail.\nRead it.", "mode": "now", "agentId": "alpha"}
    assert hooks.calls == [("/hooks/wake", "Bearer hook-secret", body)]


def test_it_uses_the_hook_that_is_mapped_to_the_agent(hooks, make):
    hooks.answer = (200, {"ok": True, "runId": "r-1"})
    notes = Notes()
    assert run(make(path="/in", mappings=[MAPPING]), notes=notes) == Outcome("requested")
    assert hooks.calls == [
        ("/in/bus-alpha", "Bearer hook-secret", {"text": "You have mail.\nRead it."})
    ]
    assert notes.turns == ["r-1"]


def test_another_agents_mapping_is_not_its_own(hooks, make):
    run(make(mappings=[MAPPING]), "beta")
    assert hooks.calls[0][0] == "/hooks/wake"


def test_what_an_earlier_life_asked_for_is_not_asked_for_again(hooks, make):
    assert run(make(), turn_id="r-1").state == "requested"
    assert hooks.calls == []


@pytest.mark.parametrize(
    ("answer", "reason", "is_permanent"),
    [
        ((400, {"ok": False, "error": 'unknown agentId "alpha"'}), "unknown agentId", True),
        ((400, {"ok": False, "error": "text required"}), "text required", False),
        ((401, "Unauthorized"), "Restart it after a change", False),
        ((404, "Not Found"), "are its hooks enabled", False),
        ((409, {"ok": False, "error": "session changed"}), "OpenClaw is busy: session", False),
        ((503, {"ok": False, "error": "session busy"}), "OpenClaw is busy: session busy", False),
        ((500, "<html>" * 9000), "answered 500", False),
        ((429, "slow down"), "answered 429: slow down", False),
    ],
)
def test_every_other_answer_is_no_turn_with_a_reason(hooks, make, answer, reason, is_permanent):
    hooks.answer = answer
    outcome = run(make())
    assert (outcome.state, outcome.permanent) == ("no_turn", is_permanent)
    assert reason in outcome.reason
    assert len(outcome.reason) < 600
    assert "hook-secret" not in outcome.reason


def test_a_gateway_that_is_down_is_no_turn(hooks, make):
    method = make()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    path = method._settings.config
    path.write_text(path.read_text().replace(str(hooks.port), str(free)))
    outcome = run(method)
    assert (outcome.state, outcome.permanent) == ("no_turn", False)
    assert "cannot be reached" in outcome.reason


def test_something_that_is_not_http_is_no_turn(hooks, make):
    hooks.server.RequestHandlerClass.do_POST = lambda self: self.wfile.write(b"\0\0nonsense\r\n")
    assert run(make()).state == "no_turn"


@pytest.mark.parametrize(
    ("changes", "agent", "why"),
    [
        ({"enabled": False}, "alpha", "hooks.enabled is not true"),
        ({"token": ""}, "alpha", "hooks.token is not set"),
        ({}, "nosuch", "has no agent 'nosuch'"),
        ({"allowedAgentIds": ["beta"]}, "alpha", "leaves out 'alpha'"),
    ],
)
def test_the_probe_says_what_is_missing(hooks, make, changes, agent, why):
    probe = make(**changes).probe(AgentSettings(agent))
    assert not probe.works
    assert why in probe.why
    assert hooks.calls == []


def test_the_probe_works_without_waking_anyone(hooks, make):
    probe = make(allowedAgentIds=["*"]).probe(AgentSettings("alpha"))
    assert probe.works
    assert "/hooks/wake" in probe.why
    assert hooks.calls == []
