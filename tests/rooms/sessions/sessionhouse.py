"""Sessions on a real database, each of their verbs in one word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bus.directory import service as directory
from bus.errors import BusError
from bus.mail import service as mail
from bus.mail.model import Draft
from bus.sessions import service
from bus.sessions.model import MESSAGE, Page, Word
from tests import engine

PEOPLE = ("pia", "paul")
AGENTS = ("ann", "ben")


@dataclass
class Sessions:
    house: Any

    def fill(self) -> None:
        """Add two people, two agents and a worker that see each other, and one of each apart."""
        for name in PEOPLE:
            self.add(name, kind="person")
        for name in AGENTS:
            self.add(name)
        self.add("wim", kind="worker")
        self.add("cat", compartments=["apart"])
        self.add("cora", kind="person", compartments=["apart"])

    def add(self, name: str, **fields: Any) -> None:
        self.write(lambda tx: directory.add(tx, {"name": name, **fields}))

    def write(self, do: Any) -> Any:
        return self.house.store.write(do)

    def create(self, who: str, *others: Any, title: str = "paint the boat") -> str:
        invited = [
            service.Invited(one) if isinstance(one, str) else service.Invited(*one)
            for one in others
        ]
        me = self.house.principal(who)
        answer = self.write(lambda tx: service.create(tx, me, title, invited, None))
        return str(answer["session_id"])

    def say(self, who: str, session_id: str, body: str, *to: str, **more: Any) -> dict[str, Any]:
        me, key, ack = self.house.principal(who), more.pop("key", None), more.pop("ack", None)
        word = Word(MESSAGE, body, to=to, trust=me.trust, **more)
        return self.write(lambda tx: service.say(tx, me, session_id, word, key, ack))

    def entries(self, who: str, session_id: str, **page: int) -> list[dict[str, Any]]:
        with self.house.store.read() as conn:
            shown = service.show_page(conn, self.house.principal(who), session_id, Page(**page))
        return shown["entries"]

    def bodies(self, who: str, session_id: str, **page: int) -> list[str]:
        return [entry["body"] for entry in self.entries(who, session_id, **{"limit": 200} | page)]

    def show(self, who: str, session_id: str) -> dict[str, Any]:
        with self.house.store.read() as conn:
            return service.show(conn, self.house.principal(who), session_id)

    def names(self, who: str, session_id: str) -> list[str]:
        return [one["name"] for one in self.show(who, session_id)["participants"]]

    def listed(self, who: str, **asked: Any) -> list[dict[str, Any]]:
        given = {"state": None, "after": None, "limit": 50} | asked
        with self.house.store.read() as conn:
            return service.list_mine(conn, self.house.principal(who), **given)["sessions"]

    def cursor(self, who: str, session_id: str, place: int) -> dict[str, Any]:
        me = self.house.principal(who)
        return self.write(lambda tx: service.move_cursor(tx, me, session_id, place))

    def unread(self, who: str, session_id: str) -> int:
        return int(self.show(who, session_id)["unread"])

    def invite(self, who: str, session_id: str, *others: str) -> dict[str, Any]:
        invited = [service.Invited(one) for one in others]
        me = self.house.principal(who)
        return self.write(lambda tx: service.invite(tx, me, session_id, invited))

    def leave(self, who: str, session_id: str, name: str = "me") -> dict[str, Any]:
        me = self.house.principal(who)
        return self.write(lambda tx: service.leave(tx, me, session_id, name))

    def set_wake(self, who: str, session_id: str, name: str, wake: str) -> dict[str, Any]:
        me = self.house.principal(who)
        return self.write(lambda tx: service.set_wake(tx, me, session_id, name, wake))

    def change(self, who: str, session_id: str, **fields: str | None) -> dict[str, Any]:
        given = {"title": None, "state": None} | fields
        me = self.house.principal(who)
        return self.write(lambda tx: service.change(tx, me, session_id, **given))

    def reply(self, who: str, item: Any, body: str, **how: bool) -> dict[str, Any]:
        me, given = self.house.principal(who), {"acks": True, "unless_replied": False} | how
        draft = Draft(to=(), body=body, type="REPLY")
        return self.write(lambda tx: mail.reply(tx, me, item.handle, draft, **given))

    def mail_of(self, name: str) -> list[str]:
        """Read what an agent's inbox has, and ack it."""
        bodies = []
        for item in self.house.read(name, limit=100):
            bodies.append(item.body)
            self.house.ack(name, item.handle)
        return bodies

    def put_in(self, name: str, *compartments: str) -> None:
        """Change the compartments of somebody as the administration does."""
        fields = {"compartments": list(compartments)}
        self.write(lambda tx: directory.change(tx, name, fields))

    def rename(self, name: str, new: str) -> None:
        self.write(lambda tx: directory.change(tx, name, {"name": new}))

    def remove(self, name: str) -> None:
        self.write(lambda tx: directory.remove(tx, name))

    def code_of(self, do: Any) -> str:
        try:
            do()
        except BusError as error:
            return error.code
        return "ok"

    def facts(self, kind: str, name: str) -> list[dict[str, Any]]:
        """Read what one participant's stream was told."""
        return [row.data for row in self.house.log(kind) if row.data["to_agent"] == name]

    def count_word(self, word: str) -> int:
        """Count the entries in whose index a word is."""
        is_found = f"words @@ '{word}'" if engine.IS_POSTGRESQL else f"entries_fts MATCH '{word}'"
        return self.count(f"SELECT count(*) FROM entries_fts WHERE {is_found}")

    def count(self, query: str) -> int:
        with self.house.store.read() as conn:
            return int(conn.exec_driver_sql(query).scalar() or 0)


def places(entries: list[dict[str, Any]]) -> list[int]:
    return [entry["place"] for entry in entries]


def session_of(text: str) -> str:
    found = re.search(r"s_[0-9A-Z]{26}", text)
    assert found, text
    return found[0]
