"""What was read of a stream just now, once for all who follow it.

Truth stays in the database: whoever looks first after an append reads it from there, the others
are given the same bytes. Who is further behind reads for itself. It must not know a connection.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bus.streams import queries
from bus.streams.reading import MOST_SHARED, read_page
from bus.streams.writing import topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.live.hub import Hub
    from bus.store.statement import Row
    from bus.store.store import Store
    from bus.streams.model import Page


class Spool:
    """One stream that is followed."""

    def __init__(self, store: Store, hub: Hub, place: int) -> None:
        self._store, self._hub, self._place = store, hub, place
        self.topics: tuple[str, ...] = (topic(place),)
        self.followers = 0
        self._calls, self._seen = 1, 0
        self._row: Row | None = None
        self._pages: dict[int, Page] = {}
        self.frames: dict[tuple[int, int, int], bytes] = {}
        """What was made of pages for readers, by where they were and are then, and their cursor."""

    def wake(self) -> None:
        """Hear that there is more, or that it has ended."""
        self._calls += 1

    def look(self) -> Row | None:
        """Give the stream as it is now; None where it is gone."""
        calls = self._calls
        if self._seen != calls or self._hub.is_deaf:
            with self._store.read() as conn:
                row = queries.get(conn, self._place)
            # Reading may wait, and others look meanwhile: what was read later stays.
            if calls >= self._seen:
                self._row, self._seen = row, calls
                self._pages.clear()
                self.frames.clear()
        row = self._row
        if row is None or row.deleted_ms is not None:
            return None
        return row

    def is_now(self, row: Row) -> bool:
        """Say whether nobody has read a newer state of it."""
        return row is self._row

    def page(self, row: Row, at: int) -> Page:
        """Give what follows a place."""
        found = self._pages.get(at)
        if found is None:
            with self._store.read() as conn:
                found = read_page(conn, row, at)
            # Only the end is shared: of who comes from the beginning, each is somewhere else.
            if found.end == row.size and self.is_now(row) and len(self._pages) < MOST_SHARED:
                self._pages[at] = found
        return found


class Spools:
    """The streams that are followed now."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store, self._hub = store, hub
        self._open: dict[int, Spool] = {}

    def follow(self, place: int) -> Spool:
        """Begin to follow a stream; whoever does leaves it again."""
        spool = self._open.get(place)
        if spool is None:
            spool = self._open[place] = Spool(self._store, self._hub, place)
            self._hub.join(spool)
        spool.followers += 1
        return spool

    def leave(self, spool: Spool) -> None:
        """Follow it no more."""
        spool.followers -= 1
        if not spool.followers:
            self._hub.leave(spool)
            self._open = {place: one for place, one in self._open.items() if one is not spool}

    @contextmanager
    def following(self, place: int) -> Iterator[Spool]:
        """Follow a stream for a while."""
        spool = self.follow(place)
        try:
            yield spool
        finally:
            self.leave(spool)
