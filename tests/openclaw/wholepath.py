"""A household on the bus: two real OpenClaw gateways as two nodes, each with a real watcher.

What the tests of the whole path share. It must not know which method or which bad day is tested.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realopenclaw import WAIT_S, await_that

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realopenclaw import OpenClaw

WATCHER = str(Path(sys.executable).parent / "bus-watcher")
Step = dict[str, Any]
# A best-effort wake shows its text as one line of JSON, which a model reads as well.
READ: Step = {
    "exec_match": r"(?m)(?:^|\\nSystem: )(curl [^\n\\]*/api/inbox)(?:$|\\n)",
    "in": "user",
    "text": "No command.",
}
ACK: Step = {
    "exec_match": r"(?m)^ack only: (curl [^\n]*)$",
    "in": "tool",
    "text": "Nothing to ack.",
}
# The last of several: together with ACK two items are acked, and one is acked twice.
ACK_LAST: Step = {
    "exec_match": r"(?ms).*^ack only: (curl [^\n]*)$",
    "in": "all",
    "text": "Nothing to ack.",
}
ANSWER: Step = {
    "exec_match": r"(?m)^answer and ack: ([^\n]*)$",
    "in": "tool",
    "text": "No question.",
}
SEND: Step = {"exec_match": r"(?m)^(curl [^\n]*/api/send [^\n]*)$", "in": "user", "text": "What?"}
LADDER = ["accepted", "queued", "notified", "woken", "read", "acked"]


@dataclass
class Machine:
    """One gateway whose agents each have a script of their own."""

    openclaw: OpenClaw
    scripts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def behave(self, agent: str, *steps: Step, match: str = "on wakebus") -> None:
        """Have an agent's model take these steps when asked what matches; the newest rule wins."""
        rule = {"model": f"^{agent}-model$", "match": match, "steps": list(steps)}
        others = [one for one in self.scripts.get(agent, []) if one["match"] != match]
        self.scripts[agent] = [rule, *others]
        rules = [one for script in self.scripts.values() for one in script]
        default = {"steps": [{"text": "Nothing to do."}]}
        self.openclaw.set_behaviour({"rules": rules, "default": default})

    def turns(self, agent: str, text: str = "on wakebus") -> list[dict[str, Any]]:
        """Give the first request of each turn that an agent's model was asked for with a text."""
        return [
            record
            for record in self.openclaw.model_log()
            if record["model"] == f"{agent}-model"
            and record["step"] == 0
            and text in record["last_user"]
        ]

    def start_turn(self, agent: str, message: str) -> None:
        """Have an agent's turn begin as its owner would begin it, without the bus."""
        params = {
            "message": message,
            "agentId": agent,
            "sessionKey": f"agent:{agent}:main",
            "deliver": False,
            "idempotencyKey": f"owner-{message}",
        }
        self._ask("agent", params)

    def finish_turn(self, message: str) -> None:
        """Wait until the turn that a message began has ended well."""
        params = {"runId": f"owner-{message}", "timeoutMs": 10_000}

        def look() -> str | None:
            status = str(self._ask("agent.wait", params)["status"])
            return None if status == "timeout" else status

        assert await_that(look, f"the turn of {message!r} does not end") == "ok"

    def was_shown(self, agent: str, text: str) -> bool:
        """Say whether a tool of an agent's turn gave its model a text."""
        log = self.openclaw.folder / "run" / "model.jsonl.full"
        requests = [json.loads(line)["request"] for line in log.read_text().splitlines()]
        return any(
            text in str(message.get("content"))
            for request in requests
            if request["model"] == f"{agent}-model"
            for message in request["messages"]
            if message["role"] == "tool"
        )

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the gateway something, as its owner's own client would."""
        rpc = Path(os.environ["WAKEBUS_LAB"]) / "openclaw" / "gateway_rpc.py"
        done = self.openclaw.run("python3", str(rpc), method, json.dumps(params))
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["ok"], answer
        return dict(answer["payload"])


