"""A whole house on the lab's network: a bus, nine nodes and nineteen agents that are programs.

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
    # Agents write while they have mail leased, so all their threads hang together.
    "BUS_GUARD_HOPS": "1000000",
    "BUS_GUARD_BURST": "1000000",
    **{f"BUS_GUARD_{rule}": "0" for rule in ("LAPS", "CHAIN", "MESSAGES", "THREAD_WAKES", "WAKES")},
}
OPEN_WAKES = "SELECT count(*) FROM wakes WHERE closed_ms IS NULL"
NOT_QUIET = f"SELECT ({OPEN}) + ({OPEN_WAKES})"
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

    def wait_quiet(self, within_s: float) -> None:
        """Wait until no delivery and no wake is open; say which are where it never comes."""
        try:
            until(lambda: self.bus.count(NOT_QUIET) == 0, within_s, "the house is quiet")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.show_open()}") from None

    def show_open(self) -> str:
        """Give what is open, for a person."""
        with self.bus.client() as client:
            wakes = self.fleet.on("bus", client.wakes)["wakes"]
        left = self.bus.count(f"SELECT ({OPEN})")
        return "\n".join([f"{left} deliveries are open; wakes:", *map(str, wakes)])

    def runs(self) -> Counter[str]:
        """Count how often a program was run for each message, by the programs' own records."""
        lines = [line for file in self.records.iterdir() for line in file.read_text().splitlines()]
        found = (re.search(r'"message": "(\w+)".*"number": "([^"]+)"', line) for line in lines)
        return Counter(one[1] for one in found if one and one[2] != "-")

    def log_lines(self) -> Counter[str]:
        """Count what the watchers have said, by action."""
        text = "\n".join(node.log_lines() for node in self.nodes)
        return Counter(re.findall(r"action=(\w+)", text))


@contextmanager
def running_house(folder: Path, name: str, boxed: list[str]) -> Iterator[House]:
    """Set a house up; `boxed` hosts are machines with a real systemd, and the bus is one."""
    records = folder / "records"
    records.mkdir(parents=True)
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(name, NODES, shared=(records,), seen=(PROJECT,)))
        bus = BusHost.set_up(fleet, DISK_MB, SETTINGS)
        agents = [f"a{number:02d}" for number in range(1, AGENTS + 1)]
        nodes = [
            Node(fleet, host, agents[at::NODES], folder) for at, host in enumerate(fleet.hosts)
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


def add_nodes(bus: BusHost, nodes: list[Node]) -> dict[str, str]:
    """Make the nodes and their agents on the bus; gives the codes to enrol with."""
    with bus.client(timeout_s=30) as client:
        return {node.name: client.add_node(node.name, node.agents)["code"] for node in nodes}


def make_tokens(bus: BusHost, agents: list[str]) -> dict[str, str]:
    """Wait until every watcher has its stream; gives a token of each agent, and of a person."""
    with bus.client(timeout_s=30) as client:
        until(lambda: all(one["online"] for one in client.nodes()["nodes"]), 60, "all are online")
        # Not earlier: an enrolment takes the tokens away that an agent had before.
        tokens = {agent: client.new_token("agent", agent)["token"] for agent in agents}
        client.add_agent("pat", kind="person")
        return tokens | {"pat": client.new_token("person", "pat")["token"]}
