"""How long one message takes to all the streams that show it.

They are streams of the recipient: each of an agent's readers sees its mail. The settings allow so
many of one principal, which the defaults do not.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import filler
from asking import Holder, address_of, post, write_get, write_post
from processes import processor_s
from rig import POLLING, running, running_polling_bus, stopped_buses

if TYPE_CHECKING:
    from measure import Table
    from rig import Plan


def run(plan: Plan, table: Table) -> None:
    with ExitStack() as held:
        servers: list[tuple[str, Any, str, Holder]] = []
        for name, bus in stopped_buses(plan, "fanout").items():
            tokens = filler.add_agents(bus.database, ["caller", "crowd"])
            held.enter_context(running(bus))
            request = write_get("/api/stream", tokens["crowd"])
            holder = held.enter_context(Holder(bus, [request] * plan.listeners))
            servers.append((name, bus, write_post("crowd", "", "Now.", tokens["caller"]), holder))
        polling = held.enter_context(running_polling_bus(plan.folder / "fanout-theirs"))
        call = write_post("crowd", "caller", "Now.")
        post(address_of(polling.url), call)
        streams = [write_get("/api/stream")] * min(plan.listeners, 900)
        holder = held.enter_context(Holder(polling, streams, "data:"))
        holder.await_words(len(streams))
        servers.append((POLLING, polling, call, holder))
        for number in range(2 * plan.rounds):
            for name, bus, request, holder in servers[:: -1 if number % 2 else 1]:
                count = len(streams) if name == POLLING else plan.listeners
                fan_out(table, name, bus, request, holder, count)


def fan_out(table: Table, name: str, bus: Any, request: str, holder: Holder, count: int) -> None:
    what = f"one message to {count} streams"
    before_s, begun_ns = processor_s(bus.process.pid), time.monotonic_ns()
    seen = holder.await_words(count, lambda: post(address_of(bus.url), request))
    spread_ms = (seen["last_ns"] - seen["first_ns"]) / 1e6
    table.add(f"{what}: first to last", name, "ms").samples.append(spread_ms)
    all_ms = (seen["last_ns"] - begun_ns) / 1e6
    table.add(f"{what}: send to last", name, "ms").samples.append(all_ms)
    used_ms = (processor_s(bus.process.pid) - before_s) * 1000
    table.add(f"{what}: processor", name, "ms").samples.append(used_ms)
