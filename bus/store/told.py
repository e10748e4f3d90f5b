"""Of whom it was told last that they are here: what the processes of a bus tell once together.

A row a participant, among the leases: one that no process holds and that does not run out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.store.schema import leases

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = "here "


def was_told(conn: sa.Connection, participant_id: int) -> bool:
    """Say whether it was told last that somebody is here."""
    query = sa.select(leases.c.name).where(leases.c.name == f"{HERE}{participant_id}")
    return conn.execute(query).first() is not None


def take_as_told(conn: sa.Connection, participant_id: int, *, is_here: bool) -> bool:
    """Keep what is told now; says whether it is news."""
    if was_told(conn, participant_id) == is_here:
        return False
    name = f"{HERE}{participant_id}"
    if is_here:
        conn.execute(leases.insert().values(name=name, holder="", until_ms=0))
    else:
        conn.execute(leases.delete().where(leases.c.name == name))
    return True


def all_told(conn: sa.Connection) -> Iterable[int]:
    """List of whom it was told last that they are here."""
    query = sa.select(leases.c.name).where(leases.c.name.startswith(HERE, autoescape=True))
    return [int(name.removeprefix(HERE)) for name in conn.execute(query).scalars()]
