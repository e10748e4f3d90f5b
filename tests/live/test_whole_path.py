"""The product's main job, with a real bus, a real watcher and real programs as agents."""

from __future__ import annotations

import signal
import sys
import time

ANSWER = [sys.executable, "-c", "import sys; sys.stdin.read(); print('done')"]
QUIET = [sys.executable, "-c", "import sys; sys.stdin.read()"]
BROKEN = [sys.executable, "-c", "import sys; sys.stderr.write('no disk'); sys.exit(3)"]


def rungs(bus, token: str, message_id: str) -> list[str]:
    status, shown = bus.call(token, "GET", f"/api/messages/{message_id}")
    assert status == 200, shown
    return [rung["state"] for rung in shown["deliveries"][0]["ladder"]]


def follow_until(bus, token: str, message_id: str, state: str) -> list[str]:
    """Ask the ladder until it ends in a state; the inbox's long wait paces it, no sleep does."""
    end_s = time.monotonic() + 30
    while (seen := rungs(bus, token, message_id))[-1] != state:
        assert time.monotonic() < end_s, seen
        bus.call(token, "GET", "/api/inbox?view=headers&wait=1")
    return seen


def test_a_sent_message_wakes_a_program_and_its_answer_comes_back(bus, tmp_path):
    tokens = bus.add_node("here", tmp_path / "node", {"ping": QUIET, "pong": ANSWER})
    status, sent = bus.call(tokens["ping"], "POST", "/api/send", {"to": "pong", "body": "do it"})
    assert status == 202
    seen = follow_until(bus, tokens["ping"], sent["id"], "acked")
    assert seen[:3] == ["accepted", "queued", "notified"]
    assert seen[-2:] == ["read", "acked"]
    _, history = bus.call(tokens["ping"], "GET", "/api/messages?with=pong")
    assert [one["body"].strip() for one in history["messages"]] == ["do it", "done"]
    follow_until(bus, tokens["ping"], history["messages"][1]["id"], "acked")


def test_the_sender_of_a_message_on_which_a_program_fails_is_told_why(bus, tmp_path):
    status, answer = bus.call(bus.admin, "POST", "/api/agents", {"name": "boss", "kind": "person"})
    assert status == 201, answer
    _, made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "person", "subject": "boss"})
    bus.add_node("here", tmp_path / "node", {"worn": BROKEN})
    _, sent = bus.call(made["token"], "POST", "/api/send", {"to": "worn", "body": "try"})
    follow_until(bus, made["token"], sent["id"], "dead")
    _, inbox = bus.call(made["token"], "GET", "/api/inbox?wait=10")
    assert inbox["items"][0]["type"] == "FAILURE"
    assert "no disk" in inbox["items"][0]["body"]


def test_accepted_mail_outlives_a_kill_of_the_bus(bus, tmp_path):
    bus.call(bus.admin, "POST", "/api/agents", {"name": "one"})
    bus.call(bus.admin, "POST", "/api/agents", {"name": "two"})
    _, one = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "one"})
    _, two = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "two"})
    for number in range(20):
        status, _ = bus.call(one["token"], "POST", "/api/send", {"to": "two", "body": str(number)})
        assert status == 202
    bus.stop(signal.SIGKILL)
    bus.start()
    _, inbox = bus.call(two["token"], "GET", "/api/inbox?limit=100")
    assert [item["body"] for item in inbox["items"]] == [str(number) for number in range(20)]
