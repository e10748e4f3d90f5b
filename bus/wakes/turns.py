"""What became of the turns of some wakes, for who reads a ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.wakes import queries
from bus.wakes.ledger import times_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa


def turns_of(conn: sa.Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Tell of wakes by their ids what became of each turn: how it was begun, its times, its end.

    Whoever knows a wake's id, by a ladder that it may see, may know that.
    """
    return {
        wake.id: {"method": wake.method, "turn_id": wake.turn_id, "result": wake.result}
        | times_of(wake)
        for wake in queries.with_ids(conn, ids)
    }
