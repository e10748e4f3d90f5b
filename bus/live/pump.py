"""The one greenlet that writes all streams, each when it is its turn.

One loop over those that are due: look at what is behind the cursor, and write it without waiting.
What a connection does not take at once is written by a greenlet of its own, for as long as that
takes: so who reads slowly holds up nobody, and has no more waiting than one look at the log gives.

While the database cannot be read the streams stay: they have their comments, and go on from where
they were once it can be read again.
"""

from __future__ import annotations

import heapq
import logging
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

from bus.errors import BusError, StorageFailedError
from bus.live.holding import let_go
from bus.live.sse import KEEPALIVE, frame
from bus.logs import log

if TYPE_CHECKING:
    from bus.clock import Clock
    from bus.config import Config
    from bus.live.outlet import Outlet

TURN_S = 0.002
"""After this whoever else has something to do has a turn."""
SHORTEST_REST_S, LONGEST_REST_S = 1.0, 5.0
"""How long a database is left alone that could not be read: as long as it took to say so."""


class Pump:
    """The open streams, and which of them are due."""

    def __init__(self, clock: Clock, config: Config) -> None:
        """Make a pump that begins to run with the first stream."""
        self._clock, self._heartbeat_s = clock, config.heartbeat_s
        self._due: deque[Outlet] = deque()
        self._more = Event()
        # Each stream once, by a time that is not after the one when it is due by the clock.
        self._timed: list[tuple[float, int, Outlet]] = []
        self._numbers = count()
        self._open: set[Outlet] = set()
        self._none_open = Event()
        self._none_open.set()
        self._greenlet: gevent.Greenlet | None = None
        self._rests_until_s = 0.0
        self._trouble = ""

    def add(self, outlet: Outlet) -> None:
        """Take a stream whose first bytes are written."""
        self._open.add(outlet)
        self._none_open.clear()
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)
        outlet.due_s = self._due_after(outlet, self._clock.monotonic_s())
        self._time(outlet, outlet.due_s)
        outlet.is_busy = False
        self.wake(outlet)

    def wake(self, outlet: Outlet) -> None:
        """Have a stream looked at, however often it is said."""
        if not outlet.is_due:
            outlet.is_due = True
            self._due.append(outlet)
            if len(self._due) == 1:
                self._more.set()

    def join(self, timeout_s: float) -> bool:
        """Wait until all streams have ended; says whether they have."""
        return bool(self._none_open.wait(timeout_s))

    def _run(self) -> None:
        while True:
            now_s = self._clock.monotonic_s()
            self._wake_by_clock(now_s)
            until_s = now_s + TURN_S
            while self._due and now_s < until_s:
                self._serve(self._due.popleft(), now_s)
                now_s = self._clock.monotonic_s()
            if self._due:
                gevent.sleep(0)
            else:
                self._more.clear()
                self._more.wait(self._pause_s(now_s))

    def _wake_by_clock(self, now_s: float) -> None:
        if 0 < self._rests_until_s <= now_s:
            self._rests_until_s = 0.0
            for each in self._open:
                self.wake(each)
        while self._timed and self._timed[0][0] <= now_s:
            outlet = heapq.heappop(self._timed)[2]
            if outlet not in self._open:
                continue
            if outlet.due_s <= now_s:
                self.wake(outlet)
                self._time(outlet, self._due_after(outlet, now_s))
            else:
                self._time(outlet, outlet.due_s)

    def _time(self, outlet: Outlet, at_s: float) -> None:
        heapq.heappush(self._timed, (at_s, next(self._numbers), outlet))

    def _due_after(self, outlet: Outlet, now_s: float) -> float:
        """Give when a stream is due though nothing happens, after it was written now."""
        next_s, until_s = now_s + self._heartbeat_s, outlet.reader.until_s
        return min(next_s, until_s) if until_s > now_s else next_s

    def _pause_s(self, now_s: float) -> float | None:
        times = [at_s for at_s, _, _ in self._timed[:1]]
        times += [self._rests_until_s] if self._rests_until_s else []
        return max(0.0, min(times) - now_s) if times else None

    def _serve(self, outlet: Outlet, now_s: float) -> None:
        """Give a stream what is next for it: what is new, a comment when nothing is, bye."""
        outlet.is_due = False  # before looking, so that no later call is missed
        if outlet.is_busy:
            return  # who writes it now has it looked at again
        try:
            self._write_next(outlet, now_s)
        except OSError:
            self._end(outlet)
        except StorageFailedError as error:
            self._rest(error.detail, now_s)
            self.wake(outlet)  # its comment may be due
        except BusError as error:
            # Named so because browsers keep `error` for their own.
            told = {"to_agent": None, "code": error.code, "detail": error.detail}
            self._end(outlet, frame("bus-error", told))
        except Exception:
            logging.getLogger("bus").exception("fault")
            self._end(outlet)

    def _write_next(self, outlet: Outlet, now_s: float) -> None:
        reader = outlet.reader
        if outlet.is_gone:
            self._end(outlet)
            return
        ending = self._why_end(outlet, now_s)
        if ending:
            self._end(outlet, reader.farewell(ending))
            return
        found = self._look(outlet)
        if reader.is_over():
            self._end(outlet, found)
            return
        if reader.is_behind() and not self._rests_until_s:
            self.wake(outlet)  # there is more to read: after the others' turns
        elif not found and now_s >= outlet.due_s:
            found = KEEPALIVE
        if found:
            outlet.due_s = self._due_after(outlet, now_s)
            rest = outlet.send(found)
            if rest:
                outlet.is_busy = True
                gevent.spawn(self._finish, outlet, rest)

    def _why_end(self, outlet: Outlet, now_s: float) -> str:
        ending = outlet.reader.why_end(now_s)
        if self._trouble and ending == "lifetime":
            ending = ""  # who comes back now is refused
        return ending if ending or self._rests_until_s else outlet.reader.why_out()

    def _look(self, outlet: Outlet) -> bytes:
        """Read what is next for a stream, where the database is not left alone."""
        if self._rests_until_s:
            return b""
        found = outlet.reader.look()
        if self._trouble:
            self._trouble = ""
            log("streams_go_on", logging.WARNING, streams=len(self._open))
        return found

    def _rest(self, trouble: str, began_s: float) -> None:
        """Leave the database alone for a while."""
        now_s = self._clock.monotonic_s()
        rest_s = min(max(now_s - began_s, SHORTEST_REST_S), LONGEST_REST_S)
        self._rests_until_s = now_s + rest_s
        if not self._trouble:
            log("streams_wait", logging.ERROR, detail=trouble, streams=len(self._open))
        self._trouble = trouble

    def _finish(self, outlet: Outlet, rest: bytes) -> None:
        """Wait for a slow reader, and cut off one that does not read."""
        try:
            outlet.finish(rest)
        except OSError:
            outlet.is_gone = True
        outlet.is_busy = False
        self.wake(outlet)

    def _end(self, outlet: Outlet, last: bytes = b"") -> None:
        outlet.is_busy = True
        gevent.spawn(self._close, outlet, last)

    def _close(self, outlet: Outlet, last: bytes) -> None:
        try:
            outlet.close(last)
            let_go(outlet)
        finally:
            self._open.discard(outlet)
            if not self._open:
                self._none_open.set()
