"""People and agents in a session of a real bus, and what is said there word by word."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import until


@dataclass
class Talk:
    """A session, the tokens of who is in it, and how one writes and reads there."""

    bus: Any
    session: str
    tokens: dict[str, str]

    def say(self, who: str, body: str) -> dict[str, Any]:
        return self.call(who, "POST", "/entries", {"body": body}, 201)

    def begin(self, who: str, **more: Any) -> dict[str, Any]:
        return self.call(who, "POST", "/outputs", more, 201)

    def entries(self, who: str) -> list[dict[str, Any]]:
        return list(self.call(who, "GET", "/entries?limit=200", None, 200)["entries"])

    def call(self, who: str, method: str, path: str, body: Any, wanted: int) -> dict[str, Any]:
        path = f"/api/sessions/{self.session}{path}"
        status, answer = self.bus.call(self.tokens[who], method, path, body)
        assert status == wanted, answer
        return dict(answer)

    def append(self, who: str, stream: str, data: bytes, **headers: str) -> int:
        request = urllib.request.Request(f"{self.bus.url}/streams/{stream}", data, method="POST")
        request.add_header("Authorization", f"Bearer {self.tokens[who]}")
        request.add_header("Content-Type", "text/plain")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def await_output(self, who: str, state: str, within_s: float = 30) -> dict[str, Any]:
        """Wait for an output that has come to a state, and give its entry."""

        def look() -> dict[str, Any] | None:
            found = [one for one in self.entries(who) if one["kind"] == "output"]
            there = [one for one in found if one["data"]["state"] == state]
            return there[0] if there else None

        return until(look, within_s, f"an output that is {state}") or {}


@dataclass
class Reader:
    """Follows a stream to its end on a thread, over whatever breaks meanwhile."""

    talk: Talk
    who: str
    stream: str
    offset: str = "-1"
    data: bytes = b""
    offsets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def await_bytes(self, count: int, within_s: float = 30) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.data) >= count, within_s), self.data

    def join(self, within_s: float = 30) -> bytes:
        self._thread.join(within_s)
        assert not self._thread.is_alive(), self.data
        return self.data

    def _read(self) -> None:
        pause = threading.Event()
        while True:
            path = f"/streams/{self.stream}?offset={self.offset}&live=long-poll"
            request = urllib.request.Request(f"{self.talk.bus.url}{path}")
            request.add_header("Authorization", f"Bearer {self.talk.tokens[self.who]}")
            try:
                with urllib.request.urlopen(request, timeout=40) as answer:
                    data, headers = answer.read(), answer.headers
            except OSError:  # the bus is away: come back where we were
                pause.wait(0.05)
                continue
            with self._changed:
                self.data += data
                self.offset = headers["Stream-Next-Offset"]
                self.offsets.append(self.offset)
                self._changed.notify_all()
            if headers.get("Stream-Closed") == "true":
                return


def make_talk(bus: Any, agents: dict[str, str], *people: str) -> Talk:
    """Have people and agents in one session; the first person makes it."""
    tokens = dict(agents)
    for name in people:
        tokens[name] = bus.add(name, "person")
    body = {"title": "word by word", "participants": [*people[1:], *agents]}
    status, made = bus.call(tokens[people[0]], "POST", "/api/sessions", body)
    assert status == 201, json.dumps(made)
    return Talk(bus, made["session_id"], tokens)
