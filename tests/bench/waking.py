"""How long it takes from before a send until the recipient's program has its mail in hand.

The program is the same for both, and so is its start, whose cost alone is shown too. Each send
comes after a pause of random length, since a poll's delay depends on when in its second one sends.
"""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from asking import address_of, post, write_post
from measure import OURS
from rig import POLLING, add_agent, running_bus, running_polling_bus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Bus
    from measure import Series, Table
    from rig import Plan, PollingBus

WITHIN_S = 60
STAMP = """import sys, time
text = sys.stdin.read()
now_ns = time.monotonic_ns()
import socket
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mouth:
    mouth.sendto(f"{now_ns} {text}".encode(), sys.argv[1])
"""


class Ear:
    """Hears when a program had its mail."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(WITHIN_S)
        # As lean as Python starts, so that little of the figure is Python's.
        program = path.with_suffix(".py")
        program.write_text(STAMP, encoding="utf-8")
        self.command = [sys.executable, "-I", "-S", str(program), str(path)]

    def hear(self, mark: str) -> int:
        """Wait for the program that got this mark; gives its monotonic nanoseconds."""
        while True:
            now_ns, _, text = self._socket.recv(65536).decode().partition(" ")
            if mark in text:
                return int(now_ns)

    def close(self) -> None:
        self._socket.close()


def run(plan: Plan, table: Table) -> None:
    ear = Ear(plan.folder / "ear")
    ours, theirs = plan.folder / "wake-ours", plan.folder / "wake-theirs"
    try:
        with running_bus(ours) as bus, running_polling_bus(theirs) as polling:
            measure(plan, table, ear, (bus, polling))
    finally:
        ear.close()


def measure(plan: Plan, table: Table, ear: Ear, buses: tuple[Bus, PollingBus]) -> None:
    bus, polling = buses
    chance = random.Random(plan.seed)
    sends = [make_our_send(bus, plan.folder / "node", ear), make_their_send(polling, ear)]
    rows = [table.add("send -> program has the mail", name, "ms") for name in (OURS, POLLING)]
    floor = table.add("(of which: that program's own start)", "this machine", "ms")
    for number, send in enumerate(sends):
        send(f"warm-up-{number}.")
    for number in range(plan.rounds):
        for at in (0, 1) if number % 2 == 0 else (1, 0):
            time.sleep(chance.random())
            rows[at].samples.append(sends[at](f"mark-{number}-{at}."))
        time_start(ear, f"floor-{number}.", floor)


def make_our_send(bus: Bus, directory: Path, ear: Ear) -> Callable[[str], float]:
    """Start our watcher with the program as its agent; the send gives the delay in ms."""
    token = add_agent(bus, "sender")
    bus.add_node("node", directory, {"reader": ear.command})

    def send(mark: str) -> float:
        begun_ns = time.monotonic_ns()
        post(address_of(bus.url), write_post("reader", "sender", mark, token))
        heard_ns = ear.hear(mark)
        _, history = bus.call(token, "GET", "/api/messages?with=reader&limit=1")
        bus.follow_until(token, history["messages"][0]["id"], "acked", WITHIN_S)
        return (heard_ns - begun_ns) / 1e6

    return send


def make_their_send(polling: PollingBus, ear: Ear) -> Callable[[str], float]:
    """Start the article's watcher with the same program."""
    watcher = polling.watch("reader", ear.command)

    def send(mark: str) -> float:
        begun_ns = time.monotonic_ns()
        post(address_of(polling.url), write_post("reader", "sender", mark))
        heard_ns = ear.hear(mark)
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "ended 0\n"
        return (heard_ns - begun_ns) / 1e6

    return send


def time_start(ear: Ear, mark: str, series: Series) -> None:
    """Measure the program's start by nobody but this process."""
    begun_ns = time.monotonic_ns()
    subprocess.run(ear.command, input=mark, text=True, check=True)
    series.samples.append((ear.hear(mark) - begun_ns) / 1e6)
