"""How long a parent waits until its run is accepted, beside a send; and with many runs of old.

One bus has had a hundred runs, the other a hundred thousand, all of the parents that now dispatch:
the hard case. They take turns, as everywhere.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import filler
from asking import address_of, ask_client, post, write_get, write_json, write_post
from measure import OURS
from rig import make_bus, running

if TYPE_CHECKING:
    from measure import Table
    from rig import BenchBus, Plan

FEW, MANY = 100, 100_000
ALONE = "dispatch: one parent"
TOGETHER = "dispatch: {} parents"
LISTED, SHOWN = "GET /api/runs?parent=me, 50 of all", "GET /api/runs/RUN_ID"
SEND, OLD = f"{OURS}, a send", f"{OURS}, after {MANY:,} runs"
PARENTS, WORKERS = 32, 32
READS = 20


@dataclass
class House:
    """One bus with its parents and its workers."""

    name: str
    bus: BenchBus
    tokens: dict[str, str]

    def orders(self, keep: bool) -> list[str]:
        """Write what the parents ask; each worker gets some of it."""
        asked = {"task": filler.BODY, "size": "S", "cleanup": "keep"}
        return [
            write_json(
                "/api/runs",
                asked | {"worker": f"worker-{at}", "label": f"run-{at}"},
                self.tokens[f"parent-{at % PARENTS}"],
                keep,
            )
            for at in range(WORKERS)
        ]

    def sends(self, keep: bool) -> list[str]:
        """Write as many sends, by the same ones."""
        return [
            write_post(f"agent-{at}", "", filler.BODY, self.tokens[f"parent-{at % PARENTS}"], keep)
            for at in range(WORKERS)
        ]


def run(plan: Plan, table: Table) -> None:
    houses = [make_house(plan, OURS, FEW), make_house(plan, OLD, MANY)]
    with ExitStack() as held:
        for house in houses:
            held.enter_context(running(house.bus))
        for number in range(plan.rounds):
            for house in houses if number % 2 == 0 else houses[::-1]:
                measure(plan, table, house)


def make_house(plan: Plan, name: str, runs: int) -> House:
    bus = make_bus(plan.folder / f"dispatch-{runs}")
    parents = [f"parent-{at}" for at in range(PARENTS)]
    workers = [f"worker-{at}" for at in range(WORKERS)]
    filler.add_node(bus.database, "here")
    tokens = filler.add_agents(bus.database, parents)
    filler.add_agents(bus.database, [f"agent-{at}" for at in range(WORKERS)])
    filler.add_agents(bus.database, workers, "here", kind="worker")
    filler.add_runs(bus.database, parents, workers, runs)
    return House(name, bus, tokens)


def measure(plan: Plan, table: Table, house: House) -> None:
    """Take one turn: alone, together, and reading."""
    systems = [(house.name, house.orders)]
    if house.name == OURS:
        systems.append((SEND, house.sends))
    for name, write in systems:
        alone = ask_client(house.bus, write(False), connections=1, fresh=True, seconds=plan.seconds)
        table.add(ALONE, name, "ms").samples += alone["waits_ms"]
        many = ask_client(house.bus, write(True), connections=plan.senders, seconds=plan.seconds)
        table.add(TOGETHER.format(plan.senders), name, "ms").samples += many["waits_ms"]
    read(table, house)


def read(table: Table, house: House) -> None:
    """Look at the newest runs, and at one."""
    token = house.tokens["parent-0"]
    page = house.bus.call(token, "GET", "/api/runs?parent=me&state=all&limit=1")[1]
    for words, path in (
        (LISTED, "/api/runs?parent=me&state=all&limit=50"),
        (SHOWN, f"/api/runs/{page['runs'][0]['run_id']}"),
    ):
        asked = write_get(path, token).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
        for _ in range(READS):
            took_s = post(address_of(house.bus.url), asked)
            table.add(words, house.name, "ms").samples.append(took_s * 1000)
