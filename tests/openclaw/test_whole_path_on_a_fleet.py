"""The whole path on a fleet: two bus processes on one PostgreSQL, a real gateway's node at each.

Each node comes by an address of its own, as by a proxy, that leads to one of the processes.
"""

from __future__ import annotations

import signal
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from wholepath import ACK, ANSWER, LADDER, READ, Household, states, unseen

from tests.conftest import Bus
from tests.live.fleetrig import fleet_on
from tests.postgres import serving
from tests.relay import Relay

if TYPE_CHECKING:
    from tests.live.fleetrig import FleetOf, Machine

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]
DONE = {"text": "Inbox done."}
AGENTS = {"here": ["alpha"], "there": ["afar", "farther"]}


@dataclass
class Fleet:
    """The processes, the household on them, and by which way each node comes."""

    buses: FleetOf
    household: Household
    ways: dict[str, Relay]

    def lead(self, node: str, machine: Machine) -> None:
        """Have a node's address lead to a process from now on."""
        self.ways[node].move(port_of(machine))

    def come_as(self, node: str) -> None:
        """Ask, from now on, by the address of a node."""
        url = f"http://127.0.0.1:{self.ways[node].port}"
        self.household.bus = Bus(self.buses.folder, url, admin=self.buses.admin)


def port_of(machine: Machine) -> int:
    return int(machine.url.rpartition(":")[2])


@pytest.fixture(scope="module")
def fleet(machines, tmp_path_factory):
    """Two nodes, each at a process of its own; the first one's is that which keeps house."""
    with ExitStack() as stack:
        cluster = stack.enter_context(serving())
        buses = stack.enter_context(fleet_on(cluster, tmp_path_factory.mktemp("fleet"), 2))
        keeping = buses.wait_holder()
        other = next(one for one in buses.machines if one is not keeping)
        ways = {
            name: stack.enter_context(closing(Relay(port_of(one))))
            for name, one in {"here": keeping, "there": other}.items()
        }
        one = Fleet(buses, Household(None, ".fleet"), ways)
        for name, machine in zip(AGENTS, machines, strict=True):
            one.come_as(name)
            agents = {agent: ["method=gateway"] for agent in AGENTS[name]}
            one.household.add_node(name, machine, agents)
            (watcher,) = one.household.bus.watchers
            stack.callback(watcher.wait, 10)
            stack.callback(watcher.terminate)
        yield one


def test_a_message_and_its_answer_go_from_one_process_to_the_other_and_back(fleet, machines):
    here, there = machines
    household = fleet.household
    here.behave("alpha", READ, ACK, DONE)
    there.behave("afar", READ, ANSWER, DONE)
    fleet.come_as("here")
    task_id = household.send_by_turn(here, "alpha", "afar", "count the stars")
    task = household.follow("alpha", task_id, "acked")
    assert (states(task), unseen(task)) == (LADDER, [])
    fleet.come_as("there")
    reply = household.follow("afar", task["reply_ids"][0], "acked")
    assert (states(reply), unseen(reply)) == (LADDER, [])
    assert len(there.turns("afar")) == 1


def test_the_answer_wakes_its_sender_though_the_process_it_came_by_died_in_the_turn(
    fleet, machines
):
    here, there = machines
    household = fleet.household
    here.behave("alpha", READ, ACK, DONE)
    there.behave("farther", READ, ANSWER | {"delay": 4}, DONE)
    fleet.come_as("here")
    task_id = household.send_by_turn(here, "alpha", "farther", "count the stars once more")
    fleet.come_as("there")
    household.follow("alpha", task_id, "read")
    dying = next(one for one in fleet.buses.machines if port_of(one) == fleet.ways["here"].target)
    dying.stop(signal.SIGKILL)
    assert household.follow("alpha", task_id, "read")["state"] == "read"  # it died in the midst
    (left,) = (one for one in fleet.buses.machines if one is not dying)
    fleet.lead("here", left)
    task = household.follow("alpha", task_id, "acked")
    assert (states(task), unseen(task)) == (LADDER, [])
    reply = household.follow("farther", task["reply_ids"][0], "acked")
    assert (states(reply), unseen(reply)) == (LADDER, [])
    assert fleet.buses.wait_holder() is left
    for agent in ("alpha", "farther"):
        assert {wake["result"] for wake in household.await_idle(agent)} == {"ended"}
    assert len(there.turns("farther")) == 1
