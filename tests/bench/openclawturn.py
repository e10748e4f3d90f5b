"""How long it takes from before a send until OpenClaw asks its model, for each way to wake it.

One real OpenClaw of the lab with an agent for each way, and one that is called without any bus;
its scripted model notes when it is asked, by the same monotonic clock. The model reads and acks
the inbox as its wake text tells it to. The polling bus wakes as the article does, by OpenClaw's
command: the one that this release has.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asking import address_of, post, write_post
from conftest import WATCHER
from measure import OURS
from realopenclaw import OpenClaw, await_that, find_port
from rig import POLLING, add_agent, running_bus, running_polling_bus

from watcher.gatewaylink import GatewayLink
from watcher.settings import OpenClawSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Bus
    from measure import Table
    from rig import Plan, PollingBus

WHAT = "send -> OpenClaw asks its model"
OF_WHICH = "(of which: until woken on the ladder)"
METHODS = {"alpha": "gateway", "beta": "hook", "gamma": "command", "delta": "program"}
POLLED, BARE = "epsilon", "zeta"
CALL = "a bare gateway call"
THEIRS = f"{POLLING}, command"
LAST_STEP = {"delta": 0, POLLED: 0, BARE: 0}
"""Of a turn whose model reads no inbox; that of the others is its third request."""
PROGRAM = ["openclaw", "agent", "--agent", "delta", "--message", "{text}"]
EVENT = ["openclaw", "system", "event", "--text", "You have mail.", "--mode", "now"]
WITHIN_S = 90
BUDGET_S = 240
# A wake by command reaches the model as a quoted system event: the command stands amid a line.
READ = {"exec_match": r"(curl [^\n\\]*/api/inbox)\b", "in": "user", "text": "No command."}
ACK = {"exec_match": r"(?m)^ack only: (curl [^\n]*)$", "in": "tool", "text": "Nothing to ack."}
BEHAVIOUR = {
    "rules": [
        {"model": "delta", "steps": [{"text": "Counted."}]},
        {"match": "on wakebus", "steps": [READ, ACK, {"text": "Inbox done."}]},
    ],
    "default": {"steps": [{"text": "Nothing to do."}]},
}


@dataclass
class Way:
    """One way from a sender to an agent; `settle` ends a round and gives the ms until woken."""

    system: str
    agent: str
    send: Callable[[], None]
    settle: Callable[[], float | None]


def run(plan: Plan, table: Table) -> None:
    if not os.environ.get("WAKEBUS_LAB"):
        skip(table, "no lab")
    elif not plan.openclaw_rounds:
        skip(table, "quick")
    else:
        start(plan, table)


def skip(table: Table, why: str) -> None:
    for system in [*map(name, METHODS.values()), CALL, THEIRS]:
        table.skip(WHAT, system, why)


def name(method: str) -> str:
    return f"{OURS}, {method}"


def start(plan: Plan, table: Table) -> None:
    instance = OpenClaw("bench", find_port(), (*METHODS, BARE, POLLED))
    ours, theirs = plan.folder / "turn-ours", plan.folder / "turn-theirs"
    try:
        instance.fresh()
        instance.set_behaviour(BEHAVIOUR)
        with running_bus(ours) as bus, running_polling_bus(theirs) as polling:
            link = GatewayLink(OpenClawSettings(config=instance.config), lambda *_: None)
            ways = make_our_ways(bus, instance)
            ways += [make_bare_way(link), make_their_way(polling, instance)]
            with closing(link):
                measure(plan, table, instance, ways)
    finally:
        instance.down()


def measure(plan: Plan, table: Table, instance: OpenClaw, ways: list[Way]) -> None:
    """Take the ways in another order each round; the first round warms up and is not kept."""
    rows = [table.add(WHAT, way.system, "ms") for way in ways]
    woken = [table.add(OF_WHICH, way.system, "ms") for way in ways[: len(METHODS)]]
    chance = random.Random(plan.seed)
    until_s = time.monotonic() + BUDGET_S
    for number in range(-1, plan.openclaw_rounds):
        if time.monotonic() > until_s and number > 0:
            break
        for at in chance.sample(range(len(ways)), len(ways)):
            time.sleep(chance.random())
            asked_ms, woken_ms = time_turn(instance, ways[at])
            if number >= 0:
                rows[at].samples.append(asked_ms)
                if woken_ms is not None:
                    woken[at].samples.append(woken_ms)


def time_turn(instance: OpenClaw, way: Way) -> tuple[float, float | None]:
    """Send, and give the ms until the agent's model was asked for the first time."""
    since = instance.model_seq()

    def find(last_step: int) -> list[dict[str, Any]]:
        mine = [one for one in instance.model_log(since) if one["model"] == f"{way.agent}-model"]
        return mine if any(one["step"] == last_step for one in mine) else []

    begun_ns = time.monotonic_ns()
    way.send()
    never = f"{way.system}: the model was never asked"
    asked = await_that(lambda: find(0), never, WITHIN_S)
    woken_ms = way.settle()
    # So that no turn still runs while the next is measured.
    await_that(lambda: find(LAST_STEP.get(way.agent, 2)), never, WITHIN_S)
    return (asked[0]["m_ns"] - begun_ns) / 1e6, woken_ms


