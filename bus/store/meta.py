"""What a database says of itself: its epoch, how far its log was trimmed; a value a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.store.schema import meta
from bus.store.statement import Statement

if TYPE_CHECKING:
    from bus.store.transaction import Transaction

ALL = Statement(sa.select(meta))
SET = sa.text(
    "INSERT INTO meta (key, value) VALUES (:key, :value)"
    " ON CONFLICT (key) DO UPDATE SET value = :value"
)


RIGHTS = "rights"
COUNT = sa.text(
    "INSERT INTO meta (key, value) VALUES (:key, '1') ON CONFLICT (key) DO UPDATE"
    " SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)"
)


def read_facts(conn: sa.Connection) -> dict[str, str]:
    return {row.key: row.value for row in ALL.rows(conn)}


def set_fact(tx: Transaction, key: str, value: str) -> None:
    tx.conn.execute(SET, {"key": key, "value": value})


def count_rights(conn: sa.Connection) -> None:
    """Count that somebody's rights may have changed, for whoever else has the database open."""
    conn.execute(COUNT, {"key": RIGHTS})
