"""What the board costs, small and full: adding a task, claiming it, a page of the list, one task.

Each is asked on a kept connection by one client, in turns; a send beside them says what the same
way to the disk and back costs. Two buses of the same kind: one with 100 tasks, one with many.
"""

from __future__ import annotations

import http.client
import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import filler
from asking import address_of
from measure import OURS
from rig import make_bus, running

if TYPE_CHECKING:
    from measure import Table
    from rig import Plan

FEW = 100
FULL = f"{OURS}, a full board"
PAGE = 50
EACH = 20
"""Requests of each kind in one turn."""
ADD, CLAIM, SEND = (
    "POST /api/tasks",
    "PATCH /api/tasks: a claim",
    "POST /api/send, beside the board",
)
LIST, MINE, ONE = (
    f"GET /api/tasks: {PAGE} of all",
    f"GET /api/tasks: {PAGE} of a holder",
    "GET /api/tasks: one task",
)


class Caller:
    """One client of one bus, which times what it asks."""

    def __init__(self, table: Table, name: str, bus: Any, token: str) -> None:
        self.table, self.name = table, name
        self.connection = http.client.HTTPConnection(*address_of(bus.url))
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, what: str, verb: str, path: str, body: Any = None) -> Any:
        return json.loads(self.ask_text(what, verb, [path], body))

    def ask_text(self, what: str, verb: str, paths: list[str], body: Any = None) -> bytes:
        """Ask for one thing, or for several that belong together; gives the last answer."""
        data = None if body is None else json.dumps(body)
        begun_s = time.perf_counter()
        for path in paths:
            self.connection.request(verb, path, data, self.headers)
            answer = self.connection.getresponse()
            text = answer.read()
            assert answer.status < 300, text
        if what:
            took_ms = (time.perf_counter() - begun_s) * 1000
            self.table.add(what, self.name, "ms").samples.append(took_ms)
        return text

    def turn(self, *, is_kept: bool) -> None:
        """Ask each thing once; the first turns are not kept."""
        words = {what: what if is_kept else "" for what in (ADD, CLAIM, SEND, LIST, MINE, ONE)}
        task = self.ask(words[ADD], "POST", "/api/tasks", {"title": "paint the shed"})
        path = f"/api/tasks/{task['id']}"
        self.ask(words[CLAIM], "PATCH", path, {"status": "in_progress"})
        self.ask(words[SEND], "POST", "/api/send", {"to": "reader", "body": filler.BODY})
        every = f"/api/tasks?status=all&limit={PAGE}"
        assert len(self.ask(words[LIST], "GET", every)["tasks"]) == PAGE
        mine = self.ask(words[MINE], "GET", f"{every}&holder=holder")["tasks"]
        assert len(mine) == PAGE
        self.ask(words[ONE], "GET", f"/api/tasks/{mine[-1]['id']}")


def run(plan: Plan, table: Table) -> None:
    with ExitStack() as held:
        callers = []
        for name, count in ((OURS, FEW), (FULL, plan.tasks)):
            bus = make_bus(plan.folder / f"board-{count}")
            tokens = filler.add_agents(bus.database, ["asker", "holder", "reader"])
            filler.add_tasks(bus.database, "asker", "holder", count)
            held.enter_context(running(bus))
            callers.append(Caller(table, name, bus, tokens["asker"]))
            held.callback(callers[-1].connection.close)
        for one in callers:
            for _ in range(3):
                one.turn(is_kept=False)
        for number in range(plan.rounds * EACH):
            for one in callers[:: -1 if number % 2 else 1]:
                one.turn(is_kept=True)
