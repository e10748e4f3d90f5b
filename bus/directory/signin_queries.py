"""Every statement of signing in, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.store.schema import signins

if TYPE_CHECKING:
    from collections.abc import Mapping


def insert(conn: sa.Connection, values: Mapping[str, Any]) -> None:
    conn.execute(signins.insert(), values)


def good(conn: sa.Connection, code_hash: str, now_ms: int) -> sa.Row[Any] | None:
    query = sa.select(signins).where(
        signins.c.code_hash == code_hash, signins.c.expires_ms > now_ms
    )
    return conn.execute(query).first()


def forget(conn: sa.Connection, participant_id: int, now_ms: int) -> None:
    """Forget a person's codes, and whoever's that are over."""
    mine = signins.c.participant_id == participant_id
    conn.execute(signins.delete().where(sa.or_(mine, signins.c.expires_ms <= now_ms)))


def forget_all(conn: sa.Connection) -> None:
    conn.execute(signins.delete())
