"""Every statement of the brief, one named function each."""

from __future__ import annotations

import sqlalchemy as sa

from bus.store.schema import participants
from bus.store.statement import Statement, bind

SEEN = Statement(sa.select(participants.c.brief_ms).where(participants.c.id == bind("whose")))


def seen_ms(conn: sa.Connection, participant_id: int) -> int | None:
    """Give until when somebody has seen what happened."""
    seen: int | None = SEEN.scalar(conn, whose=participant_id)
    return seen


def set_seen(conn: sa.Connection, participant_id: int, until_ms: int) -> None:
    """Keep it; it never goes back."""
    later = sa.or_(participants.c.brief_ms.is_(None), participants.c.brief_ms < until_ms)
    mine = participants.update().where(participants.c.id == participant_id, later)
    conn.execute(mine.values(brief_ms=until_ms))
