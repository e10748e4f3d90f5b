"""A wake on the wire: what the bus asks of this node, and what this node reports about it.

It knows the routes of wakes and nothing of how a turn is started.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watcher import log, plainjson
from watcher.bus import BusError
from watcher.methods.base import Wake
from watcher.persist import persist
from watcher.settings import is_name

if TYPE_CHECKING:
    import threading

    from watcher.bus import Bus
    from watcher.clock import Clock
    from watcher.methods.base import Outcome

ALIVE_EVERY_S = 20.0  # the bus wants to hear it at least every 30 s
QUICK_TIMEOUT_S = 5.0  # for what is said while a turn runs: its supervision must not wait long
MAX_REASON_CHARS = 1_000
BLIND_AND_ASKED = "requested"
LONGEST_TURN_ID = 200
_WAKE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)  # it becomes a part of paths and keys


@dataclass(frozen=True)
class Ask:
    """A wake as it stands in a frame or a list: which, for whom, how far."""

    wake_id: str
    generation: int
    agent: str
    state: str
    turn_id: str | None

    @classmethod
    def parse(cls, raw: Any) -> Ask:
        """Read a wake object.

        Raises:
            ValueError: it is none.
        """
        try:
            return cls(
                wake_id=_read_id(raw["wake_id"]),
                generation=plainjson.whole(raw.get("generation")),
                agent=_read_name(raw["to_agent"]),
                state=str(raw.get("state") or ""),
                turn_id=_read_turn(raw.get("turn_id")),
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a wake: {type(error).__name__}") from error

    @property
    def is_settled_here(self) -> bool:
        """Say whether a blind method asked for this turn already: asking again would double it."""
        return self.state == BLIND_AND_ASKED


def _read_id(value: Any) -> str:
    if not isinstance(value, str) or not _WAKE_ID.fullmatch(value):
        raise ValueError("not a wake: its id is none")
    return value


def _read_name(value: Any) -> str:
    if not is_name(value):
        raise ValueError("not a wake: it is for no agent's name")
    return str(value)


def _read_turn(value: Any) -> str | None:
    if not value:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_TURN_ID:
        raise ValueError("not a wake: its turn's id is none")
    return value


class WakeReport:
    """What is said to the bus about one wake, from the thread that runs its turn.

    A report of the turn's life is one quick try: an `admitted` that did not get through is owed
    and sent before anything else. The end is repeated until the bus has it. A wake that the bus
    fenced needs no more words.
    """

    def __init__(self, bus: Bus, ask: Ask, clock: Clock, stop: threading.Event) -> None:
        self.method = ""
        self.is_admitted = False
        self._bus = bus
        self._ask = ask
        self._clock = clock
        self._stop = stop
        self._owed: dict[str, Any] | None = None
        self._is_fenced = False
        self._last_s = clock.monotonic_s()
        self._shows = False

    def received(self) -> Wake | None:
        """Say that this node has the wake; give what to do, or None where nothing is left to do.

        Raises:
            BusError: refused for good, or stopped.
        """
        answer = self._persist({"state": "received"})
        self._last_s = self._clock.monotonic_s()
        if answer.get("go") is not True:
            log.say("wake_closed", wake=self._ask.wake_id, reason=answer.get("reason"))
            return None
        return _read_wake(self._ask, answer)

    def will_show(self) -> None:
        self._shows = True

    def admitted(self, turn_id: str) -> None:
        self.is_admitted = True
        self._owed = {"state": "admitted", "method": self.method, "turn_id": turn_id}
        if self._shows:
            self._owed["shown"] = True
        log.say("turn_admitted", wake=self._ask.wake_id, agent=self._ask.agent, turn=turn_id)
        self._say_quickly({})

    def alive(self) -> None:
        if self._clock.monotonic_s() - self._last_s >= ALIVE_EVERY_S:
            self._say_quickly({"state": "alive"})

    def finish(self, outcome: Outcome) -> bool:
        """Say how it ended, until the bus has heard it or does not want to; say whether it has."""
        if outcome.state == "left" or self._is_fenced:
            return self._is_fenced
        body = {"state": outcome.state, "method": self.method}
        if outcome.reason:
            body["reason"] = outcome.reason[:MAX_REASON_CHARS]
        final = {
            **body,
            **outcome.usage.told(),
            **({"permanent": True} if outcome.permanent else {}),
        }
        try:
            if self._owed is not None:
                self._persist(self._owed)
            self._persist(final)
        except BusError as error:
            self._note_refusal(error)
            return not (error.is_passing or error.is_about_the_token)
        return True

    def _say_quickly(self, body: dict[str, Any]) -> None:
        if self._is_fenced:
            return
        self._last_s = self._clock.monotonic_s()
        try:
            self._post(self._owed or body, timeout_s=QUICK_TIMEOUT_S)
            self._owed = None
        except BusError as error:
            self._note_refusal(error)

    def _note_refusal(self, error: BusError) -> None:
        self._is_fenced = self._is_fenced or error.status in {404, 409}
        log.warn("report_refused", wake=self._ask.wake_id, code=error.code, reason=error.detail)

    def _persist(self, body: dict[str, Any]) -> dict[str, Any]:
        return persist(lambda: self._post(body), self._clock, self._stop, despite_token=True)

    def _post(self, body: dict[str, Any], timeout_s: float | None = None) -> dict[str, Any]:
        return self._bus.post(f"/api/wakes/{self._ask.wake_id}", body, timeout_s=timeout_s)


def _read_wake(ask: Ask, answer: dict[str, Any]) -> Wake:
    pending = answer.get("pending")
    counts = pending if isinstance(pending, dict) else {}
    return Wake(
        wake_id=ask.wake_id,
        generation=ask.generation,
        agent=ask.agent,
        local_agent=str(answer.get("local_agent") or ""),
        session_key=str(answer.get("session_key") or ""),
        text=str(answer.get("text") or ""),
        pending_total=plainjson.whole(counts.get("total")),
        pending_urgent=plainjson.whole(counts.get("urgent")),
        turn_id=str(answer.get("turn_id") or "") or ask.turn_id,
        session=str(answer.get("session") or ""),
        shown_text=str(answer.get("shown_text") or ""),
    )
