"""The board as a test uses it: verbs by name, and how each refusal is called in a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bus.board import queries, service
from bus.board.model import Change, Draft, Which
from bus.errors import BusError


@dataclass
class Board:
    house: Any

    def write(self, verb: Any) -> Any:
        return self.house.store.write(verb)

    def add(self, who: str = "ann", title: str = "paint the shed", **draft: Any) -> str:
        me = self.house.principal(who)
        return self.write(lambda tx: service.add(tx, me, Draft(title, **draft), None))["id"]

    def act(
        self,
        who: Any,
        task_id: str,
        status: str | None,
        note: str = "",
        seen: str = "",
        **fields: Any,
    ) -> Any:
        me = self.house.principal(who) if isinstance(who, str) else who
        change = Change(status, note, fields, seen)
        return self.write(lambda tx: service.act(tx, me, task_id, change))

    def result(self, who: Any, task_id: str, status: str, note: str = "why") -> str:
        """Move and give what came of it: `ok`, `already`, or the code of the refusal."""
        try:
            return "already" if self.act(who, task_id, status, note)["already"] else "ok"
        except BusError as error:
            return error.code

    def note(self, who: str, task_id: str, text: str, message_id: str | None = None) -> Any:
        me = self.house.principal(who)
        return self.write(lambda tx: service.add_note(tx, me, task_id, text, message_id))

    def show(self, who: str, task_id: str) -> dict[str, Any]:
        me, store = self.house.principal(who), self.house.store
        with store.read() as conn:
            return service.show_task(conn, me, task_id, self.house.clock.now_ms(), store.config)

    def list(self, who: str, **which: Any) -> dict[str, Any]:
        me, store = self.house.principal(who), self.house.store
        with store.read() as conn:
            now_ms = self.house.clock.now_ms()
            return service.list_tasks(conn, me, Which(**which), now_ms, store.config)

    def cards(self, who: str, **which: Any) -> list[dict[str, Any]]:
        me, store = self.house.principal(who), self.house.store
        with store.read() as conn:
            now_ms = self.house.clock.now_ms()
            return service.list_cards(conn, me, Which(**which), now_ms, store.config)["tasks"]

    def ids(self, who: str, **which: Any) -> list[str]:
        return [task["id"] for task in self.list(who, **which)["tasks"]]

    def row(self, task_id: str) -> dict[str, Any]:
        with self.house.store.read() as conn:
            row = queries.find(conn, task_id)
        assert row is not None
        return row._asdict()

    def mail_of(self, name: str) -> list[str]:
        """Give what the bus has told somebody of the board."""
        items = self.house.read(name, limit=100)
        bodies = [item.body for item in items if item.row.type == "BOARD"]
        for item in items:
            self.house.ack(name, item.handle)
        return bodies

    def facts(self) -> list[dict[str, Any]]:
        return [told.data for told in self.house.log("task")]

    def bring_to(self, status: str, **draft: Any) -> str:
        """Make a task of ann's that is there: handed in by her, approved by lea, blocked by ben."""
        task_id = self.add(**draft)
        steps = {
            "backlog": [],
            "in_progress": [("ann", "in_progress")],
            "review": [("ann", "in_progress"), ("ann", "review")],
            "done": [("ann", "in_progress"), ("ann", "review"), ("lea", "done")],
            "blocked": [("ann", "in_progress"), ("ben", "blocked")],
        }
        for who, to in steps[status]:
            assert self.result(who, task_id, to) == "ok"
        return task_id
