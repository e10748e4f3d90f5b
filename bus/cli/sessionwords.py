"""What is said word by word, on a terminal: as it comes, and from standard input.

Several may speak at once, and others say something meanwhile: then a line is broken off, and who
goes on is named again.
"""

from __future__ import annotations

import codecs
import os
import select
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from bus.cli.failing import USAGE, Failure
from bus.cli.output import complain, encodable, harmless, paint, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bus.cli.calling import Caller
    from bus.client import BusClient

BAR = "  | "
AGAIN_S = 1.0
ALIVE_S = 15.0
PIECE_BYTES = 65_536
LAST_WORDS_S = 10.0
"""How long the end of an entry waits for the last words to be written."""


class Screen:
    """One terminal for all who speak at once."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._speaker: int | None = None
        self._is_in_line = False

    def write(self, show: Callable[[], object]) -> None:
        """Write whole lines."""
        with self._lock:
            self._break_line()
            self._speaker = None
            show()

    def begin(self, place: int, show: Callable[[], object]) -> None:
        """Write who begins to speak."""
        self.write(show)
        self._speaker = place

    def add(self, place: int, name: str, words: str) -> None:
        """Write what somebody says on."""
        with self._lock:
            if self._speaker != place:
                self._break_line()
                say(paint(f"{place}  {harmless(name)} goes on", bold=True))
                self._speaker = place
            for line in harmless(words, lines=True).splitlines(keepends=True):
                shown = encodable(line, sys.stdout)
                click.echo(shown if self._is_in_line else BAR + shown, nl=False)
                self._is_in_line = not line.endswith("\n")
            sys.stdout.flush()

    def _break_line(self) -> None:
        if self._is_in_line:
            click.echo()
        self._is_in_line = False


class Listening:
    """Writes one output as it is said, on a thread of its own."""

    def __init__(self, bus: BusClient, screen: Screen, entry: Mapping[str, Any]) -> None:
        self._bus = bus
        self._screen = screen
        self._entry = entry
        self._heard_bytes = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def has_all(self, data: Mapping[str, Any]) -> bool:
        """Say whether all that an entry has at its end was written."""
        self._thread.join(LAST_WORDS_S)
        return bool(self._heard_bytes == data.get("bytes"))

    def _listen(self) -> None:
        from bus.client import ClientError  # noqa: PLC0415 - only where a bus is called

        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        stream, offset, pause = self._entry["data"]["stream"], "-1", threading.Event()
        with self._bus as bus:
            while True:
                try:
                    heard = bus.hear(stream, offset)
                except ClientError as error:
                    if not error.passes:
                        return
                    pause.wait(AGAIN_S)
                    continue
                words = decoder.decode(heard.data, final=heard.is_over)
                if words:
                    self._screen.add(self._entry["place"], self._entry["from"], words)
                self._heard_bytes += len(heard.data)
                offset = heard.offset
                if heard.is_over:
                    return


def speak(caller: Caller, session_id: str) -> Mapping[str, Any]:
    """Say what comes on standard input, piece by piece, to its end; gives the entry."""
    caller.bus.session(session_id)  # a wrong one is refused before anybody has typed
    if sys.stdin.isatty():
        complain("what you type is said, line by line; Ctrl-D ends it")
    piece = os.read(sys.stdin.fileno(), PIECE_BYTES)
    if not piece:
        sentence = "nothing came on standard input"
        raise Failure(sentence, USAGE, mend="COMMAND | bus session speak ID")
    made = caller.bus.begin_output(session_id)
    stream, number = made["stream"], 0
    try:
        while piece:
            caller_add(caller, stream, piece, number)
            number += 1
            piece = read_piece(caller, stream)
        caller_add(caller, stream, b"", number, closes=True)
    except KeyboardInterrupt:
        caller.bus.end_output(session_id, made["entry_id"], state="failed", reason="interrupted")
        raise
    return made


def read_piece(caller: Caller, stream: str) -> bytes:
    """Wait for the next piece; while nothing comes, say that one is still there."""
    while not select.select([sys.stdin], [], [], ALIVE_S)[0]:
        keep_trying(lambda: caller.bus.stay_alive(stream))
    return os.read(sys.stdin.fileno(), PIECE_BYTES)


def caller_add(
    caller: Caller, stream: str, piece: bytes, number: int, *, closes: bool = False
) -> None:
    """Say a piece, over a restart of the bus, too."""
    keep_trying(lambda: caller.bus.add_words(stream, piece, number, closes=closes))


def keep_trying(call: Callable[[], None]) -> None:
    """Make a call until the bus takes it, or refuses it for good."""
    from bus.client import ClientError  # noqa: PLC0415 - only where a bus is called

    has_complained = False
    while True:
        try:
            call()
        except ClientError as error:
            if not error.passes:
                raise
            if not has_complained:
                complain(f"{harmless(error)}; trying on")
            has_complained = True
            threading.Event().wait(AGAIN_S)
        else:
            return
