"""What one turn says, on its way into the session that it is for.

It must not know the runtime that tells it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher import address
from watcher.bus import Bus
from watcher.outputs.line import Line, Purpose
from watcher.outputs.output import Output
from watcher.outputs.pieces import Pieces
from watcher.outputs.words import Words

if TYPE_CHECKING:
    import threading

    from watcher.clock import Clock
    from watcher.methods.base import Outcome, Wake
    from watcher.settings import Settings


class Outputs:
    """Begins the outputs of this node's turns, where its settings want any."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def of_wake(self, wake: Wake, stop: threading.Event) -> Speech | None:
        """Have a turn be heard in the session that it is for; None where it is for none."""
        if not wake.session or not self._settings.wake.live_output:
            return None
        purpose = Purpose(wake.session, {"wake_id": wake.wake_id})
        words = Words()
        line = self._line(wake.agent, purpose, stop)
        is_resumed = bool(wake.turn_id)
        output = Output(words, line, self._clock, stop, name=wake.wake_id, is_resumed=is_resumed)
        return Speech(words, output, stop)

    def of_program(
        self, agent: str, session: str, handle: str, stop: threading.Event
    ) -> Printing | None:
        """Have a program be heard that runs for a message of a session."""
        if not session or not self._settings.wake.live_output:
            return None
        pieces = Pieces()
        line = self._line(agent, Purpose(session, {"handle": handle}), stop)
        return Printing(pieces, Output(pieces, line, self._clock, stop, name=handle))

    def _line(self, agent: str, purpose: Purpose, stop: threading.Event) -> Line:
        where = address.parse(self._settings.url, self._settings.ca_file)
        bus = Bus(where, lambda: self._settings.folder.read_agent_token(agent))
        return Line(bus, purpose, self._clock, stop)


class Speech:
    """A turn whose runtime tells the whole text so far each time."""

    def __init__(self, words: Words, output: Output, stop: threading.Event) -> None:
        self._words = words
        self._output = output
        self._stop = stop

    def tell(self, whole: str) -> None:
        self._words.tell(whole)
        self._output.look()

    def tell_last(self, last: str) -> None:
        self._words.tell_last(last)

    def end(self, outcome: Outcome) -> None:
        """Hear how the turn ended; of one that a stopping watcher leaves, the next life hears."""
        if outcome.state == "ended":
            self._output.end()
        elif not self._stop.is_set():
            self._output.end(outcome.reason or "the turn failed")


class Printing:
    """A program that prints."""

    def __init__(self, pieces: Pieces, output: Output) -> None:
        self._pieces = pieces
        self._output = output

    def tell(self, piece: bytes) -> None:
        self._pieces.tell(piece)
        self._output.look()

    def finish(self, failure: str, timeout_s: float | None = None) -> bool:
        """End it; say whether all of it stands in the session now."""
        self._output.end(failure)
        return self._output.wait(timeout_s)