def make_our_ways(bus: Bus, instance: OpenClaw) -> list[Way]:
    """Make OpenClaw's home a node whose agents are each woken by another method."""
    environment, token = instance.environment(), add_agent(bus, "sender")
    directory = Path(instance.home) / ".wakebus"
    bus.enrol("node", directory, list(METHODS), environment)
    for agent, method in METHODS.items():
        words = [f"method={method}"]
        words += [f"argv={json.dumps(PROGRAM)}"] if method == "program" else []
        setting = [WATCHER, "set", agent, "--dir", str(directory), *words]
        subprocess.run(setting, env=environment, check=True)
    bus.watch(directory, environment)
    return [make_our_way(bus, token, agent) for agent in METHODS]


def make_our_way(bus: Bus, token: str, agent: str) -> Way:
    def send() -> None:
        post(address_of(bus.url), write_post(agent, "sender", "Count the stars.", token))

    def settle() -> float:
        path = f"/api/messages?with={agent}&limit=1"
        _, history = bus.call(token, "GET", path)
        message = history["messages"][0]["id"]
        return time_woken(bus.follow_until(token, message, "acked", WITHIN_S)["ladder"])

    return Way(name(METHODS[agent]), agent, send, settle)


def time_woken(ladder: list[dict[str, Any]]) -> float:
    """Give the ms from accepted to woken, by the bus's clock."""
    at = {rung["state"]: datetime.fromisoformat(rung["at"]) for rung in ladder}
    return (at["woken"] - at["accepted"]).total_seconds() * 1000


def make_bare_way(link: GatewayLink) -> Way:
    """Call the gateway as the watcher does, over a connection that stands."""

    def send() -> None:
        key = f"bench-{time.monotonic_ns()}"
        params = {"message": "Count the stars.", "agentId": BARE, "idempotencyKey": key}
        where = {"sessionKey": f"agent:{BARE}:main", "deliver": False}
        link.call("agent", {**params, **where}, timeout_s=WITHIN_S)

    link.connect()
    return Way(CALL, BARE, send, lambda: None)


def make_their_way(polling: PollingBus, instance: OpenClaw) -> Way:
    command = [*EVENT, "--session-key", f"agent:{POLLED}:main"]
    watcher = polling.watch(POLLED, command, instance.environment())

    def send() -> None:
        request = write_post(POLLED, "sender", "Count the stars.")
        post(address_of(polling.url), request)

    def settle() -> None:
        assert watcher.stdout is not None
        while (line := watcher.stdout.readline()) != "ended 0\n":
            assert line, "the polling bus's watcher has ended"
            assert not line.startswith("ended"), line

    return Way(THEIRS, POLLED, send, settle)
