"""How fast a reader gets what it missed: by its stream, by its inbox; and who is there.

The messages are written into the database beforehand. The article's stream gives all it has to
each new listener, so there the catching up is its start.
"""

from __future__ import annotations

import http.client
import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import filler
from asking import Holder, address_of, write_get
from processes import processor_s
from rig import POLLING, running, running_polling_bus, stopped_buses

if TYPE_CHECKING:
    from measure import Table
    from rig import Plan

PAGE = 100
AGENTS = 200


def run(plan: Plan, table: Table) -> None:
    with ExitStack() as held:
        servers: dict[str, tuple[Any, str, str]] = {}
        for name, bus in stopped_buses(plan, "catchup").items():
            names = ["misser", "feeder", *(f"other-{at}" for at in range(AGENTS))]
            token = filler.add_agents(bus.database, names)["misser"]
            filler.add_missed(bus.database, "feeder", "misser", plan.missed)
            held.enter_context(running(bus))
            servers[name] = (bus, token, "?last_event_id=earliest")
        polling = held.enter_context(running_polling_bus(plan.folder / "catchup-theirs"))
        line = json.dumps({"to_agent": "misser", "from_agent": "feeder", "body": filler.BODY})
        (polling.folder / "inbox").write_text(f"{line}\n" * plan.missed)
        servers[POLLING] = (polling, "", "")
        for server, token, _ in servers.values():
            with Holder(server, [write_get("/api/stream", token)]):
                pass  # what the first reader brings in is not the reading's
        for number in range(plan.rounds):
            for name, (server, token, query) in list(servers.items())[:: -1 if number % 2 else 1]:
                replay(plan, table, name, server, write_get(f"/api/stream{query}", token))
        for name, (server, token, _) in servers.items():
            if name != POLLING:
                read_inbox(plan, table, name, server, token)
                list_agents(plan, table, name, server, token)


def replay(plan: Plan, table: Table, name: str, server: Any, request: str) -> None:
    """Open a stream far back, and read until nothing is missing."""
    before_s = processor_s(server.process.pid)
    word = '"from_agent"' if name == POLLING else "event: message\n"
    with Holder(server, [request], word) as holder:
        last_ns = holder.await_words(plan.missed)["last_ns"]
    what = f"catching up {plan.missed} missed messages, stream"
    took_s = (last_ns - holder.opened["begun_ns"]) / 1e9
    table.add(what, name, "messages/s").samples.append(plan.missed / took_s)
    used_s = processor_s(server.process.pid) - before_s
    table.add(f"{what}: processor", name, "s").samples.append(used_s)


def read_inbox(plan: Plan, table: Table, name: str, server: Any, token: str) -> None:
    """Lease and ack pages of the inbox."""
    connection = http.client.HTTPConnection(*address_of(server.url))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    pages = max(1, min(plan.missed // PAGE, 4 * plan.rounds))
    what = {
        words: table.add(f"inbox of {plan.missed}: {words} {PAGE} items", name, "ms")
        for words in ("read", "ack")
    }
    for _ in range(pages):
        begun_s = time.perf_counter()
        path = f"/api/inbox?limit={PAGE}&max_bytes=4000000"
        page = ask(connection, "GET", path, None, headers)
        read_s = time.perf_counter()
        handles = {"handles": [item["handle"] for item in page["items"]]}
        assert len(handles["handles"]) == PAGE, page
        ask(connection, "POST", "/api/ack", json.dumps(handles), headers)
        what["read"].samples.append((read_s - begun_s) * 1000)
        what["ack"].samples.append((time.perf_counter() - read_s) * 1000)
    connection.close()


def list_agents(plan: Plan, table: Table, name: str, server: Any, token: str) -> None:
    connection = http.client.HTTPConnection(*address_of(server.url))
    row = table.add(f"GET /api/agents, {AGENTS} and more", name, "ms")
    for _ in range(2 * plan.rounds):
        begun_s = time.perf_counter()
        headers = {"Authorization": f"Bearer {token}"}
        agents = ask(connection, "GET", "/api/agents", None, headers)["agents"]
        row.samples.append((time.perf_counter() - begun_s) * 1000)
        assert len(agents) >= AGENTS
    connection.close()


def ask(connection: Any, verb: str, path: str, data: str | None, headers: dict[str, str]) -> Any:
    connection.request(verb, path, data, headers)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200, text
    return json.loads(text)
