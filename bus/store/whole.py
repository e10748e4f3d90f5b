"""Whether a database of PostgreSQL is whole: what fills one marks it until that has ended.

A move and a restore take more than one transaction. One that was cut off leaves the mark, and
`bus serve` refuses with the reason and the command that goes on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.errors import SchemaError

if TYPE_CHECKING:
    import psycopg

FROM_THE_BEGINNING = {"meta", "alembic_version", "processes", "leases", "buckets"}
"""The tables that may have rows in a database in which nobody has said anything."""
MARK = "unfinished"
"""The table with what is not done yet; a whole database has none."""
GO_ON = {"move": "bus move", "restore": "bus restore FILE"}
WORDS = {"move": "a move into it", "restore": "a restore into it"}


def tables_of(conn: psycopg.Connection[Any]) -> list[str]:
    """List the tables of a database, those of others among them."""
    found = conn.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
    )
    return [name for (name,) in found]


def filled(conn: psycopg.Connection[Any]) -> list[str]:
    """List the tables that have rows, but for those that a database has from its beginning."""
    return [
        name
        for name in tables_of(conn)
        if name not in FROM_THE_BEGINNING | {MARK}
        and conn.execute(f'SELECT 1 FROM "{name}" LIMIT 1'.encode()).fetchone()  # noqa: S608 - the database's own names
    ]


def clear(conn: psycopg.Connection[Any]) -> None:
    """Throw away every table of a database in which nothing is whole."""
    found = ", ".join(f'"{name}"' for name in tables_of(conn))
    if found:
        conn.execute(f"DROP TABLE {found} CASCADE".encode())


def begin(conn: psycopg.Connection[Any], what: str, facts: dict[str, Any]) -> None:
    """Mark it; the caller's transaction makes that true."""
    conn.execute(f"CREATE TABLE {MARK} (what text NOT NULL, facts text NOT NULL)")
    conn.execute(f"INSERT INTO {MARK} VALUES (%s, %s)", (what, json.dumps(facts)))  # noqa: S608 - fixed


def end(conn: psycopg.Connection[Any]) -> None:
    """Take the mark away."""
    conn.execute(f"DROP TABLE IF EXISTS {MARK}")


def read_mark(conn: psycopg.Connection[Any]) -> tuple[str, dict[str, Any]] | None:
    """Give what fills it and is not done, with what was noted then; None where it is whole."""
    if MARK not in tables_of(conn):
        return None
    what, facts = conn.execute(f"SELECT what, facts FROM {MARK}").fetchone() or ("", "{}")  # noqa: S608 - fixed
    return what, json.loads(facts)


def check_whole(conn: psycopg.Connection[Any]) -> None:
    """Refuse one that is not whole.

    Raises:
        SchemaError: a move or a restore into it has not ended.
    """
    mark = read_mark(conn)
    if mark is not None:
        what = mark[0]
        raise SchemaError(
            f"{WORDS.get(what, 'a command')} has not ended, so the database is not whole yet; go "
            f"on with: {GO_ON.get(what, 'bus restore FILE')}"
        )
