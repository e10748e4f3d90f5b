"""Steering on a real database, each of its verbs in one word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bus.runs import service as runs
from bus.runs.model import Batch, Order, Outcome
from bus.steering import rules, service
from bus.steering.model import EXPIRE, USUAL_S, Asked

ORDER = {"worker": "wim", "task": "scrape", "label": "scrape", "limit_s": 300, "cleanup": "keep"}


def asked_of(title: str = "May I sail?", **more: Any) -> Any:
    fields = {"title": title, "body": "", "options": (), "expires_in": USUAL_S}
    return rules.read_ask(fields | {"on_expiry": EXPIRE, "run_id": None, "who": ()} | more)


def steer_of(what: str, body: str = "", **more: Any) -> Any:
    fields = {"what": what, "body": body, "to": (), "run_id": None, "entry": None}
    return rules.read_steer(fields | more)


@dataclass
class Steering:
    talk: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.talk, name)

    def ask(self, asker: str, session_id: str, key: Any = None, **more: Any) -> dict[str, Any]:
        me, asked = self.house.principal(asker), asked_of(**more)
        return self.write(lambda tx: service.ask(tx, me, session_id, asked, key))

    def ask_person(self, who: str, name: str, **more: Any) -> dict[str, Any]:
        me, asked = self.house.principal(who), asked_of(**more)
        return self.write(lambda tx: service.ask_person(tx, me, name, asked, None))

    def answer(self, who: str, approval_id: str, word: str, note: str = "") -> dict[str, Any]:
        me = self.house.principal(who)
        return self.write(lambda tx: service.answer(tx, me, approval_id, word, note))

    def withdraw(self, who: str, approval_id: str, reason: str = "") -> dict[str, Any]:
        me = self.house.principal(who)
        return self.write(lambda tx: service.withdraw(tx, me, approval_id, reason))

    def approval(self, who: str, approval_id: str) -> dict[str, Any]:
        with self.house.store.read() as conn:
            return service.show(conn, self.house.principal(who), approval_id)

    def listed_approvals(self, who: str, **asked: Any) -> list[str]:
        with self.house.store.read() as conn:
            me = self.house.principal(who)
            shown = service.list_approvals(conn, me, Asked(**asked))
        return [one["approval_id"] for one in shown["approvals"]]

    def steer(self, who: str, session_id: str, what: str, body: str = "", **how: Any) -> Any:
        me, said = self.house.principal(who), steer_of(what, body, **how)
        return self.write(lambda tx: service.steer(tx, me, session_id, said, None))

    def dispatch(self, parent: str, session_id: str | None, **order: Any) -> str:
        me = self.house.principal(parent)
        batch = Batch((Order(**ORDER | order, session_id=session_id),))
        return str(self.write(lambda tx: runs.dispatch(tx, me, batch))["run_id"])

    def claim(self, run_id: str, worker: str = "wim") -> dict[str, Any]:
        me = self.house.principal(worker)
        return self.write(lambda tx: runs.claim(tx, me, run_id, "i1", ""))

    def end_run(self, run_id: str, output: str, worker: str = "wim") -> None:
        me, said = self.house.principal(worker), Outcome("completed", output=output)
        self.write(lambda tx: runs.end(tx, me, run_id, 1, said))

    def run_state(self, run_id: str) -> str:
        with self.house.store.read() as conn:
            return str(runs.find(conn, run_id).state)

    def entry(self, who: str, session_id: str, entry_id: str) -> dict[str, Any]:
        found = self.entries(who, session_id, limit=200)
        return next(one for one in found if one["entry_id"] == entry_id)
