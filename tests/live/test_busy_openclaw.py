"""An OpenClaw that cannot begin a turn just now: the wake comes again, and nothing is lost."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import clean_environment

sys.path.insert(0, str(Path(__file__).parents[1] / "watcher"))

from fakehooks import FakeHooks

CHANGED = "hook agent run was rejected because the target session changed"
MAPPING = {
    "match": {"path": "bus-alpha"},
    "action": "agent",
    "agentId": "alpha",
    "messageTemplate": "{{text}}",
    "allowUnsafeExternalContent": True,
}


@pytest.fixture
def hooks(tmp_path):
    """The hooks of an OpenClaw that the watcher of this HOME finds."""
    fake = FakeHooks()
    fake.answer = (200, {"ok": True, "runId": "r-1"})
    configuration = {
        "gateway": {"port": fake.port},
        "hooks": {"enabled": True, "token": "of-the-hooks", "mappings": [MAPPING]},
        "agents": {"entries": {"alpha": {}}},
    }
    (tmp_path / ".openclaw").mkdir()
    (tmp_path / ".openclaw" / "openclaw.json").write_text(json.dumps(configuration))
    yield fake
    fake.close()


def test_a_wake_that_met_a_session_in_change_comes_again_and_costs_no_attempt(bus, hooks, tmp_path):
    hooks.first_answers = [(409, {"ok": False, "error": CHANGED, "runId": "r-0"})]
    environment = clean_environment(HOME=str(tmp_path))
    sender = bus.enrol("pi", tmp_path / "node", ["alpha", "beta"], environment)["beta"]
    bus.watch(tmp_path / "node", environment)

    task = {"to": "alpha", "type": "TASK", "body": "count the stars"}
    status, sent = bus.call(sender, "POST", "/api/send", task)
    assert status == 202, sent
    delivery = bus.follow_until(sender, sent["id"], "woken", 60)
    rungs = ["accepted", "queued", "notified", "queued", "notified", "woken"]
    assert [rung["state"] for rung in delivery["ladder"]] == rungs
    assert f"OpenClaw is busy: {CHANGED}" in delivery["ladder"][3]["reason"]
    assert delivery["failed_attempts"] == 0
    assert [path for path, _, _ in hooks.calls] == ["/hooks/bus-alpha"] * 2
