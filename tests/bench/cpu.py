"""What the processor does for a message: sent alone, in a list, read, and shown on streams.

By the clock of the bus's own processes, which a busy machine moves less than any time that one
waits. Beside each is an empty route of the same server, asked in the same way and in turns.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import filler
from accept import BATCH, EMPTY, requests_for
from asking import Holder, ask_client, message_to, write_get, write_json
from measure import OURS
from processes import processor_s
from rig import make_bus, running, running_limits

if TYPE_CHECKING:
    from measure import Table
    from rig import Plan

MANY = 10_000
A_SECOND = 2000
"""As many requests are a turn for each second that the plan gives one: a busy machine takes longer.
"""
FRAMES = 100_000
READERS = 50
WAITING = 10
SENDS = "processor for 10,000 sends, {} connections"
LISTS = f"processor for 10,000 sends in lists of {BATCH}, 4 connections"
EMPTY_READS = "processor for 10,000 reads of an empty inbox, 8 connections"
READS = f"processor for 10,000 reads of {WAITING} items, 8 connections"
SHOWN = f"processor for 100,000 frames to {READERS} streams"


@dataclass
class Turn:
    """What many connections ask of the bus, and what they ask of the empty route meanwhile."""

    what: str
    connections: int
    each: int
    ours: list[str]
    empty: list[str]


def run(plan: Plan, table: Table) -> None:
    bus = make_bus(plan.folder / "cpu")
    _, kept, lists = requests_for(plan, bus.database)
    names = [f"waiting-{at}" for at in range(8)]
    tokens = filler.add_agents(bus.database, ["feeder", "crowd", "idle", *names])
    for name in names:
        filler.add_missed(bus.database, "feeder", name, WAITING)
    with ExitStack() as held:
        held.enter_context(running(bus))
        limits, token = held.enter_context(running_limits(plan.folder / "cpu-limits"))
        post = [write_json("/empty", message_to("limit", filler.BODY), token)]
        posts = [write_json("/empty", [message_to("limit", filler.BODY)] * BATCH, token)]
        get = [write_get("/empty", token)]
        reads = [write_get("/api/inbox", tokens[name]) for name in names]
        turns = [
            *(Turn(SENDS.format(lines), lines, 1, kept, post) for lines in (8, plan.senders)),
            Turn(LISTS, 4, BATCH, lists, posts),
            Turn(EMPTY_READS, 8, 1, [write_get("/api/inbox", tokens["idle"])], get),
            Turn(READS, 8, 1, reads, get),
        ]
        both = [(OURS, bus), (EMPTY, limits)]
        for turn in turns:
            for name, server in both:
                take(turn, name, server, 1)  # what only the first ones cost is not the turn's
        for number in range(plan.rounds):
            for turn in turns:
                for name, server in both[:: -1 if number % 2 else 1]:
                    each = round(A_SECOND * plan.seconds / turn.connections / turn.each**0.5)
                    used_s = take(turn, name, server, each)
                    table.add(turn.what, name, "s").samples.append(used_s)
            send = write_json("/api/send", message_to("crowd", filler.BODY), tokens["feeder"])
            show(plan, table, bus, send, write_get("/api/stream", tokens["crowd"]))


def take(turn: Turn, name: str, server: Any, each: int) -> float:
    """Have each connection ask so often; gives the seconds that as much would take 10,000 times."""
    requests, group = turn.ours if name == OURS else turn.empty, server.process.pid
    before_s = processor_s(group)
    asked = ask_client(server, requests, connections=turn.connections, each=each)
    done = len(asked["waits_ms"]) * turn.each
    return (processor_s(group) - before_s) / done * MANY


def show(plan: Plan, table: Table, bus: Any, send: str, stream: str) -> None:
    """Send one after another to somebody with many streams; the sends alone are taken off."""
    group, count = bus.process.pid, round(200 * plan.seconds)
    before_s = processor_s(group)
    ask_client(bus, [send], connections=1, each=count)
    alone_s = processor_s(group) - before_s
    with Holder(bus, [stream] * READERS) as holder:
        holder.say(count * READERS)
        before_s = processor_s(group)
        ask_client(bus, [send], connections=1, each=count)
        holder.hear()
        used_s = processor_s(group) - before_s - alone_s
    table.add(SHOWN, OURS, "s").samples.append(used_s / (count * READERS) * FRAMES)
