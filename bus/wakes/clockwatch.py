"""Looks whether somebody set the wall clock, and decides whether the bus goes with it.

A step forward of up to a day is a clock that was put right: followed, and no turn runs out by it.
Anything else may as well be a mistake: the bus keeps its own time and says so until the two agree
again, or until it is started anew. It must not know how the clocks are read.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bus.clock import DAY_MS
from bus.logs import log
from bus.wakes import service

if TYPE_CHECKING:
    from bus.store.store import Store
    from bus.store.transaction import Transaction

FOLLOWED_MS = DAY_MS
"""The largest step that is followed."""
NEWS_MS = 10_000
"""A change of the difference that is told again."""


class ClockWatch:
    """What was last seen, and told, of the wall clock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told_ms = 0

    def look(self) -> None:
        """Look once: follow a small step forward, tell of any other."""
        off = self._store.clock.off_ms()
        if 0 < off <= FOLLOWED_MS:
            self._store.write(self._follow)
            log("clock_followed", logging.WARNING, by_s=off // 1000)
            self._told_ms = 0
        elif abs(off - self._told_ms) >= NEWS_MS:
            self._tell(off)

    def _follow(self, tx: Transaction) -> None:
        """Take the new time; in the writer, so that no lease is judged between the two."""
        self._store.clock.follow()
        tx.now_ms = self._store.clock.now_ms()
        service.spare(tx)

    def _tell(self, off: int) -> None:
        self._told_ms = off
        if off:
            note = "the bus keeps its own time; if the new time is right, restart the bus"
            log("clock_stepped", logging.WARNING, by_s=off // 1000, note=note)
        else:
            log("clock_agrees", logging.WARNING)
