"""How long it takes from before a send until the node's watcher is handed the wake, at 50 a second.

The reader is the watcher's own stream, in a process of its own. A node is woken once for all the
mail of an agent, so each message here is for another agent.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import filler
from asking import Program, address_of, ask_client, post, write_post
from rig import POLLING, running, running_polling_bus, stopped_buses

if TYPE_CHECKING:
    from measure import Table
    from rig import Plan

RATE = 50
WHAT = f"send -> watcher, {RATE} a second"
NODE = "arriving"


def run(plan: Plan, table: Table) -> None:
    each = round(RATE * plan.seconds * 2)
    names = [f"woken-{at}" for at in range(each * plan.rounds)]
    with ExitStack() as held:
        servers: dict[str, tuple[Any, str, str]] = {}
        for name, bus in stopped_buses(plan, "arrive").items():
            node = filler.add_node(bus.database, NODE)
            filler.add_agents(bus.database, names, NODE)
            sender = filler.add_agents(bus.database, ["waker"])["waker"]
            held.enter_context(running(bus))
            servers[name] = (bus, node, sender)
        polling = held.enter_context(running_polling_bus(plan.folder / "arrive-theirs"))
        # Its stream's head comes with its first message.
        post(address_of(polling.url), write_post("nobody", "waker", "Hello."))
        servers[POLLING] = (polling, "", "")
        readers = {
            name: held.enter_context(
                Program(
                    "arrival.py",
                    {"url": server.url, "token": node, "agents": names},
                )
            )
            for name, (server, node, _) in servers.items()
        }
        assert all(reader.hear() for reader in readers.values())
        begun: dict[str, list[int]] = {name: [] for name in servers}
        for number in range(plan.rounds):
            mine = names[number * each : (number + 1) * each]
            for name, (server, _, sender) in list(servers.items())[:: -1 if number % 2 else 1]:
                requests = [write_post(to, "waker", filler.BODY, sender, keep=True) for to in mine]
                begun[name] += ask_client(server, requests, rate=RATE, each=each)["begun"]
        for name, reader in readers.items():
            stamps = reader.hear()
            waits_ms = [(stamps[to] - at) / 1e6 for to, at in zip(names, begun[name], strict=True)]
            table.add(WHAT, name, "ms").samples += waits_ms
