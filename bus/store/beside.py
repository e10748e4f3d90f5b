"""A connection that only looks: safe beside a running bus, whose one writer stays the only one.

It is opened read-only by SQLite itself, so it can neither write nor move the log of writes into
the database; what breaks a database of SQLite before 3.51.3 is two connections that do. It belongs
in a process of its own: the same file opened and closed by hand in the bus's process would drop the
locks of the bus. It knows no table.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from bus.errors import StorageFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_S = 10.0
FORMER = "former_epochs"
"""The row of `meta` with the epochs that a restore ended: their backups are this bus's too."""


@contextmanager
def open_beside(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for looking.

    Raises:
        StorageFailedError: it cannot be read, or is no database.
    """
    try:
        with closing(connect(path)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        raise StorageFailedError(f"cannot read {path}: {error}") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open it, and refuse what only looks like a database."""
    where = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(where, uri=True, isolation_level=None, timeout=BUSY_S)
    try:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def read_meta(connection: sqlite3.Connection) -> dict[str, str]:
    """Read what a database says of itself; nothing where it is none of a bus."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    return dict(connection.execute("SELECT key, value FROM meta")) if "meta" in tables else {}
