"""The product's main job, with a real bus, a real watcher and real programs as agents."""

from __future__ import annotations

import signal
import sys

ANSWER = [sys.executable, "-c", "import sys; sys.stdin.read(); print('done')"]
QUIET = [sys.executable, "-c", "import sys; sys.stdin.read()"]
BROKEN = [sys.executable, "-c", "import sys; sys.stderr.write('no disk'); sys.exit(3)"]


def test_a_sent_message_wakes_a_program_and_its_answer_comes_back(bus, tmp_path):
    tokens = bus.add_node("here", tmp_path / "node", {"ping": QUIET, "pong": ANSWER})
    status, sent = bus.call(tokens["ping"], "POST", "/api/send", {"to": "pong", "body": "do it"})
    assert status == 202
    delivery = bus.follow_until(tokens["ping"], sent["id"], "acked", 30)
    seen = [rung["state"] for rung in delivery["ladder"]]
    assert seen[:3] == ["accepted", "queued", "notified"]
    assert seen[-2:] == ["read", "acked"]
    _, history = bus.call(tokens["ping"], "GET", "/api/messages?with=pong")
    assert [one["body"].strip() for one in history["messages"]] == ["do it", "done"]
    bus.follow_until(tokens["ping"], history["messages"][1]["id"], "acked", 30)


def test_the_sender_of_a_message_on_which_a_program_fails_is_told_why(bus, tmp_path):
    status, answer = bus.call(bus.admin, "POST", "/api/agents", {"name": "boss", "kind": "person"})
    assert status == 201, answer
    _, made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "person", "subject": "boss"})
    bus.add_node("here", tmp_path / "node", {"worn": BROKEN})
    _, sent = bus.call(made["token"], "POST", "/api/send", {"to": "worn", "body": "try"})
    bus.follow_until(made["token"], sent["id"], "dead", 30)
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
