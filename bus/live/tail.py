"""The newest rows of the log, read from the database once for all who wait for them.

Truth stays in the database: after each change the rows behind the last known one are read from
there, by whoever looks first. Who is further behind than this holds reads for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.live.sse import frame_of
from bus.store.log import read_between, read_bounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.live.hub import Hub
    from bus.store.log import Row
    from bus.store.store import Store

KEPT = 500
FRESH_S = 1.0
"""After this the database is asked although nobody said that it changed."""


class Tail:
    """The rows after `since`, oldest first, each with its frame; only the hub's thread may look."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store, self._hub = store, hub
        self._rows: list[tuple[Row, bytes]] = []
        self._given: dict[tuple[int, Callable[[Row], bool]], bytes] = {}
        self._changes, self._read_s = -1, 0.0
        self.since = self.head = 0

    def look(self) -> None:
        """Read what has come since the last look, if anything may have."""
        now_s = self._store.clock.monotonic_s()
        if self._changes == self._hub.changes and now_s - self._read_s < FRESH_S:
            return
        changes = self._hub.changes
        with self._store.read() as conn:
            bounds = read_bounds(conn)
            if bounds.head - self.head > KEPT:
                self._rows, self.since = [], max(bounds.head - KEPT, bounds.oldest)
                self.head = self.since
            rows = read_between(conn, self.head, bounds.head, [])
        self._given.clear()
        self._rows += [(row, frame_of(row, bounds.epoch)) for row in rows]
        self.head, self._changes, self._read_s = bounds.head, changes, now_s
        if len(self._rows) > 2 * KEPT:
            self.since = self._rows[-KEPT - 1][0].seq
            del self._rows[:-KEPT]

    def after(self, cursor: int, sees: Callable[[Row], bool]) -> bytes:
        """Give the frames behind a cursor that is not before `since`, of what a reader sees.

        Many readers that have come as far and see the same are given the same bytes.
        """
        asked = (cursor, sees)
        if asked not in self._given:
            self._given[asked] = self._join(*asked)
        return self._given[asked]

    def _join(self, cursor: int, sees: Callable[[Row], bool]) -> bytes:
        found = []
        for row, frame in reversed(self._rows):
            if row.seq <= cursor:
                break
            if sees(row):
                found.append(frame)
        return b"".join(reversed(found))
