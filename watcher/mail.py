"""An agent's inbox as the watcher uses it on the agent's behalf, with the agent's own token.

It waits out a bus that is away, because what a program did must be told. It must not know
programs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from watcher import log, plainjson
from watcher.bus import BusError
from watcher.persist import persist

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from watcher.bus import Bus
    from watcher.clock import Clock

GONE = frozenset({"fenced", "ended", "unknown_handle"})  # somebody else decided; nothing is owed
_HANDLE = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)  # it becomes a part of a path


@dataclass(frozen=True)
class Item:
    """One leased message; `text` is the fenced rendering that a model may read."""

    handle: str
    message_id: str
    sender: str
    thread: str
    tries: int
    """How often it was tried with this time; what was given back undone counts not."""
    reply_expected: bool
    text: str
    session: str = ""
    """The session that it was said in, where it was said in one that the agent is still in."""

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Item:
        """Read an item of an inbox."""
        return cls(
            handle=_read_handle(raw["handle"]),
            message_id=str(raw["id"]),
            sender=str(raw["from"]),
            thread=str(raw.get("thread") or ""),
            tries=_count_tries(raw),
            reply_expected=raw.get("reply_expected") is True,
            text=str(raw["text"]),
            session=_read_session(raw.get("session")),
        )


def _read_handle(value: Any) -> str:
    if not isinstance(value, str) or not _HANDLE.fullmatch(value):
        raise ValueError("a message's handle is none")
    return value


def _read_session(value: Any) -> str:
    is_in_it = isinstance(value, dict) and value.get("title") is not None
    return str(value.get("id") or "") if is_in_it else ""


def _count_tries(raw: dict[str, Any]) -> int:
    if "failed_attempts" in raw:
        return plainjson.whole(raw["failed_attempts"]) + 1
    return plainjson.whole(raw.get("attempt")) or 1  # an older bus


class Mail:
    """The inbox of one agent during one turn."""

    def __init__(
        self, bus: Bus, clock: Clock, stop: threading.Event, *, is_shown: bool = False
    ) -> None:
        """Take `is_shown`: what answers a message of a session is shown there as it is said."""
        self._query = {"limit": "1", "text": "1", **({"shown": "1"} if is_shown else {})}
        self._bus = bus
        self._clock = clock
        self._stop = stop
        self._seen: set[str] = set()

    def read_next(self) -> Item | None:
        """Lease the next message, or find none.

        Raises:
            BusError: refused, stopped, or the message before could not be settled.
        """
        answer = self._persist(lambda: self._bus.get("/api/inbox", self._query))
        try:
            items = [Item.parse(raw) for raw in answer["items"]]
        except (KeyError, TypeError, ValueError) as error:
            raise BusError(502, "not_the_bus", f"an inbox that cannot be read: {error}") from error
        if not items:
            return None
        if items[0].handle in self._seen:  # else the same program would run on it for ever
            raise BusError(409, "unsettled", f"{items[0].handle} came again after it was settled")
        self._seen.add(items[0].handle)
        return items[0]

    def settle(self, item: Item, reply: str) -> str:
        """Say that it is done, with a reply where one is expected and there is something to say.

        Gives why it was given up instead; "" where it was not.
        """
        if item.reply_expected and reply.strip():
            return self._reply(item, reply)
        self.ack(item)
        return ""

    def ack(self, item: Item) -> None:
        """Say that it is done."""
        self._try("ack", item, lambda: self._bus.post("/api/ack", {"handles": [item.handle]}))

    def _reply(self, item: Item, reply: str) -> str:
        path = f"/api/messages/{item.handle}/reply"
        query = {"ack": "1", "unless_replied": "1"}
        code = self._try("reply", item, lambda: self._bus.post_text(path, reply, query))
        if code == "no_reply_address":
            return self.settle(item, "")
        why = f"the bus refused the program's reply ({code})" if code else ""
        if why:
            self.release(item, "fatal", why)
        return why

    def release(self, item: Item, mode: Literal["silent", "fail", "fatal"], reason: str) -> None:
        """Give it back: undone, counted as failed, or dead; the bus tells the sender."""
        body = {"handles": [item.handle], "mode": mode, "reason": reason}
        self._try("release", item, lambda: self._bus.post("/api/release", body))

    def _try(self, verb: str, item: Item, call: Callable[[], dict[str, Any]]) -> str:
        """Make a call that settles a message; give the code of a refusal that leaves it open."""
        try:
            self._persist(call)
        except BusError as error:
            log.warn(f"{verb}_refused", handle=item.handle, code=error.code, reason=error.detail)
            return "" if error.code in GONE or error.is_passing else error.code
        return ""

    def _persist(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return persist(call, self._clock, self._stop)
