"""The node `demo` of `bus up`: a watcher's folder, two agents that need no model, a first task.

It does what a person would do by hand, with the same commands and calls.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bus import demo
from bus.cli.calling import PERSON_FILE, read_token, write_secret
from bus.cli.failing import REFUSED, Failure
from bus.client import BusClient, ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.config import Config

NODE, ASKS, ANSWERS, PERSON = "demo", "ping", "pong", "you"
TASK = {"to": ANSWERS, "type": "TASK", "subject": "hello", "body": "Count these words, please."}
PROGRAMS = Path(demo.__file__).parent


def header(agent: str) -> str:
    """Name the file with an agent's token."""
    return f"{agent}.header"


@dataclass(frozen=True)
class Demonstration:
    """The node's folder, and the bus as its administrator sees it."""

    config: Config
    admin: BusClient
    environ: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """The watcher's folder of the node."""
        return self.config.data_dir / NODE

    @property
    def watcher_argv(self) -> list[str]:
        """The command that runs the node's watcher."""
        return self._watcher("run")

    def prepare(self) -> None:
        """Make what is not there yet: a person with a token, the node, its tokens, its programs."""
        self._make_person()
        if not self._is_enrolled():
            self._enrol()
        answers = self.folder / "answers.txt"
        self._set(ANSWERS, [sys.executable, str(PROGRAMS / "pong.py")])
        self._set(ASKS, [sys.executable, str(PROGRAMS / "ping.py"), str(answers)])

    def is_online(self) -> bool:
        """Say whether the node's watcher listens."""
        nodes = self.admin.nodes()["nodes"]
        return any(node["name"] == NODE and node["online"] for node in nodes)

    def send_task(self) -> str:
        """Send the task as the agent that asks; gives the message's id."""
        with self._asking() as bus:
            return str(bus.send(TASK)["id"])

    def read_answer(self, task_id: str) -> dict[str, Any]:
        """Give the message that answered the task."""
        with self._asking() as bus:
            for message in reversed(bus.history(ANSWERS)["messages"]):
                if message.get("in_reply_to") == task_id:
                    return dict(message)
        raise Failure(f"{ANSWERS} did not answer; bus trace {task_id} says why", REFUSED)

    def _asking(self) -> BusClient:
        token = read_token(self.folder / header(ASKS))
        return BusClient(self.admin.url, token)

    def _make_person(self) -> None:
        file = self.config.data_dir / PERSON_FILE
        if file.exists() and self._is_known(read_token(file)):
            return
        if PERSON not in {agent["name"] for agent in self.admin.agents()["agents"]}:
            self.admin.add_agent(PERSON, kind="person")
        write_secret(file, str(self.admin.new_token("person", PERSON, "bus up")["token"]))

    def _is_enrolled(self) -> bool:
        """Say whether the folder holds this bus's node, at this address, with tokens that hold."""
        try:
            settings = json.loads((self.folder / "watcher.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        tokens = [
            self.folder / "node.token",
            *(self.folder / f"{a}.header" for a in (ASKS, ANSWERS)),
        ]
        return settings.get("url") == self.admin.url and all(
            file.exists() and self._is_known(read_token(file)) for file in tokens
        )

    def _is_known(self, token: str) -> bool:
        try:
            with BusClient(self.admin.url, token) as bus:
                bus.whoami()
        except ClientError as error:
            if error.status != 401:
                raise
            return False
        return True

    def _enrol(self) -> None:
        if NODE in {node["name"] for node in self.admin.nodes()["nodes"]}:
            made = self.admin.new_code(NODE)
        else:
            made = self.admin.add_node(NODE, [ASKS, ANSWERS], self.admin.url)
        self._run("enrol", self.admin.url, str(made["code"]), "--replace")

    def _set(self, agent: str, argv: list[str]) -> None:
        self._run("set", agent, "method=program", f"argv={json.dumps(argv)}")

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            self._watcher(*words), env=self.environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failure(f"bus-watcher {words[0]} failed: {done.stderr.strip()}", REFUSED)

    def _watcher(self, command: str, *words: str) -> list[str]:
        return [sys.executable, "-m", "watcher", command, *words, "--dir", str(self.folder)]
