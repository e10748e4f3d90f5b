"""What waiting costs: memory and processor of open streams, and of the watcher.

The streams are held by a process of its own; each of ours gets one heartbeat in the time.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import filler
from asking import Holder, address_of, post, write_get, write_post
from measure import OURS
from processes import processor_s, unshared_kib
from rig import POLLING, running, running_polling_bus, stopped_buses

if TYPE_CHECKING:
    from measure import Table
    from rig import Plan

EACH = 25
"""Streams of one agent."""
IDLE_S = 15.0
"""One heartbeat of each of our streams falls into this."""
POLLING_MOST = 900


def run(plan: Plan, table: Table) -> None:
    for at, count in enumerate(plan.streams):
        weigh(plan, table, count, f"idle-{at}", with_watchers=at == 0)


def weigh(plan: Plan, table: Table, count: int, name: str, *, with_watchers: bool) -> None:
    """Measure what idle streams take. All buses hold theirs at the same time."""
    what = f"{count} idle streams"
    with ExitStack() as held:
        servers: dict[str, Any] = {}
        for system, bus in stopped_buses(plan, name).items():
            agents = [f"{name}-{at}" for at in range(-(-count // EACH))]
            tokens = list(filler.add_agents(bus.database, agents).values())
            held.enter_context(running(bus))
            requests = [write_get("/api/stream", tokens[at // EACH]) for at in range(count)]
            hold(held, table, what, system, bus, requests)
            servers[system] = bus
        if count <= POLLING_MOST + 100:
            polling = held.enter_context(running_polling_bus(plan.folder / f"{name}-theirs"))
            post(address_of(polling.url), write_post("reader", "sender", "to begin with"))
            requests = [write_get("/api/stream")] * min(count, POLLING_MOST)
            hold(held, table, what, POLLING, polling, requests)
            servers[POLLING] = polling
        watchers = start_watchers(plan, held, servers) if with_watchers else {}
        time.sleep(1)
        for row, per_s in used_while_idle({**servers, **watchers}).items():
            if row in servers:
                share = per_s * 100 / min(count, POLLING_MOST if row == POLLING else count) * 100
                table.add(f"{what}: processor of 100", row, "% of one").samples.append(share)
            else:
                words = ("a watcher: processor while idle", row.partition("/")[0])
                table.add(*words, "% of one").samples.append(per_s * 100)
        for row, watcher in watchers.items():
            kib = unshared_kib(watcher.process.pid)
            words = ("a watcher: unshared memory", row.partition("/")[0])
            table.add(*words, "MiB").samples.append(kib / 1024)


def hold(
    held: ExitStack, table: Table, what: str, system: str, bus: Any, requests: list[str]
) -> None:
    """Open streams; what each adds to its bus's own memory is noted."""
    group = bus.process.pid
    # The first one brings in what all of them share.
    open_stream_once(bus, requests[0])
    before_kib, before_s = unshared_kib(group), processor_s(group)
    holder = held.enter_context(Holder(bus, requests))
    time.sleep(0.5)
    each_kib = (unshared_kib(group) - before_kib) / len(requests)
    table.add(f"{what}: memory each", system, "KiB").samples.append(each_kib)
    opening_ms = (processor_s(group) - before_s) / len(requests) * 1000
    table.add(f"{what}: processor to open one", system, "ms").samples.append(opening_ms)
    assert holder.opened


def open_stream_once(bus: Any, request: str) -> None:
    with Holder(bus, [request]):
        pass


def used_while_idle(groups: dict[str, Any]) -> dict[str, float]:
    """Give the processor seconds that each takes in a second."""
    before_s = {name: processor_s(one.process.pid) for name, one in groups.items()}
    begun_s = time.monotonic()
    time.sleep(IDLE_S)
    took_s = time.monotonic() - begun_s
    return {
        name: (processor_s(one.process.pid) - before_s[name]) / took_s
        for name, one in groups.items()
    }


class Watching:
    """A watcher as a row: its process."""

    def __init__(self, process: Any) -> None:
        self.process = process


def start_watchers(plan: Plan, held: ExitStack, servers: dict[str, Any]) -> dict[str, Watching]:
    """Start a watcher of either bus: ours with an agent that is a program."""
    bus, polling = servers[OURS], servers[POLLING]
    bus.add_node("idle-node", plan.folder / "idle-node", {"idler": ["/bin/true"]})
    theirs = polling.watch("nobody", ["/bin/true"])
    return {f"{OURS}/watcher": Watching(bus.watchers[-1]), f"{POLLING}/w": Watching(theirs)}
