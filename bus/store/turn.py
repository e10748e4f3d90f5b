"""Whose turn it is to write, where several processes do, and what is to be known before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bus.store.given import GIVEN
from bus.store.schema import meta
from bus.store.statement import Statement, bind
from bus.store.version import check_version

if TYPE_CHECKING:
    from bus.store.statement import Row

WRITER = "writer"
STAMP = sa.table("alembic_version", sa.column("version_num"))
TURN = Statement(
    sa.select(
        sa.select(meta.c.value).where(meta.c.key == WRITER).scalar_subquery().label("writer"),
        sa.select(STAMP.c.version_num).scalar_subquery().label("at"),
        GIVEN.label("last_seq"),
    )
)
"""Who wrote last and how far, and at which schema the database is: one question at each turn."""
TAKE = Statement(
    postgresql.insert(meta)
    .values(key=WRITER, value=bind("name"))
    .on_conflict_do_update(index_elements=["key"], set_={"value": bind("name")})
)


class Turn(NamedTuple):
    """What one process finds as it begins to write."""

    is_after_others: bool
    last_seq: int
    """The last place of the log that was given out."""


def take_turn(conn: sa.Connection, name: str) -> Turn:
    """Be who writes now.

    Raises:
        SchemaError: the schema is no longer this program's: it was changed while this one started,
            or was not heard of.
    """
    found: Row = TURN.rows(conn)[0]
    check_version(found.at or "")
    is_after_others = found.writer != name
    if is_after_others:
        TAKE.run(conn, {"name": name})
    return Turn(is_after_others, found.last_seq)