@dataclass
class Household:
    """One bus, the machines on it, and the tokens of its agents."""

    bus: Any
    folder: str
    tokens: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def add_node(
        self,
        name: str,
        machine: Machine,
        agents: Mapping[str, Sequence[str]],
        *,
        config: Path | None = None,
    ) -> None:
        """Make a machine a node; each agent with its settings, such as `method=gateway`."""
        environment = machine.openclaw.environment()
        directory = machine.openclaw.home / self.folder / name
        self.tokens |= self.bus.enrol(name, directory, list(agents), environment)
        for agent, words in agents.items():
            self.headers[agent] = f"$HOME/{self.folder}/{name}/{agent}.header"
            setting = [WATCHER, "set", agent, "--dir", str(directory), *words]
            subprocess.run(setting, env=environment, check=True)
        if config is not None:
            settings = json.loads((directory / "watcher.json").read_text())
            settings["openclaw"] = {**settings.get("openclaw", {}), "config": str(config)}
            (directory / "watcher.json").write_text(json.dumps(settings))
        self.bus.watch(directory, environment)

    def add_person(self, name: str) -> None:
        """Add someone who writes to agents and reads what became of it."""
        person = {"name": name, "kind": "person"}
        assert self.bus.call(self.bus.admin, "POST", "/api/agents", person)[0] == 201
        subject = {"kind": "person", "subject": name}
        _, made = self.bus.call(self.bus.admin, "POST", "/api/tokens", subject)
        self.tokens[name] = made["token"]

    def send(self, sender: str, to: str, body: str, **more: Any) -> str:
        """Send a message by the API; gives its id."""
        message = {"to": to, "type": "TASK", "body": body, **more}
        status, answer = self.bus.call(self.tokens[sender], "POST", "/api/send", message)
        assert status == 202, answer
        return str(answer["id"])

    def send_by_turn(self, machine: Machine, sender: str, to: str, body: str) -> str:
        """Have an agent send a message by a tool call in a turn of its own; gives its id."""
        message = json.dumps({"to": to, "type": "TASK", "body": body})
        command = f"curl -sS -H @{self.headers[sender]} {self.bus.url}/api/send --json '{message}'"
        machine.behave(sender, SEND, {"text": "Sent."}, match="/api/send")
        machine.start_turn(sender, f"Run this:\n{command}")
        return str(await_that(lambda: self._sent(sender, to), f"{sender} never sent anything"))

    def follow(self, sender: str, message_id: str, state: str, within_s: float = WAIT_S) -> Any:
        """Give what the sender sees of a message once it is so far."""
        return self.bus.follow_until(self.tokens[sender], message_id, state, within_s)

    def wakes(self, agent: str) -> list[dict[str, Any]]:
        """Give an agent's wakes, oldest first."""
        path = f"/api/wakes?agent={agent}&state=all"
        _, answer = self.bus.call(self.bus.admin, "GET", path)
        return sorted(answer["wakes"], key=lambda wake: wake["generation"])

    def await_idle(self, agent: str) -> list[dict[str, Any]]:
        """Give an agent's wakes, oldest first, once none of them is open."""
        await_that(
            lambda: all("closed_at" in wake for wake in self.wakes(agent)),
            f"a wake of {agent} stays open",
        )
        return self.wakes(agent)

    def failure_of(self, sender: str, message_id: str) -> dict[str, Any]:
        """Give the message by which a sender is told that its message came to nothing."""
        _, inbox = self.bus.call(self.tokens[sender], "GET", "/api/inbox?wait=30&limit=100")
        told = [item for item in inbox["items"] if item["in_reply_to"] == message_id]
        assert [(item["type"], item["from"], item["trust"]) for item in told] == [
            ("FAILURE", "wakebus", "system")
        ]
        return dict(told[0])

    def _sent(self, sender: str, to: str) -> str | None:
        _, history = self.bus.call(self.tokens[sender], "GET", f"/api/messages?with={to}")
        return next((one["id"] for one in history["messages"] if one["from"] == sender), None)


def states(delivery: dict[str, Any]) -> list[str]:
    """Give the rungs of a delivery, oldest first; each must have its time, in order."""
    times = [rung["at"] for rung in delivery["ladder"]]
    assert all(times), delivery
    assert times == sorted(times), delivery
    return [rung["state"] for rung in delivery["ladder"]]


def unseen(delivery: dict[str, Any]) -> list[str]:
    """Give the rungs that nobody saw."""
    return [rung["state"] for rung in delivery["ladder"] if not rung["seen"]]
