"""A whole house on the lab's network: a bus, nine nodes, agents and workers that are programs.

It puts hosts, bus and watchers together and says when all is quiet; it breaks nothing.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.bushost import BusHost
from tests.chaos.fleet import Fleet
from tests.chaos.ledger import OPEN
from tests.chaos.node import Node
from tests.conftest import until

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("program.py")
NODES, AGENTS = 9, 19
DISK_MB = 256
SETTINGS = {
    # A turn whose machine died is taken up again after half a minute, not after ten.
    "BUS_LEASE_S": "30",
    "BUS_WAKE_SILENCE_S": "45",
    "BUS_WAKE_ASK_S": "10",
    "BUS_BACKOFF_FIRST_S": "0.2",
    "BUS_BACKOFF_MAX_S": "5",
    # A run whose node is silent for less than two heartbeats is lost.
    "BUS_RUN_LEASE_S": "25",
    "BUS_RUN_GRACE_S": "10",
    # Agents write while they have mail leased, so all their threads hang together.
    "BUS_GUARD_HOPS": "1000000",
    "BUS_GUARD_BURST": "1000000",
    **{f"BUS_GUARD_{rule}": "0" for rule in ("LAPS", "CHAIN", "MESSAGES", "THREAD_WAKES", "WAKES")},
}
OPEN_WAKES = "SELECT count(*) FROM wakes WHERE closed_ms IS NULL"
OPEN_RUNS = "SELECT count(*) FROM runs WHERE ended_ms IS NULL"
NOT_QUIET = f"SELECT ({OPEN}) + ({OPEN_WAKES}) + ({OPEN_RUNS})"
LAST_MOVE = "SELECT coalesce(max(at_ms), 0) FROM ladder"


@dataclass
class House:
    """What is running, and the tokens to speak for it."""

    fleet: Fleet
    bus: BusHost
    nodes: list[Node]
    tokens: dict[str, str]
    records: Path
    home: dict[str, str] = field(default_factory=dict)

    def wait_quiet(self, within_s: float, query: str = NOT_QUIET) -> None:
        """Wait until no delivery, no wake and no run is open; say which are if it never comes."""
        try:
            until(lambda: self.bus.count(query) == 0, within_s, "the house is quiet")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.show_open()}") from None

    def show_open(self) -> str:
        """Give what is open, for a person."""
        with self.bus.client() as client:
            wakes = self.fleet.on("bus", client.wakes)["wakes"]
            runs = self.fleet.on("bus", client.runs)["runs"]
        left = self.bus.count(f"SELECT ({OPEN})")
        return "\n".join([f"{left} deliveries are open; wakes and runs:", *map(str, wakes + runs)])

    def executions(self) -> Counter[str]:
        """Count how often a program was executed for each message or run, by its own records."""
        lines = [line for file in self.records.iterdir() for line in file.read_text().splitlines()]
        found = (re.search(r'"asked": "(\w+)".*"number": "([^"]+)"', line) for line in lines)
        return Counter(one[1] for one in found if one and one[2] != "-")

    def log_lines(self) -> Counter[str]:
        """Count what the watchers have said, by action."""
        text = "\n".join(node.log_lines() for node in self.nodes)
        return Counter(re.findall(r"action=(\w+)", text))


@contextmanager
def running_house(
    folder: Path,
    name: str,
    boxed: list[str],
    agents: int = AGENTS,
    workers: int = 0,
    buses: int = 1,
) -> Iterator[House]:
    """Set a house up; `boxed` hosts are machines with a real systemd, and the bus is one.

    Agents and workers are spread over the nodes. Several buses have a PostgreSQL on one host more.
    """
    records = folder / "records"
    records.mkdir(parents=True)
    with ExitStack() as stack:
        several = str(buses) if buses > 1 else ""
        network = Fleet(
            name + several, NODES, shared=(records,), seen=(PROJECT,), more=int(buses > 1)
        )
        fleet = stack.enter_context(network)
        bus = BusHost.set_up(fleet, DISK_MB, dict(SETTINGS), buses)
        named, spawned = number_all("a", agents), number_all("w", workers)
        nodes = [
            Node(fleet, host, named[at::NODES], spawned[at::NODES], folder)
            for at, host in enumerate(fleet.hosts)
        ]
        for node in nodes:
            stack.callback(node.stop)
            if node.name in boxed:
                node.box = fleet.put_box(node.name, 64 if node.name == boxed[0] else 0)
        codes = fleet.on("bus", add_nodes, bus, nodes)
        argv = [sys.executable, "-I", "-S", str(PROGRAM), str(records)]
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(node.set_up, codes[node.name], argv) for node in nodes]:
                done.result()
        home = {agent: node.name for node in nodes for agent in node.agents}
        tokens = fleet.on("bus", make_tokens, bus, list(home))
        yield House(fleet, bus, nodes, tokens, records, home)


def number_all(letter: str, count: int) -> list[str]:
    return [f"{letter}{number:02d}" for number in range(1, count + 1)]


def add_nodes(bus: BusHost, nodes: list[Node]) -> dict[str, str]:
    """Make the nodes, their agents and workers on the bus; gives the codes to enrol with."""
    codes = {}
    with bus.client(timeout_s=30) as client:
        for node in nodes:
            client.add_node(node.name, node.agents)
            for worker in node.workers:
                client.add_agent(worker, kind="worker", node=node.name)
            codes[node.name] = client.new_code(node.name)["code"]
    return codes


def make_tokens(bus: BusHost, agents: list[str]) -> dict[str, str]:
    """Wait until every watcher has its stream; gives a token of each agent, and of a person."""
    with bus.client(timeout_s=30) as client:
        until(lambda: all(one["online"] for one in client.nodes()["nodes"]), 60, "all are online")
        # Not earlier: an enrolment takes the tokens away that an agent had before.
        tokens = {agent: client.new_token("agent", agent)["token"] for agent in agents}
        client.add_agent("pat", kind="person")
        return tokens | {"pat": client.new_token("person", "pat")["token"]}
