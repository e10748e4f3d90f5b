"""Telling those who are in a session with somebody that they came, or went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.directory import service as directory
from bus.sessions import queries
from bus.store.log import Concerns, append

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.store.transaction import Transaction

AMONG_THEM = "SESSIONS"
"""Stands as a compartment that nobody is in, since none has such a name: see `concerns`."""


def has_company(conn: sa.Connection, participant_id: int) -> bool:
    """Say whether anybody would hear of it."""
    return bool(queries.company_of(conn, participant_id))


def on_seen(tx: Transaction, participant_id: int, is_here: bool) -> None:
    """Hear that somebody came or went: each who is in an open session with them hears it once."""
    data = {
        "session": None,
        "what": "presence",
        "who": directory.get(tx.conn, participant_id).name,
        "online": is_here,
        "at": tx.now_text,
    }
    for one in queries.company_of(tx.conn, participant_id):
        concerns = Concerns(participant_id=one.participant_id, compartment=AMONG_THEM)
        append(tx, "session", {"to_agent": one.name, **data}, concerns)
