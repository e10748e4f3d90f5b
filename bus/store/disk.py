"""What to believe of the disk: after a failed write, and at a start, nothing that is not settled.

A sync that failed may leave pages in memory that look written and are not: a later sync says well,
and a power cut then loses what lay behind them. So whatever the WAL holds goes into the database
itself, freshly written and synced, and the WAL begins anew; until that worked nothing is accepted.
A start does the same, since the process before may have ended on such a failure. It must not know
what is written.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from bus.errors import StorageFailedError
from bus.store.failing import RETRY_AFTER_S, describe

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.clock import Clock

AGAIN_S = 1.0
"""The pause between two attempts to settle, in which writes are refused without the disk."""


class Disk:
    """Whether the disk can be believed. Its verbs wait for the disk, so they are for a thread."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        """Begin in doubt: how the process before ended is not known."""
        self._engine, self._clock = engine, clock
        self.in_doubt = True
        self._again_s = 0.0
        self.why = ""
        """Why it could not be settled, where that was tried."""

    def doubt(self) -> None:
        """Believe nothing from now on, and settle at once where that can be done."""
        if not self.in_doubt:
            self.in_doubt = True
            with suppress(StorageFailedError):
                self.settle()

    def settle(self) -> None:
        """Have all that was accepted in the database itself, and an empty WAL.

        Raises:
            StorageFailedError: the disk still fails.
        """
        if not self.in_doubt:
            return
        if self.why and self._clock.monotonic_s() < self._again_s:
            raise StorageFailedError(self.why, retry_after_s=RETRY_AFTER_S)
        try:
            self._empty_wal()
        except (sqlite3.Error, SQLAlchemyError) as error:
            self._again_s = self._clock.monotonic_s() + AGAIN_S
            failed = describe(error)
            self.why = failed.detail
            raise failed from error
        finally:
            self._engine.dispose()  # a connection that has met an error is not used again
        self.in_doubt, self.why = False, ""

    def _empty_wal(self) -> None:
        connection = self._engine.raw_connection()
        try:
            is_busy = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            connection.close()
        if is_busy:
            raise sqlite3.OperationalError("another process is at work on the database")
