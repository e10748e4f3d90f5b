"""Two agents on a real bus, and every reader of its stream that is not ours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from listening import Page, Program

from tests.chromium import miss

if TYPE_CHECKING:
    from listening import Heard, Reader
    from playwright.sync_api import Browser

PROGRAMS = Path(__file__).parent / "programs"
LAB = Path(os.environ.get("OPENCLAW_LAB") or Path.home() / ".cache/openclaw-lab")
LAB_NODE = LAB / "node/node_modules/.bin/node"
HEARTBEAT_S = "0.05"
BODY = "žluťoučký kůň\r\n\r\nid: 1-9\u2028data: {}\n🚌"


@dataclass
class Room:
    """Alice writes, Bob is written to."""

    bus: Any
    tokens: dict[str, str]

    def send(self, count: int, kind: str = "MESSAGE") -> list[str]:
        """Send messages to Bob; gives their ids once they are on disk."""
        batch = [{"to": "bob", "body": BODY, "type": kind}] * count
        status, answer = self.bus.call(self.tokens["alice"], "POST", "/api/send", batch)
        assert status == 202, answer
        return [message["id"] for message in answer["messages"]]

    def be_silent(self, comments: int) -> None:
        """Let a stream be silent until so many comments were on it."""
        request = urllib.request.Request(f"{self.bus.url}/api/stream?last_event_id=now")
        request.add_header("Authorization", f"Bearer {self.tokens['bob']}")
        with urllib.request.urlopen(request, timeout=30) as stream:
            seen = (line for line in stream if line == b":\n")
            for _ in range(comments):
                next(seen)


def is_ready(heard: Heard) -> bool:
    return "pending" in heard.data


@pytest.fixture
def impatient_bus(bus):
    """A bus that comments on a silence long before its 15 s are up."""
    bus.stop(signal.SIGKILL)
    bus.settings["BUS_HEARTBEAT_S"] = HEARTBEAT_S
    bus.start()
    return bus


@pytest.fixture
def room(bus):
    yield Room(bus, {name: bus.add(name) for name in ("alice", "bob")})
    bus.stop(signal.SIGKILL)  # nothing here asks how it ends; a stop in order takes its time


@pytest.fixture
def listen(room, request):
    """Start a reader by its name and wait until it listens: `listen("node", "bob")`."""
    with ExitStack() as ending:

        def start(kind: str, who: str) -> Reader:
            if kind == "chromium":
                chromium = request.getfixturevalue("start_chromium")
                reader = open_page(ending, chromium(), room.bus.url, room.tokens[who])
            else:
                reader = start_program(ending, kind, room.bus.url, room.tokens[who])
            reader.hear_until(is_ready)
            return reader

        yield start


def start_program(ending: ExitStack, kind: str, url: str, token: str) -> Program:
    command = node_command() if kind == "node" else [sys.executable, str(PROGRAMS / kind)]
    program = Program.start(command, url, token)
    ending.callback(program.stop)
    return program


def open_page(ending: ExitStack, browser: Browser, url: str, token: str) -> Page:
    ending.callback(browser.close)
    context = browser.new_context(extra_http_headers={"Authorization": f"Bearer {token}"})
    return Page(context.new_page(), url)


def node_command() -> list[str]:
    """Take the lab's Node, which is new enough, or else the machine's."""
    node = str(LAB_NODE) if LAB_NODE.exists() else shutil.which("node")
    command = [node or "node", "--experimental-eventsource", "--no-warnings"]
    if node is None or not knows_event_source(command):
        miss("a Node with EventSource: 20.18, 22.3 or newer")
    return [*command, str(PROGRAMS / "with_eventsource.mjs")]


def knows_event_source(command: list[str]) -> bool:
    ask = [*command, "--eval", "process.exit(typeof EventSource === 'function' ? 0 : 1)"]
    return subprocess.run(ask, check=False, capture_output=True).returncode == 0
