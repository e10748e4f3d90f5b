"""The cast on a real bus: two compartments, each with agents, a node and a person, and outsiders.

`ann` is whom it is about, with her peers `ben` and `dan` and the workers `wim` and `wes` on node
`here`; `cat`, node `there` and `otto` are in another compartment, `sue` in none.
"""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from itertools import count
from typing import Any

from tests.conftest import Bus

SECRET = "the-household-of-this-test"
NOWHERE = "http://127.0.0.1:9"
"""Where notices may go: nobody listens there."""
HEARTBEAT_S = 0.3
WORK, APART = ["work"], ["apart"]
NUMBERS = count(1)


class OpenBus(Bus):
    """A bus on which no limit is in the way, and whose streams say soon that nothing follows."""

    @property
    def environment(self) -> dict[str, str]:
        limits = {"BUS_RATE_PER_S": "100000", "BUS_RATE_BURST": "100000"}
        off = (
            "HOPS",
            "LAPS",
            "BURST",
            "SELF",
            "MESSAGES",
            "THREAD_WAKES",
            "WAKES",
            "MEMORY_S",
            "ALERTS",
        )
        limits |= {f"BUS_GUARD_{rule}": "0" for rule in off} | {"BUS_GUARD_CHAIN": "40"}
        limits |= {"BUS_NOTICE_HOSTS": NOWHERE}
        limits |= {"BUS_RUN_CONCURRENCY": "100000"}
        limits |= {"BUS_MAX_CHILDREN": "100000", "BUS_MAX_DEPTH": "100000"}
        limits |= {"BUS_DURABLE_EACH": "100000"}
        more = {"BUS_SHARED_SECRET": SECRET, "BUS_HEARTBEAT_S": str(HEARTBEAT_S)}
        return super().environment | limits | more


class World:
    """The bus, its cast, and by which headers each of them shows who they are."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        for node, agents, where in (
            ("here", ("ann", "ben", "dan"), WORK),
            ("there", ("cat",), APART),
        ):
            self.admin("POST", "/api/nodes", {"name": node})
            for agent in agents:
                self.add({"name": agent, "compartments": where, "node": node})
        for worker in ("wim", "wes"):
            self.add({"name": worker, "kind": "worker", "compartments": WORK, "node": "here"})
        self.add({"name": "pia", "kind": "person", "compartments": WORK})
        self.add({"name": "otto", "kind": "person", "compartments": APART})
        self.add({"name": "sue"})
        self.admin("POST", "/api/groups", {"name": "team", "members": ["ann", "ben", "wim"]})
        self.tokens = {
            name: self.token("agent", name) for name in ("ann", "ben", "dan", "wim", "wes", "cat")
        }
        self.tokens |= {name: self.token("person", name) for name in ("pia", "otto")}
        self.tokens |= {name: self.token("node", name) for name in ("here", "there")}
        self.tokens["admin"] = bus.admin
        gone = self.admin("POST", "/api/tokens", {"kind": "agent", "subject": "ann"})
        self.admin("DELETE", f"/api/tokens/{gone['id']}")
        self.revoked = gone["token"]

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call as the administration, which must succeed."""
        status, answer = self.bus.call(self.bus.admin, method, path, body)
        assert status < 300, (path, answer)
        return answer

    def add(self, agent: dict[str, Any]) -> None:
        self.admin("POST", "/api/agents", agent)

    def token(self, kind: str, subject: str) -> str:
        return self.admin("POST", "/api/tokens", {"kind": kind, "subject": subject})["token"]

    def call(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Call as one of the cast."""
        return self.bus.call(self.tokens[who], method, path, body, **headers)

    def send(self, who: str, to: str, body: Any = "hello", **more: Any) -> str:
        if to == "wim":  # a worker is only answered
            asked = self.send("wim", who, "may I ask?")
            thread = self.admin("GET", f"/api/messages/{asked}")["thread"]
            self.admin("POST", f"/api/threads/{thread}/release")  # another row may have it held
            more |= {"in_reply_to": asked}
        status, answer = self.call(who, "POST", "/api/send", {"to": to, "body": body, **more})
        assert status == 202, answer
        return answer["id"]

    def give(self, who: str, to: str, body: Any = "hello", **more: Any) -> dict[str, Any]:
        """Send and have it read; gives the item with its handle."""
        message_id = self.send(who, to, body, **more)
        (item,) = self.call(to, "GET", f"/api/inbox?id={message_id}")[1]["items"]
        return item

    def papers(self, principal: str) -> list[dict[str, str]]:
        """Give the headers of a kind of principal: each way of being it."""
        if principal == "nobody":
            wrong = ("Bearer wb_agent_NOBODY", f"Bearer {self.revoked}", "Basic YW5uOmFubg==")
            household = {"X-Shared-Secret": SECRET, "X-Agent": "ann"}  # she has a token
            no_secret = {"X-Shared-Secret": "wrong", "X-Agent": "sue"}
            return [{}, *({"Authorization": text} for text in wrong), household, no_secret]
        if principal == "secret":
            return [{"X-Shared-Secret": SECRET, "X-Agent": "sue"}]
        return [{"Authorization": f"Bearer {self.tokens[NAMES[principal]]}"}]

    def ask(self, papers: dict[str, str], method: str, path: str, body: Any = None) -> Any:
        """Make a request as its papers are; gives its status, its answer and the raw text."""
        where = self.bus.url.removeprefix("http://")
        with closing(http.client.HTTPConnection(where, timeout=60)) as link:
            text = None if body is None else json.dumps(body)
            link.request(method, path, text, {"Content-Type": "application/json", **papers})
            answer = link.getresponse()
            if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
                return answer.status, {}, replayed(answer)
            said = answer.read().decode()
            is_json = answer.headers["Content-Type"].endswith(("/json", "+json"))
            return answer.status, json.loads(said) if is_json and said else {}, said

    def dispatch(self, who: str, worker: str = "wes") -> str:
        """Dispatch a run; gives its id."""
        order = {"worker": worker, "task": "look", "label": self.fresh("run"), "size": "S"}
        status, answer = self.call(who, "POST", "/api/runs", order | {"cleanup": "keep"})
        assert status == 202, answer
        return answer["run_id"]

    def fresh(self, kind: str) -> str:
        """Give a name that nobody has."""
        return f"{kind}-{next(NUMBERS)}"


NAMES = {
    "agent": "ann",
    "worker": "wim",
    "peer": "ben",
    "stranger": "cat",
    "node": "here",
    "other": "there",
    "person": "pia",
    "outsider": "otto",
    "admin": "admin",
}


def replayed(answer: http.client.HTTPResponse) -> str:
    """Read a stream until it says that nothing follows: its second comment."""
    lines: list[str] = []
    while lines.count(":\n") < 2 and (line := answer.readline()):
        lines.append(line.decode())
    return "".join(lines)
