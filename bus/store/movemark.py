"""The mark of a move in the SQLite file that is left: it may not be served beside its copy.

It is put there before the first row is copied, so that nobody goes on writing what is being
copied, and says in the end that all of it is elsewhere. It knows the standard library alone.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bus.errors import SchemaError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "moved"
"""The row of `meta` in which it stands; it is not carried over."""


@dataclass(frozen=True)
class Mark:
    """Where to a bus goes or went; `move` is the move's own name, and the copy has it too."""

    move: str
    to: str
    at_ms: int
    is_done: bool = False


def read_mark(conn: sqlite3.Connection) -> Mark | None:
    """Give the mark of a database, if it has one; one without a schema has none."""
    if not conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone():
        return None
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (KEY,)).fetchone()
    return Mark(**json.loads(row[0])) if row else None


def set_mark(db_path: Path, mark: Mark | None) -> None:
    """Write the mark, or take it away; whoever calls holds the lock."""
    with closing(sqlite3.connect(db_path)) as conn, conn:
        conn.execute("PRAGMA synchronous=FULL")
        conn.execute("DELETE FROM meta WHERE key = ?", (KEY,))
        if mark is not None:
            conn.execute("INSERT INTO meta VALUES (?, ?)", (KEY, json.dumps(asdict(mark))))


def how_to_fill(db_path: Path) -> str:
    """Say what fills an empty PostgreSQL: the bus of this file where it is there, or a new one."""
    if db_path.exists():
        return f"bus move carries over the bus of {db_path}; a new one: bus init"
    return "bus init"


def check_mark(db_path: Path) -> None:
    """Refuse to serve what is being moved, or was; whoever calls holds the lock.

    Raises:
        SchemaError: it is marked, with what to do.
    """
    with closing(sqlite3.connect(db_path)) as conn:
        mark = read_mark(conn)
    if mark is None:
        return
    if mark.is_done:
        raise SchemaError(
            f"this bus has moved to {mark.to}: set BUS_DATABASE_URL. To serve {db_path} again as "
            "it was before, without what happened there since: bus move --undo"
        )
    raise SchemaError(
        f"this bus is being moved to {mark.to}, and that has not ended; go on: bus move --to URL, "
        "or stay here: bus move --undo"
    )
