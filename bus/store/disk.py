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

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bus.errors import BusError, StorageFailedError
from bus.store.meta import set_fact

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.clock import Clock
    from bus.store.transaction import Transaction

AGAIN_S = 1.0
"""The pause between two attempts to settle, in which writes are refused without the disk."""
RETRY_AFTER_S = 5
WORDS = {
    sqlite3.SQLITE_FULL: "the bus's disk is full",
    sqlite3.SQLITE_IOERR: "the bus's disk reports an error",
    sqlite3.SQLITE_READONLY: "the bus's disk is read-only",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_NOTADB: "the database is damaged",
}
"""By SQLite's result: those after which the disk is in doubt."""


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


def write_probe(tx: Transaction) -> None:
    """Write something, to see whether that can be done."""
    set_fact(tx, "probed_ms", str(tx.now_ms))


def is_doubtful(error: BaseException | None) -> bool:
    """Say whether after this error the disk is in doubt."""
    return isinstance(error, StorageFailedError) and result_of(error.__cause__) in WORDS


def result_of(error: BaseException | None) -> int:
    """Give SQLite's primary result code; 0 where the error is not SQLite's."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return getattr(said, "sqlite_errorcode", 0) & 0xFF


def storage_error(error: BaseException) -> BaseException:
    """Wrap what the database said in the bus's own words; leave other errors as they are."""
    if isinstance(error, BusError) or not isinstance(error, SQLAlchemyError):
        return error
    return describe(error)


def describe(error: sqlite3.Error | SQLAlchemyError) -> StorageFailedError:
    """Say what failed, and what that means to whoever wanted to write."""
    if isinstance(error, SQLAlchemyError):
        said = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
    else:
        said = str(error)
    what = WORDS.get(result_of(error), "the database could not write")
    wrapped = StorageFailedError(
        f"{what} ({said}); nothing was taken, try again", retry_after_s=RETRY_AFTER_S
    )
    wrapped.__cause__ = error
    return wrapped
