"""One real OpenClaw of the lab, with a scripted model: started, told what to do, killed, asked."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST_PORT = 29110
PORT_STEP, PORTS_EACH = 10, 20
START_LIMIT_S = 240
HEARTBEAT = '"every": "30m"'
PIECE = 'ev({"content": txt[i:i + 40]})'
SLOW_PIECE = f"{PIECE}; time.sleep(0.1 * (400 < len(txt) < 4000) + 0.2 * (16e3 < len(txt) < 2e4))"
"""A text of some length comes as slowly as a model makes it, a story in a minute or two: something
can happen in its middle.
"""
START_TRIES = 4
WAIT_S = 180.0
"""How long anything may take that is only a matter of a loaded machine."""


@cache
def quiet_lab() -> Path:
    """Give the lab's script with a configuration in which OpenClaw does nothing by itself.

    Its heartbeats begin a turn of each agent every half an hour, at any moment of it, which a test
    would take for its own; without them `/hooks/wake` would begin none, so they are a year apart.
    The sessions' upkeep is left out: on a loaded machine that of OpenClaw 2026.9.6 may take its
    database away from its own gateway until a restart ("Agent database cleanup failed",
    watcher/gatewayverdict.py).
    """
    lab = Path(os.environ["WAKEBUS_LAB"]) / "openclaw"
    ours = Path(tempfile.mkdtemp(prefix="wakebus-openclaw-"))
    atexit.register(shutil.rmtree, ours)
    for file in lab.iterdir():
        (ours / file.name).symlink_to(file)
    model = ours / "scripted_model.py"
    text = model.read_text()
    model.unlink()
    assert PIECE in text, model
    model.write_text(text.replace(PIECE, SLOW_PIECE))
    template = ours / "openclaw.json.tmpl"
    text = template.read_text()
    template.unlink()
    assert HEARTBEAT in text, template
    text = text.replace(HEARTBEAT, '"every": "8760h"')
    template.write_text(text.replace("{", '{\n  "session": {"maintenance": {"mode": "warn"}},', 1))
    return ours / "openclaw-lab.sh"


@dataclass
class OpenClaw:
    """One gateway with its own state, agents, tokens and scripted model."""

    name: str
    port: int
    agents: tuple[str, ...] = ("alpha", "beta")
    env: dict[str, str] = field(default_factory=dict)

    @property
    def model_port(self) -> int:
        return self.port + 1

    @property
    def gateway_token(self) -> str:
        return self.env["LAB_GATEWAY_TOKEN"]

    @property
    def hook_token(self) -> str:
        return self.env["LAB_HOOK_TOKEN"]

    @property
    def home(self) -> Path:
        """The folder that is HOME for this instance."""
        return Path(self.env["HOME"])

    @property
    def folder(self) -> Path:
        return self.home.parent

    @property
    def config(self) -> Path:
        return Path(self.env["OPENCLAW_CONFIG_PATH"])

    def fresh(self) -> None:
        """Start it from an empty state."""
        self._start("fresh")
        self.env = dict(self._read_environment())

    def up(self) -> None:
        """Start what does not run, with the state that is there."""
        self._start("up")

    def kill(self) -> None:
        """Kill -9 the gateway; the model stays."""
        self._lab("kill", self.name)

    def down(self) -> None:
        self._lab("down", self.name)

    def run(self, *command: str, timeout_s: float = WAIT_S) -> subprocess.CompletedProcess[str]:
        """Run a command with this instance's openclaw, Node, HOME and tokens."""
        return subprocess.run(
            command,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        """What a process needs to live on this instance's machine."""
        inherited = {key: text for key, text in os.environ.items() if key != "OPENCLAW_SHELL"}
        # the user's own list of watchers is none of a test's business
        return {**inherited, **self.env, "XDG_STATE_HOME": str(self.folder / "state")}

    def set_behaviour(self, behaviour: dict[str, Any]) -> None:
        """Tell the model what to do from its next request on."""
        path = self.folder / "behaviour.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(behaviour))
        fresh.replace(path)

    def say(self, text: str, *, delay_s: float = 0.0) -> None:
        """Have the model answer everything with this line, after so long."""
        self.set_behaviour({"default": {"steps": [{"text": text, "delay": delay_s}]}})

    def model_log(self, since: int = 0) -> list[dict[str, Any]]:
        """What the model was asked, after the request with that number."""
        url = f"http://127.0.0.1:{self.model_port}/log?since={since}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def model_seq(self) -> int:
        """The number of the last request."""
        return max((record["seq"] for record in self.model_log()), default=0)

    def await_model(
        self, text: str, *, since: int = 0, timeout_s: float = WAIT_S
    ) -> dict[str, Any]:
        """Wait until the model was asked something that contains the text."""
        found = await_that(
            lambda: [r for r in self.model_log(since) if text in r["last_user"] + r["last_text"]],
            f"the model was never asked about {text!r}",
            timeout_s,
        )
        record: dict[str, Any] = found[0]
        return record

    def warm_hooks(self, agent: str) -> None:
        """Have a mapped hook's turn begin, for an agent that no test looks at.

        At a gateway's first call it loads so much that a loaded machine needs longer for it than
        OpenClaw lets its caller wait, 15 s.
        """
        call = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/hooks/bus-{agent}",
            json.dumps({"text": "Warm up."}).encode(),
            {"Authorization": f"Bearer {self.hook_token}", "Content-Type": "application/json"},
        )

        def is_taken() -> bool:
            try:
                with urllib.request.urlopen(call, timeout=60) as answer:
                    return bool(answer.status == 200)
            except urllib.error.HTTPError as error:
                error.close()
                return False

        await_that(is_taken, "a mapped hook never began a turn")

    def _start(self, verb: str) -> None:
        """Start it; again where it gave up: on a loaded machine it may miss its own limit of 5 s.

        ("state lease heartbeat did not become ready", OpenClaw 2026.9.6)
        """
        words = (self.name, str(self.port), *self.agents)
        done = self._ask_lab(verb, *words)
        for _ in range(START_TRIES - 1):
            if done.returncode == 0:
                return
            done = self._ask_lab("up", *words)
        assert done.returncode == 0, f"{verb} {self.name}: {done.stdout}{done.stderr}"

    def _read_environment(self) -> Iterator[tuple[str, str]]:
        text = self._lab("env", self.name)
        for key, quoted, plain in re.findall(r'([A-Z_]+)=(?:"([^"]*)"|(\S+))', text):
            yield key, (quoted or plain).replace("$PATH", os.environ["PATH"])

    def _lab(self, *arguments: str) -> str:
        done = self._ask_lab(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def _ask_lab(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [quiet_lab(), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_LIMIT_S,
            check=False,
        )


def await_that(condition: Callable[[], Any], otherwise: str, timeout_s: float = WAIT_S) -> Any:
    """Give the condition's value as soon as it is true; fail with the sentence if it never is."""
    until_s = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < until_s, otherwise
        time.sleep(0.05)
    return value


def instance_name(name: str) -> str:
    """Give the name of a test's instance: each process of the tests has its own."""
    return f"test-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}-{name}"


def find_port() -> int:
    """Give a port that is free, and so is the next one, which is the model's.

    Each process of the tests looks elsewhere: a port is free until the gateway is up.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST_PORT + number * PORTS_EACH * PORT_STEP
    for port in range(first, first + PORTS_EACH * PORT_STEP, PORT_STEP):
        if is_free(port) and is_free(port + 1):
            return port
    raise AssertionError("no free port for a gateway")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
