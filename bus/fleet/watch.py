"""The slow look that misses nothing: what is new in the log, and whether rights have changed.

Whoever is concerned by a new row looks again, whether a hint has told of it or not: a look more
costs little, and nobody can say of a hint that it was not lost. What leaves no row in the log is
looked for by everybody, each time, while no hints are heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gevent

from bus.errors import StorageFailedError
from bus.store.log import Concerns
from bus.store.processes import HEAD, NEWER
from bus.store.transaction import EVERYTHING, RIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.fleet.line import Line
    from bus.live.hub import Hub

MOST_ROWS = 300
"""Of more than that, who is concerned is not asked: everybody looks."""
MISSES = 2
"""After so many looks that failed, nobody knows what was missed."""


class Watch:
    """Looks for what was not heard."""

    def __init__(self, line: Line, pause_s: float, hub: Hub, changed: Callable[[], None]) -> None:
        """Call `changed` when `sees` has changed: whether it can look at all."""
        self._line, self._pause_s, self._hub, self._changed = line, pause_s, hub, changed
        self.sees = True
        self._failed = 0
        self._head: int | None = None
        self._rights = ""

    def run(self) -> None:
        """Look for ever."""
        while True:
            gevent.sleep(self._pause_s)
            try:
                self._look()
            except StorageFailedError:
                self._failed += 1
            else:
                self._failed = 0
            sees = self._failed < MISSES
            if sees != self.sees:
                self.sees = sees
                self._changed()

    def _look(self) -> None:
        head, rights = self._line.ask(HEAD)[0]
        before, self._head = self._head, head or 0
        topics: set[str] = set()
        if (rights or "") != self._rights:
            self._rights = rights or ""
            topics.add(RIGHTS)
        if self._hub.is_deaf or before is None:
            self._hub.look_everywhere()
        elif self._head != before:
            rows = self._line.ask(NEWER, (before, MOST_ROWS + 1))
            if len(rows) > MOST_ROWS or self._head < before:
                self._hub.look_everywhere()
            for row in rows:
                topics.update((EVERYTHING, *Concerns(*row).topics()))
        if topics:
            self._hub.look_again(topics)
