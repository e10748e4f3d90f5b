"""The statements of searching what was said: what the index of words points to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.sessions.queries import author
from bus.store.schema import entries, sessions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.store.statement import Row

FULL = (
    sa.select(
        *(
            entries.c[name]
            for name in ("id", "number", "place", "at_ms", "kind", "author", "trust")
        ),
        author.c.name.label("author_name"),
        sessions.c.id.label("session_id"),
        sessions.c.title,
    )
    .select_from(entries.join(sessions).outerjoin(author, author.c.id == entries.c.author_id))
    .order_by(entries.c.number.desc())
)


def with_numbers(conn: sa.Connection, numbers: Sequence[int]) -> Sequence[Row]:
    """Read entries that were found, the newest first."""
    return conn.execute(FULL.where(entries.c.number.in_(numbers))).all()


TITLES = sa.select(sessions.c.id, sessions.c.title, sessions.c.state).order_by(
    sessions.c.changed_ms.desc()
)


def titles(conn: sa.Connection, numbers: Sequence[int]) -> Sequence[Row]:
    """Read the titles of some sessions, the last changed first."""
    return conn.execute(TITLES.where(sessions.c.number.in_(numbers))).all()
