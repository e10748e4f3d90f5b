"""How long a sender waits until its message is accepted: alone, among others, in batches.

Beside it the routes that do nothing in the same gunicorn, the article's bus, and one sync. Each
system has its turn of the same length in each round; the client is a process of its own.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import filler
import syncs
from asking import ask_client, message_to, write_json, write_post
from processes import processor_s
from rig import POLLING, running, running_limits, running_polling_bus, stopped_buses

if TYPE_CHECKING:
    from measure import Table
    from rig import Plan

EMPTY, PASSED = "an empty route", "a route up to the verb"
ALONE = "accept: one sender"
RATE = "durable sends, one each"
COST = "processor for 10,000 sends"
BATCH = 100
BATCHES = f"durable sends in lists of {BATCH}"
RECIPIENTS = 100
SYNC_SENDS = 128
TRACED_S = 60


@dataclass
class System:
    """One server that accepts messages; `alone` are requests that close their connection."""

    name: str
    server: Any
    alone: list[str]
    kept: list[str]
    lists: list[str]


def run(plan: Plan, table: Table) -> None:
    buses = stopped_buses(plan, "accept")
    systems = [System(name, bus, *requests_for(plan, bus.database)) for name, bus in buses.items()]
    with ExitStack() as held:
        for bus in buses.values():
            held.enter_context(running(bus))
        limits, token = held.enter_context(running_limits(plan.folder / "limits"))
        for name, path in ((EMPTY, "/empty"), (PASSED, "/passed")):
            one, many = message_to("limit", filler.BODY), [message_to("limit", filler.BODY)] * BATCH
            alone, kept = (write_json(path, one, token, keep) for keep in (False, True))
            lists = [write_json(path, many, token)]
            systems.append(System(name, limits, [alone], [kept], lists))
        polling = held.enter_context(running_polling_bus(plan.folder / "accept-theirs"))
        both = [[write_post("reader", "sender", filler.BODY, "", keep)] for keep in (False, True)]
        systems.append(System(POLLING, polling, *both, []))
        measure(plan, table, systems)
        for one in (systems[0], systems[-1]):
            count_syncs(plan, table, one)


def requests_for(plan: Plan, database: Any) -> tuple[list[str], list[str], list[str]]:
    """Make agents, and what each sender posts to recipients of its own."""
    names = [f"to-{at}" for at in range(RECIPIENTS)]
    senders = [f"sender-{at}" for at in range(plan.senders)]
    tokens = filler.add_agents(database, [*names, *senders])
    sent = [
        (to, tokens[senders[at % len(senders)]])
        for at, to in enumerate(names * (plan.senders // RECIPIENTS + 1))
    ]
    alone, kept = (
        [write_post(to, "", filler.BODY, token, keep) for to, token in sent]
        for keep in (False, True)
    )
    lists = [
        write_json("/api/send", [message_to(to, filler.BODY) for to in names], tokens[sender])
        for sender in senders[:4]
    ]
    return alone, kept, lists


def measure(plan: Plan, table: Table, systems: list[System]) -> None:
    for one in systems:
        send(plan, one, one.alone, 1, fresh=True, seconds=0.3)
    sync = table.find("disk: append 4 KiB and fdatasync", "this machine")
    for number in range(plan.rounds):
        order = systems if number % 2 == 0 else systems[::-1]
        for one in order:
            answer, _ = send(plan, one, one.alone, 1, fresh=True)
            table.add(ALONE, one.name, "ms").samples += answer["waits_ms"]
        for one in order:
            note(table, plan, one, f"{plan.senders} senders", one.kept, plan.senders, 1)
        for one in order:
            if one.lists:
                note(table, plan, one, "4 senders, lists", one.lists, 4, BATCH)
    if sync is not None:
        table.add(ALONE, "one sync", "ms").samples += sync.samples


def note(
    table: Table, plan: Plan, one: System, words: str, requests: list[str], lines: int, each: int
) -> None:
    """Take one turn with many connections at once."""
    answer, used_s = send(plan, one, requests, lines)
    sent = len(answer["waits_ms"]) * each
    what = RATE if each == 1 else BATCHES
    table.add(f"accept: {words}", one.name, "ms").samples += answer["waits_ms"]
    table.add(what, one.name, "sends/s").samples.append(sent / answer["took_s"])
    cost = f"{COST}, {words}"
    table.add(cost, one.name, "s").samples.append(used_s / sent * 10_000)
    busy = 100 * answer["cpu_s"] / answer["took_s"]
    table.add(f"(the client's own processor), {words}", one.name, "% of one").samples.append(busy)


def send(
    plan: Plan, one: System, requests: list[str], connections: int, **how: Any
) -> tuple[dict[str, Any], float]:
    """Have the client send for a turn; gives what it says and the server's processor time."""
    group = one.server.process.pid
    before_s = processor_s(group)
    asked = {"seconds": plan.seconds, **how}
    answer = ask_client(one.server, requests, connections=connections, **asked)
    return answer, processor_s(group) - before_s


def count_syncs(plan: Plan, table: Table, system: System) -> None:
    """Count syncs apart from the timing, since being traced is slow."""
    kinds = [("one sender", 1), (f"{plan.senders} senders at once", plan.senders)]
    for words, connections in kinds:
        what = f"durability: syncs a send, {words}"

        each = max(1, SYNC_SENDS // connections)
        how = {"each": each, "seconds": TRACED_S}
        work = partial(send, plan, system, system.kept, connections, **how)
        found = syncs.count(system.server.process.pid, work)
        if isinstance(found, str):
            table.skip(what, system.name, f"unknown ({found})")
        else:
            table.add(what, system.name, "syncs/send").samples.append(found / (each * connections))
