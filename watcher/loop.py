"""The watcher's heart: reads the stream, hands wakes to turns, remembers where it is.

The main thread reads; each turn has a thread. A position is kept as soon as its event was handed
over, because every open wake and run is asked for again at each new connection: the lists of what
is open, not the cursor, are what nothing can slip through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watcher import log, plainjson
from watcher.bus import BusError
from watcher.stream import Beat, Opened
from watcher.wakes import Ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from watcher.bus import Bus
    from watcher.clock import Clock
    from watcher.cursor import Cursor
    from watcher.events import Event
    from watcher.notify import Notify
    from watcher.runs.desk import Desk
    from watcher.stream import Stream
    from watcher.turns import Turns

ADOPT_AGAIN_S = 5.0


class Loop:
    """Runs until its stream is stopped."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts, each made elsewhere
        self,
        stream: Stream,
        bus: Bus,
        turns: Turns,
        cursor: Cursor,
        notify: Notify,
        clock: Clock,
        on_roster: Callable[[], None] = lambda: None,
        desk: Desk | None = None,
    ) -> None:
        """Take `on_roster`, told when the node's agents or tokens may have changed.

        `desk` takes the background runs.
        """
        self._on_roster = on_roster
        self._desk = desk
        self._stream = stream
        self._bus = bus
        self._turns = turns
        self._cursor = cursor
        self._notify = notify
        self._clock = clock
        self._adopt_at_s: float | None = None
        self._status = ""

    def run(self) -> None:
        """Read the stream to its end."""
        self._stream.last_event_id = self._cursor.last_event_id
        for step in self._stream.steps():
            self._notify.beat()
            if isinstance(step, Opened):
                log.say("stream_opened", after=self._stream.last_event_id or None)
                self._show("connected to the bus")
                self._adopt_at_s = self._clock.monotonic_s()
                self._on_roster()
            elif isinstance(step, Beat):
                if step.trouble:
                    self._show(f"waiting for the bus: {step.trouble}")
            else:
                self._take(step)
            self._adopt_if_due(is_connected=not (isinstance(step, Beat) and step.trouble))

    def _take(self, event: Event) -> None:
        if event.type == "wake":
            self._take_frame(event.data)
        elif event.type == "run" and self._desk is not None:
            self._desk.take_text(event.data)
        elif event.type == "roster":
            self._on_roster()
        elif event.type == "gap":
            log.warn("stream_gapped", data=event.data)
            self._adopt_at_s = self._clock.monotonic_s()
        elif event.type == "bus-error":
            log.warn("stream_failed", data=event.data)
        self._cursor.save(event.last_event_id)

    def _take_frame(self, data: str) -> None:
        try:
            raw = plainjson.read(data)
        except ValueError as error:  # one bad frame must not hold up the ones behind it
            log.warn("wake_unreadable", error=error)
            return
        self._take_wake(raw)

    def _take_wake(self, raw: Any) -> None:
        try:
            ask = Ask.parse(raw)
        except ValueError as error:
            log.warn("wake_unreadable", error=error)
            return
        if not ask.is_settled_here and self._turns.offer(ask):
            log.say("wake_taken", wake=ask.wake_id, agent=ask.agent, state=ask.state or None)

    def _adopt_if_due(self, *, is_connected: bool) -> None:
        """Take in what is open on the bus: from before this life, or from a gap."""
        now_s = self._clock.monotonic_s()
        if not is_connected or self._adopt_at_s is None or now_s < self._adopt_at_s:
            return
        try:
            wakes = self._bus.get("/api/wakes").get("wakes", [])
            for raw in wakes if isinstance(wakes, list) else []:
                self._take_wake(raw)
            if self._desk is not None:
                self._desk.adopt()
        except BusError as error:
            self._adopt_at_s = now_s + max(ADOPT_AGAIN_S, error.retry_after_s or 0.0)
            log.warn("open_work_unknown", code=error.code, reason=error.detail)
            return
        self._adopt_at_s = None

    def _show(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self._notify.status(status)
