"""A live output: what a turn says goes in at any moment, and a thread of its own brings it over.

Nothing that a turn does waits here: what is new is fetched when the bus has taken what came before.
So a fast model costs few requests, and a bus that is away costs none. It must not know who speaks.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from watcher import log
from watcher.bus import BusError
from watcher.outputs.line import OVER

if TYPE_CHECKING:
    from watcher.clock import Clock
    from watcher.outputs.line import Line

PACE_S = 0.05  # what comes within it goes together
ALIVE_S = 15.0
LEASE_PARTS = 4  # a lease is renewed so often within its time
MOST_OPENED = 3  # of one turn: an output whose lease ran out goes on as another


class Source(Protocol):
    """What says what is new: `Words` or `Pieces`."""

    def take(self) -> bytes:
        """Give what is new; empty where nothing is."""

    def resume(self, said: bytes) -> None:
        """Hear what an earlier life has said."""


class Output:
    """One output of one turn; it is made on the bus when there is a first word."""

    def __init__(  # noqa: PLR0913 - the parts, each made elsewhere
        self,
        source: Source,
        line: Line,
        clock: Clock,
        stop: threading.Event,
        *,
        name: str,
        is_resumed: bool = False,
    ) -> None:
        self.is_whole = False
        """Whether all of it is on the bus, and closed."""
        self._source = source
        self._line = line
        self._clock = clock
        self._stop = stop
        self._name = name
        self._is_resumed = is_resumed
        self._look = threading.Event()
        self._ended = threading.Event()
        self._failure = ""
        self._waiting = b""
        self._opened = 0
        self._thread = threading.Thread(target=self._run, name=f"output-{name}", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Hear that the source has something new."""
        self._look.set()

    def end(self, failure: str = "") -> None:
        """Hear that the turn is over, and why it failed where it did."""
        self._failure = failure
        self._ended.set()
        self._look.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until all is over; say whether the bus has it whole."""
        self._thread.join(timeout_s)
        return self.is_whole

    def _run(self) -> None:
        try:
            with self._line:
                self._work()
        except BusError as error:
            if not self._stop.is_set():
                log.warn("output_refused", of=self._name, code=error.code, reason=error.detail)
        except Exception as error:  # noqa: BLE001 - the turn itself goes on
            log.warn("output_crashed", of=self._name, error=repr(error))

    def _work(self) -> None:
        is_due = False
        while not self._is_over():
            is_ended = self._ended.is_set()  # before the look: what is said after it comes next
            self._waiting += self._source.take()
            if self._is_wanted(is_ended=is_ended, is_due=is_due):
                self._bring(is_ended=is_ended)
            if is_ended:
                return
            is_due = not self._pause()

    def _is_over(self) -> bool:
        """Say whether the watcher stops in mid-turn: its next life goes on."""
        return self._stop.is_set() and not self._ended.is_set()

    def _is_wanted(self, *, is_ended: bool, is_due: bool) -> bool:
        """Say whether the bus is to be told something now; of a turn that is silent it is not."""
        if self._line.is_open:
            return bool(self._waiting) or is_ended or is_due
        return bool(self._waiting.strip()) or (is_ended and self._is_resumed)

    def _pause(self) -> bool:
        """Wait for something new and let some more come; say whether it came in time."""
        alive_s = min(ALIVE_S, self._line.lease_s / LEASE_PARTS or ALIVE_S)
        has_come = self._clock.wait(self._look, alive_s)
        if has_come:
            self._look.clear()
            self._clock.wait(self._ended, PACE_S)
        return has_come

    def _bring(self, *, is_ended: bool) -> None:
        """Bring over what waits, in an output that is opened for it where none is."""
        while True:
            try:
                if not self._line.is_open:
                    self._open()
                self._send(is_ended=is_ended)
            except BusError as error:
                self._line.is_open = False
                if error.code not in OVER or self._opened >= MOST_OPENED:
                    raise
                if not self._waiting.strip():
                    return
            else:
                return

    def _open(self) -> None:
        self._opened += 1
        said = self._line.open(only_there=not self._waiting.strip())
        log.say("output_opened", of=self._name, said_bytes=len(said))
        if said:
            self._source.resume(said)
            self._waiting = self._source.take()

    def _send(self, *, is_ended: bool) -> None:
        is_whole = is_ended and not self._failure
        if self._waiting or is_whole or not is_ended:
            self._line.append(self._waiting, closes=is_whole)
        self._waiting = b""
        if is_ended and self._failure:
            self._line.fail(self._failure)
        self.is_whole = is_whole
