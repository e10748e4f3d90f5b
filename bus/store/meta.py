"""What a database says of itself: its epoch, how far its log was trimmed; a value a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.store.schema import meta
from bus.store.statement import Statement, bind
from bus.store.version import check_version

if TYPE_CHECKING:
    from bus.store.transaction import Transaction

ALL = Statement(sa.select(meta))
SET = sa.text(
    "INSERT INTO meta (key, value) VALUES (:key, :value)"
    " ON CONFLICT (key) DO UPDATE SET value = :value"
)


RIGHTS = "rights"
WRITER = "writer"
STAMP = sa.table("alembic_version", sa.column("version_num"))
TURN = Statement(
    sa.select(
        sa.select(meta.c.value).where(meta.c.key == bind("key")).scalar_subquery().label("writer"),
        sa.select(STAMP.c.version_num).scalar_subquery().label("at"),
    )
)
"""Who wrote last, and at which schema the database is: in one question, asked at each turn."""
COUNT = sa.text(
    "INSERT INTO meta (key, value) VALUES (:key, '1') ON CONFLICT (key) DO UPDATE"
    " SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)"
)


def read_facts(conn: sa.Connection) -> dict[str, str]:
    return {row.key: row.value for row in ALL.rows(conn)}


def set_fact(tx: Transaction, key: str, value: str) -> None:
    tx.conn.execute(SET, {"key": key, "value": value})


def take_turn(conn: sa.Connection, name: str) -> bool:
    """Be who writes now; says whether another one was before.

    Raises:
        SchemaError: the schema is no longer this program's: it was changed while this one started,
            or was not heard of.
    """
    (last,) = TURN.rows(conn, key=WRITER)
    check_version(last.at or "")
    if last.writer == name:
        return False
    conn.execute(SET, {"key": WRITER, "value": name})
    return True


def count_rights(conn: sa.Connection) -> None:
    """Count that somebody's rights may have changed, for whoever else has the database open."""
    conn.execute(COUNT, {"key": RIGHTS})
