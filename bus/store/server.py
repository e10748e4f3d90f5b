"""What to believe of a PostgreSQL server: after a fault, and at a start, nothing until it answers.

A connection that has failed is not used again. Whether the last COMMIT on it came through is not
known; whoever waited for it is told so, and a repeated send with its key is answered by what is
there. A server that may not write, a standby that nobody promoted, is none.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from bus.errors import StorageFailedError
from bus.store.failing import RETRY_AFTER_S, describe
from bus.store.statement import connection_of, wrapped

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.clock import Clock

STANDBY = (
    "the database is a standby, which takes no writes; promote it, or name the primary in "
    "BUS_DATABASE_URL"
)
SILENT = "the database does not answer"
AGAIN_S = 1.0
"""The pause after an attempt to reach it, in which writes are refused without it."""


class Server:
    """Whether the server can be reached and may write."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self.in_doubt = True
        self._again_s = 0.0
        self.why = ""
        """Why it could not be reached, where that was tried."""

    def doubt(self) -> None:
        """Believe nothing from now on, and look at once."""
        if not self.in_doubt:
            self.in_doubt = True
            with suppress(StorageFailedError):
                self.settle()

    def settle(self) -> None:
        """Reach it anew.

        Raises:
            StorageFailedError: it cannot be reached, or may not write.
        """
        if not self.in_doubt:
            return
        if self.why and self._clock.monotonic_s() < self._again_s:
            raise StorageFailedError(self.why, retry_after_s=RETRY_AFTER_S)
        self.why = SILENT  # also where whoever waits for this gives it up
        try:
            self._engine.dispose()
            with self._engine.connect() as conn:
                is_standby = is_in_recovery(conn)
        except SQLAlchemyError as error:
            failed = describe(error)
            self.why = failed.detail
            raise failed from error
        finally:
            # Of those who wait already one has tried for all: each trial may take its whole time.
            self._again_s = self._clock.monotonic_s() + AGAIN_S
        self.why = STANDBY if is_standby else ""
        if self.why:
            raise StorageFailedError(self.why, retry_after_s=RETRY_AFTER_S)
        self.in_doubt = False


def is_in_recovery(conn: sa.Connection) -> bool:
    """Ask it, without the lock of who writes, which others may have.

    A connection that was left in the midst of its answer is asked nothing more.
    """
    text = "SELECT pg_is_in_recovery()"
    try:
        return bool(connection_of(conn).execute(text).fetchone()[0])
    except conn.dialect.loaded_dbapi.Error as error:
        conn.invalidate()
        raise wrapped(conn, text, error) from error
    except BaseException:
        conn.invalidate()
        raise
