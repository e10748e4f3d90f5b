"""How long a sender waits until its message is accepted: alone, and among others; and the syncs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import syncs
from measure import OURS
from rig import (
    POLLING,
    add_agent,
    address_of,
    post,
    running_bus,
    running_polling_bus,
    write_post,
)

if TYPE_CHECKING:
    from measure import Series, Table
    from rig import Plan

BODY = "Count the stars of the northern sky, and answer with one number. " * 4


@dataclass
class System:
    """One bus that accepts messages."""

    name: str
    address: tuple[str, int]
    requests: list[bytes]
    group: int
    """The process group of the bus."""


def run(plan: Plan, table: Table) -> None:
    ours, theirs = plan.folder / "accept-ours", plan.folder / "accept-theirs"
    with running_bus(ours) as bus, running_polling_bus(theirs) as polling:
        names = [f"agent-{number}" for number in range(plan.senders)]
        tokens = {name: add_agent(bus, name) for name in names}
        pairs = list(zip(names, [*names[1:], names[0]], strict=True))
        by_token = [write_post(to, sender, BODY, tokens[sender]) for sender, to in pairs]
        by_name = [write_post(to, sender, BODY) for sender, to in pairs]
        systems = [
            System(OURS, address_of(bus.url), by_token, bus.process.pid),
            System(POLLING, address_of(polling.url), by_name, polling.process.pid),
        ]
        measure(plan, table, systems)


def measure(plan: Plan, table: Table, systems: list[System]) -> None:
    many = f"{plan.senders} senders at once"
    alone = [table.add("accept: one sender", one.name, "ms") for one in systems]
    crowd = [table.add(f"accept: {many}", one.name, "ms") for one in systems]
    rates = [table.add(f"accept: {many}, throughput", one.name, "sends/s") for one in systems]
    for one in systems:
        send_alone(one, plan.senders)
    for number in range(plan.rounds):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        for at in order:
            alone[at].samples += send_alone(systems[at], plan.sends)
        for at in order:
            waits_ms, rate = send_together(systems[at], plan.sends_each)
            crowd[at].samples += waits_ms
            rates[at].samples.append(rate)
    for one in systems:
        count_syncs(plan, table, one, many)


def send_alone(system: System, count: int) -> list[float]:
    """Send one after the other; gives each wait in ms. The senders take turns."""
    requests = system.requests
    return [
        post(system.address, requests[number % len(requests)]) * 1000 for number in range(count)
    ]


def send_together(system: System, each: int) -> tuple[list[float], float]:
    """Have all senders send at once; gives each wait in ms, and the sends a second."""
    gate = threading.Barrier(len(system.requests) + 1)

    def send(request: bytes) -> list[float]:
        gate.wait()
        return [post(system.address, request) * 1000 for _ in range(each)]

    with ThreadPoolExecutor(len(system.requests)) as pool:
        futures = [pool.submit(send, request) for request in system.requests]
        gate.wait()
        begun_s = time.perf_counter()
        waits_ms = [wait_ms for future in futures for wait_ms in future.result()]
        took_s = time.perf_counter() - begun_s
    return waits_ms, len(waits_ms) / took_s


def count_syncs(plan: Plan, table: Table, system: System, many: str) -> None:
    """Count syncs apart from the timing, since being traced is slow."""
    crowd = len(system.requests) * plan.sends_each
    work = [
        ("one sender", plan.sends, lambda: send_alone(system, plan.sends)),
        (many, crowd, lambda: send_together(system, plan.sends_each)),
    ]
    for words, count, do in work:
        what = f"durability: syncs a send, {words}"
        found = syncs.count(system.group, do)
        if isinstance(found, str):
            table.skip(what, system.name, f"unknown ({found})")
        else:
            series: Series = table.add(what, system.name, "syncs/send")
            series.samples.append(found / count)
