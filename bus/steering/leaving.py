"""What takes the meaning from an open approval: a closed session, a run that ended, who went."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bus.sessions import service as sessions
from bus.sessions.model import CLOSED
from bus.steering import queries
from bus.steering.ending import End, end
from bus.steering.model import DROPPED

if TYPE_CHECKING:
    from collections.abc import Collection

    from bus.store.statement import Row
    from bus.store.transaction import Transaction


def on_session_moved(tx: Transaction, session: Row, what: str) -> None:
    """Hear what was done with a session: who asked or could answer has left, or it was closed."""
    if what not in {CLOSED, "left"}:
        return
    there = sessions.members(tx.conn, session.number)
    ids = {one.participant_id for one in there}
    people = {one.participant_id for one in there if one.kind == "person"}
    for row in queries.open_in(tx.conn, session.number):
        why = "the session was closed" if what == CLOSED else why_lost(row, ids, people)
        if why:
            end(tx, row, End(DROPPED, reason=why))


def why_lost(row: Row, ids: Collection[int], people: Collection[int]) -> str:
    """Say why an approval has lost its meaning with who is in its session now, or nothing."""
    if row.asker_kind != "worker" and row.asker_id not in ids:
        return f"{row.asker} is no longer in the session"
    could = {*(json.loads(row.who) or people)} & {*people} - {row.asker_id}
    return "" if could else "nobody who could answer is in the session any more"


def on_session_forgotten(tx: Transaction, number: int) -> None:
    """Hear that a session goes for good, in which nobody is: with what was asked there."""
    queries.forget(tx.conn, number)


def on_run_ended(tx: Transaction, run: Row) -> None:
    """Hear of a run's end: nothing is to be approved for it any more; its result wakes."""
    for row in queries.open_for_run(tx.conn, run.id):
        end(tx, row, End(DROPPED, reason=f"run {run.id} is {run.state}", wakes=False))
