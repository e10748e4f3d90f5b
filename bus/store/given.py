"""The highest place of the log that was ever given out, also where its row is trimmed away since.

SQLite keeps it by itself. PostgreSQL's own counters go on without the transaction that asked them,
so there it is the newest row, which no trim takes, or where a restore had the log begin anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.store.meta import set_fact
from bus.store.schema import log, meta
from bus.store.statement import POSTGRESQL, Statement, bind

if TYPE_CHECKING:
    from bus.store.transaction import Transaction

SEQUENCE = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
BY_SQLITE = Statement(sa.select(SEQUENCE.c.seq).where(SEQUENCE.c.name == "log"))
FROM = "log_from"
BEGUN = sa.select(sa.cast(meta.c.value, log.c.seq.type)).where(meta.c.key == FROM)
GIVEN = sa.func.greatest(
    sa.select(sa.func.max(log.c.seq)).scalar_subquery(), BEGUN.scalar_subquery(), 0
)
BY_POSTGRESQL = Statement(sa.select(GIVEN))
FORGET = Statement(SEQUENCE.delete().where(SEQUENCE.c.name == "log"))
BEGIN = Statement(SEQUENCE.insert().values(name="log", seq=bind("seq")))


def last_given(conn: sa.Connection) -> int:
    """Read it, under the lock of the one writer."""
    asked = BY_POSTGRESQL if conn.dialect.name == POSTGRESQL else BY_SQLITE
    return asked.scalar(conn) or 0


def set_last_given(tx: Transaction, seq: int) -> None:
    """Have the log go on above a place."""
    if tx.conn.dialect.name == POSTGRESQL:
        set_fact(tx, FROM, str(seq))
    else:
        FORGET.run(tx.conn, {})
        BEGIN.run(tx.conn, {"seq": seq})
