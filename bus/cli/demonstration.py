"""The node `demo` of `bus up`: a watcher's folder, two agents that need no model, a first task.

It does what a person would do by hand, with the same commands and calls. A demonstration that does
not come through says why, and the bus goes on without it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bus import demo
from bus.cli.calling import PERSON_FILE, read_token
from bus.cli.children import Child, running
from bus.cli.failing import REFUSED, Failure
from bus.cli.ladder import draw_reason
from bus.cli.next_steps import invoked
from bus.cli.output import harmless, say
from bus.cli.trace import follow_message, has_arrived, outlook
from bus.cli.wholefile import write_secret
from bus.client import BusClient, ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    from bus.cli.calling import Caller
    from bus.config import Config

NODE, ASKS, ANSWERS, PERSON = "demo", "ping", "pong", "you"
TASK = {"to": ANSWERS, "type": "TASK", "subject": "hello", "body": "Count these words, please."}
PROGRAMS = Path(demo.__file__).parent
ONLINE_WITHIN_S = 30.0
TOLD_WITHIN_S = 30.0


def header(agent: str) -> str:
    """Name the file with an agent's token."""
    return f"{agent}.header"


@dataclass(frozen=True)
class Demonstration:
    """The node's folder, and the bus as its administrator sees it."""

    config: Config
    admin: BusClient
    environ: Mapping[str, str]
    ca_file: str = ""

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

    def make_link(self) -> str:
        """Make the link by which the person opens the page, once."""
        return str(self.admin.sign_in(PERSON)["link"])

    def is_online(self) -> bool:
        """Say whether the node's watcher listens."""
        nodes = self.admin.nodes()["nodes"]
        return any(node["name"] == NODE and node["online"] for node in nodes)

    def send_task(self) -> str:
        """Send the task as the agent that asks; gives the message's id."""
        with self._asking() as bus:
            return str(bus.send(TASK)["id"])

    def read_answer(self, task_id: str) -> dict[str, Any] | None:
        """Give the message that answered the task, where one did."""
        with self._asking() as bus:
            for message in reversed(bus.history(ANSWERS)["messages"]):
                if message.get("in_reply_to") == task_id:
                    return dict(message)
        return None

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
        trusts = settings.get("ca_file") or ""
        return (settings.get("url"), trusts) == (self.admin.url, self.ca_file) and all(
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
        trusting = ["--ca-file", self.ca_file] if self.ca_file else []
        self._run("enrol", self.admin.url, str(made["code"]), "--replace", *trusting)

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


def show_demo(demo: Demonstration, admin: Caller, stack: ExitStack) -> Child:
    """Start the node with the demonstration agents and follow a task there and back."""
    demo.prepare()
    log = demo.config.data_dir / "watcher.log"
    watcher = stack.enter_context(running("the watcher", demo.watcher_argv, log, demo.environ))
    watcher.await_ready(demo.is_online, ONLINE_WITHIN_S)
    say(f"node {NODE} listens, with the agents {ASKS} and {ANSWERS} (small programs, no model)")
    follow_task(admin, demo)
    say(f"\nthe page: {demo.make_link()}")
    say(f"(good once, for ten minutes; later: {invoked('bus')} person link {PERSON})")
    return watcher


def follow_task(admin: Caller, demo: Demonstration) -> None:
    """Send the task and show each rung of it, then of its answer."""
    say(f"\n{ASKS} sends {ANSWERS} a task, and is free at once:")
    task_id = demo.send_task()
    if not comes_through(admin, task_id):
        return
    answer = demo.read_answer(task_id)
    if answer is None:
        say(f"\n{ANSWERS} gave no answer; why: bus trace {task_id}")
        return
    say(f"\n{ANSWERS} answers, which wakes {ASKS}:")
    if comes_through(admin, str(answer["id"])):
        say(f'\n{ASKS} has its answer: "{harmless(answer["body"].strip())}"')


def comes_through(admin: Caller, message_id: str) -> bool:
    """Follow a message until it has ended, or will not for now; say why where it did not arrive."""
    until_s = time.monotonic() + TOLD_WITHIN_S
    message = follow_message(
        admin,
        message_id,
        is_enough=lambda seen: bool(is_stuck(seen)) or time.monotonic() > until_s,
    )
    if has_arrived(message):
        return True
    delivery = message["deliveries"][0]
    why = outlook(delivery) or f"{delivery['to']}: {delivery['state']}"
    say(f"\nThat is as far as it goes now ({draw_reason(why)}); later: bus trace {message_id}")
    if "paused" in why:
        say(f"To wake it again: bus agent resume {harmless(delivery['to'])}")
    return False


def is_stuck(message: Mapping[str, Any]) -> bool:
    """Say whether a message waits for what only a person can change."""
    return any(outlook(one).startswith("waiting: ") for one in message["deliveries"])
