"""What a database's error means, in the bus's own words; and after which it is in doubt.

It must not know what is written.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bus.errors import BusError, InvalidRequestError, SchemaError, StorageFailedError

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
STATES = {
    "08": "the database cannot be reached",
    "28": "the database does not let the bus in",
    "3D": "the database does not exist",
    "53100": "the database's disk is full",
    "53": "the database has no room for the bus",
    "55P03": "another process has had the database for too long",
    "57P": "the database is being restarted",
    "25006": "the database takes no writes",
    "57014": "the database took too long",
    "58": "the database's disk reports an error",
    "XX": "the database is damaged",
    "": "the database cannot be reached",
}
"""By how PostgreSQL's SQLSTATE begins, the longest first; no state: the connection itself failed.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""
UNSURE = {"OperationalError", "InterfaceError", "InternalError"}
NUL = "NUL (0x00)"


class AwayError(Exception):
    """A database that does not answer; what becomes of what it was asked is not known."""


def result_of(error: BaseException | None) -> int:
    """Give SQLite's primary result code; 0 where the error is not SQLite's."""
    return getattr(said_by(error), "sqlite_errorcode", 0) & 0xFF


def state_of(error: BaseException | None) -> str | None:
    """Give PostgreSQL's SQLSTATE, empty where the connection failed; None where it is not its."""
    said: Any = said_by(error)
    if not hasattr(said, "sqlstate"):
        return None
    state: str | None = said.sqlstate
    kinds = {kind.__name__ for kind in type(said).__mro__}
    return state or ("" if kinds & UNSURE else None)


def said_by(error: BaseException | None) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def words_of(error: BaseException | None) -> str | None:
    """Say what is wrong with the database, where something is."""
    if isinstance(error, AwayError):
        return "the database does not answer"
    state = state_of(error)
    if state is None:
        return WORDS.get(result_of(error))
    if not state:
        return STATES[""]
    begins = sorted(filter(None, STATES), reverse=True)
    return next((STATES[begin] for begin in begins if state.startswith(begin)), None)


def is_doubtful(error: BaseException | None) -> bool:
    """Say whether after this error the database is in doubt."""
    if isinstance(error, SchemaError):
        return True  # until it is this program's
    return isinstance(error, StorageFailedError) and words_of(error.__cause__) is not None


def storage_error(error: BaseException) -> BaseException:
    """Wrap what the database said in the bus's own words; leave other errors as they are."""
    if isinstance(error, BusError) or not is_databases(error):
        return error
    if NUL in str(said_by(error)):
        return InvalidRequestError(
            "a text has the character NUL (U+0000), which this bus's database cannot keep"
        )
    return describe(error)


def is_databases(error: BaseException) -> bool:
    """Say whether an error is SQLAlchemy's, or a driver's: those run by themselves, too."""
    return isinstance(error, SQLAlchemyError | sqlite3.Error) or hasattr(error, "sqlstate")


def describe(error: BaseException) -> StorageFailedError:
    """Say what failed, and what that means to whoever wanted to write."""
    said = said_by(error)
    told = type(error).__name__ if isinstance(said, SQLAlchemyError) else str(said)
    what = words_of(error) or "the database could not write"
    first = told.strip().splitlines()[0] if told.strip() else type(said).__name__
    wrapped = StorageFailedError(
        f"{what} ({first}); nothing was taken, try again", retry_after_s=RETRY_AFTER_S
    )
    wrapped.__cause__ = error
    return wrapped
