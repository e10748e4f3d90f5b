"""Hints between the processes on one database: that something has changed, and whom it concerns.

Each process says after its commits which topics they were of, and hears the others. A hint may be
lost, nothing hangs on one: the database is looked at besides (`watch`). It hears itself too, by
which it knows that it hears at all. It must not know what a topic means.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from gevent.socket import wait_read

from bus.errors import StorageFailedError
from bus.fleet.line import Line, connect
from bus.logs import log
from bus.store.processes import HINT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import psycopg

    Heard = Callable[[str, "list[str] | None"], None]
    """What is done with a hint: who gave it, and of which topics; None for anything."""

CHANNEL = "wakebus"
MOST_BYTES = 7900
"""PostgreSQL takes less than 8000 bytes: https://www.postgresql.org/docs/current/sql-notify.html"""
SILENT_S = 7.0
"""After so long without a word, not even its own, it does not hear: it speaks every two seconds."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0


class Mouth:
    """Says what has changed: what gathers while one hint is on its way goes with the next."""

    def __init__(self, url: str, speaker: str) -> None:
        self._line, self.speaker = Line(url, "hints"), speaker
        self._topics: set[str] = set()
        self._is_unsure = False
        self._more = Event()

    def say(self, topics: Iterable[str] | None) -> None:
        """Have the others look again; None: at everything."""
        self._topics.update(topics or ())
        self._is_unsure |= topics is None
        self._more.set()

    def run(self) -> None:
        """Say what is to be said, for ever."""
        pause_s = FIRST_PAUSE_S
        while True:
            self._more.wait()
            self._more.clear()
            topics, self._topics = self._topics, set()
            is_unsure, self._is_unsure = self._is_unsure, False
            try:
                self._line.ask(HINT, (CHANNEL, self._write(None if is_unsure else topics)))
            except StorageFailedError:
                # Whether it was heard is not known; what else was meant meanwhile neither.
                self._is_unsure = True
                gevent.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                self._more.set()
            else:
                pause_s = FIRST_PAUSE_S

    def say_last(self, topics: Iterable[str]) -> None:
        """Say one more thing, at once, before the end."""
        with suppress(StorageFailedError):
            self._line.ask(HINT, (CHANNEL, self._write(set(topics))))
        self._line.close()

    def _write(self, topics: set[str] | None) -> str:
        said = None if topics is None else sorted(topics)
        whole = json.dumps([self.speaker, said], separators=(",", ":"))
        is_long = len(whole.encode()) > MOST_BYTES
        return json.dumps([self.speaker, None]) if is_long else whole


class Ear:
    """Hears what every process says; `hears` says whether it does."""

    def __init__(self, url: str, mouth: Mouth, heard: Heard, changed: Callable[[], None]) -> None:
        """Call `heard` for each hint of another, and `changed` when `hears` has changed."""
        self._url, self._mouth = url, mouth
        self._heard, self._changed = heard, changed
        self.hears = False
        self.losses = 0
        """How often it stopped hearing."""

    def run(self) -> None:
        """Hear for ever, by one connection after another."""
        import psycopg  # noqa: PLC0415 - an extra, that SQLite does not need

        pause_s = FIRST_PAUSE_S
        while True:
            try:
                with gevent.Timeout(SILENT_S, TimeoutError("it takes no connection")):
                    conn = connect(self._url, "listens")
                    conn.execute(f"LISTEN {CHANNEL}")
            except (psycopg.Error, OSError):
                gevent.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            try:
                self._listen(conn)
            except (psycopg.Error, OSError) as error:
                self._lose(str(error).strip().partition("\n")[0])
            finally:
                with suppress(Exception):
                    conn.close()

    def _listen(self, conn: psycopg.Connection[Any]) -> None:
        number, own = conn.fileno(), conn.pgconn
        self._mouth.say([])  # to be heard here
        while True:
            wait_read(number, SILENT_S, TimeoutError(f"nothing was heard for {SILENT_S:g} s"))
            own.consume_input()
            while (said := own.notifies()) is not None:
                self._take(bytes(said.extra))

    def _take(self, text: bytes) -> None:
        try:
            speaker, topics = json.loads(text)
        except ValueError:
            return  # somebody else's word
        if speaker != self._mouth.speaker:
            self._heard(speaker, topics)
        elif not self.hears:
            self.hears = True
            log("hints_heard")
            self._changed()

    def _lose(self, why: str) -> None:
        if self.hears:
            self.hears, self.losses = False, self.losses + 1
            log("hints_lost", detail=why)
            self._changed()
