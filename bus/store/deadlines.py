"""Which rows of a table are due, and when the next one is: the same question of every room.

What is set aside is left out by its keys, so that it holds up nothing behind it. It knows no table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.store.statement import Statement, bind

if TYPE_CHECKING:
    from collections.abc import Collection

    from bus.store.statement import Row


class Deadlines:
    """The deadlines of one table; `full` selects a row of it as its room works on it."""

    def __init__(self, table: sa.Table, full: sa.Select[tuple[object, ...]]) -> None:
        due_ms = table.c.due_ms
        self.all_due = Statement(
            full.where(due_ms <= bind("now_ms")).order_by(due_ms).limit(bind("most"))
        )
        self.next_due = Statement(
            sa.select(table.c.id, due_ms)
            .where(due_ms.is_not(None))
            .order_by(due_ms)
            .limit(bind("most"))
        )

    def due(
        self, conn: sa.Connection, now_ms: int, limit: int, without: Collection[object] = ()
    ) -> list[Row]:
        """Read what is due, the longest overdue first."""
        rows = self.all_due.rows(conn, now_ms=now_ms, most=limit + len(without))
        return [row for row in rows if row.id not in without][:limit]

    def first_due(self, conn: sa.Connection, without: Collection[object] = ()) -> int | None:
        """Give when the next row is due, in ms, or None where none ever is."""
        rows = self.next_due.rows(conn, most=1 + len(without))
        return next((row.due_ms for row in rows if row.id not in without), None)
