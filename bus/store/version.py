"""Which schema a database has, asked with the standard library alone.

`bus serve` asks this before it forks, when nothing heavier may be imported yet.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from bus.errors import SchemaError, StorageFailedError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "0019"
"""The newest migration; `bus serve` refuses a database at another. A test holds the two equal."""


def check_version(at: str) -> None:
    """Refuse a database that is not at this program's schema; revisions sort as their age.

    Raises:
        SchemaError: it is older, or a newer program's.
    """
    if at > HEAD:
        raise newer(at)
    if at != HEAD:
        raise SchemaError(
            f"the database is at schema {at}, this program at {HEAD}; run: bus migrate --backup"
        )


def newer(at: str) -> SchemaError:
    """Say what to do about a database of a newer program."""
    return SchemaError(
        f"a newer program has changed this database: it is at schema {at}, this program knows up "
        f"to {HEAD}. Nothing was touched. Install the newer program again, or restore a backup "
        "made before it (docs/howto/upgrade.md)"
    )


def read_version(db_path: Path) -> str | None:
    """Give the revision of a database, or None where it has none or is not there.

    For whoever holds the lock: this finishes what a process that was killed has left half-written.
    """
    if not db_path.exists():
        return None
    try:
        connection = sqlite3.connect(db_path)
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise StorageFailedError(f"cannot read {db_path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StorageFailedError(f"{db_path} is not a database: {error}") from error
    return row[0] if row else None
