"""Two real gateways as two nodes: a message wakes a sleeping agent, and the answer comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(400)]
WATCHER = str(Path(sys.executable).parent / "bus-watcher")
READ = {"exec_match": r"(?m)^(curl [^\n]*/api/inbox)$", "in": "user", "text": "No command."}
ACK = {"exec_match": r"(?m)^ack only: (curl [^\n]*)$", "in": "tool", "text": "Nothing to ack."}
ANSWER = {"exec_match": r"(?m)^answer and ack: ([^\n]*)$", "in": "tool", "text": "No question."}


def behave(instance, *after_reading, rules=()):
    """Have the model read its inbox by the command of its wake text, then go on as told."""
    wake = {"match": "on wakebus", "steps": [READ, *after_reading, {"text": "Inbox done."}]}
    default = {"steps": [{"text": "Nothing to do."}]}
    instance.set_behaviour({"rules": [*rules, wake], "default": default})


def add_node(bus, name, instance, agent, method):
    """Make an OpenClaw's home a node of the bus, its agent woken by one method."""
    environment = instance.environment()
    directory = Path(instance.home) / ".wakebus"
    token = bus.enrol(name, directory, [agent], environment)[agent]
    setting = [WATCHER, "set", agent, "--dir", str(directory), f"method={method}"]
    subprocess.run(setting, env=environment, check=True)
    bus.watch(directory, environment)
    return token


def start_turn(instance, agent, message):
    """Have an agent's turn begin as its owner would begin it, without the bus."""
    params = {
        "message": message,
        "agentId": agent,
        "sessionKey": f"agent:{agent}:main",
        "deliver": False,
        "idempotencyKey": f"owner-{message}",
    }
    rpc = Path(os.environ["WAKEBUS_LAB"]) / "openclaw" / "gateway_rpc.py"
    done = instance.run("python3", str(rpc), "agent", json.dumps(params))
    assert done.returncode == 0, done.stderr


def test_an_agent_on_another_machine_is_woken_and_its_answer_wakes_the_sender(bus, start_openclaw):
    one, two = start_openclaw("sender", "alpha"), start_openclaw("sleeper", "beta")
    message = json.dumps({"to": "beta", "type": "TASK", "body": "count the stars"})
    send = f"curl -sS -H @$HOME/.wakebus/alpha.header {bus.url}/api/send --json '{message}'"
    ask = {"match": "ask beta", "steps": [{"exec": send}, {"text": "Sent."}]}
    behave(one, ACK, rules=[ask])
    behave(two, ANSWER)
    alpha = add_node(bus, "one", one, "alpha", "gateway")
    beta = add_node(bus, "two", two, "beta", "gateway")
    start_turn(one, "alpha", "ask beta")

    _, inbox = bus.call(alpha, "GET", "/api/inbox?view=headers&wait=60")
    answer = inbox["items"][0]
    _, history = bus.call(alpha, "GET", "/api/messages?with=beta")
    task = bus.follow_until(beta, history["messages"][0]["id"], "acked", 60)
    rungs = [rung["state"] for rung in task["ladder"]]
    assert rungs == ["accepted", "queued", "notified", "woken", "read", "acked"]
    assert all(rung["seen"] for rung in task["ladder"])
    assert task["reply_ids"] == [answer["id"]]
    reply = bus.follow_until(alpha, answer["id"], "acked", 60)
    assert [rung["state"] for rung in reply["ladder"]] == rungs
