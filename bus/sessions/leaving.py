"""Who must go out of a session though nobody says so: who was removed, or is of other compartments.

Compartments hold: nobody reads on with those who may no longer know of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.access.rules import may_see
from bus.directory import service as directory
from bus.sessions import queries
from bus.sessions.changing import take_out

if TYPE_CHECKING:
    from bus.store.transaction import Transaction


def on_removed(tx: Transaction, participant_id: int) -> None:
    """Hear that an agent or a person was removed: they are in no session any more."""
    name = directory.get(tx.conn, participant_id).name
    leave_all(tx, participant_id, f"{name} was removed from the bus", None)


def on_changed(tx: Transaction, participant_id: int) -> None:
    """Hear that somebody is perhaps of other compartments: out of where not all see them."""
    me = directory.get(tx.conn, participant_id)
    if me.removed:
        return
    others = queries.others_with(tx.conn, participant_id)
    apart = {
        who
        for who in {row.participant_id for row in others}
        if not may_see(me.compartments, directory.get(tx.conn, who).compartments)
    }
    numbers = {row.session_number for row in others if row.participant_id in apart}
    if numbers:
        why = f"{me.name} was taken out: not all in it share a compartment with it any more"
        leave_all(tx, participant_id, why, numbers)


def leave_all(tx: Transaction, participant_id: int, why: str, numbers: set[int] | None) -> None:
    """Take somebody out of some sessions, or of all."""
    mine = queries.numbers_of(tx.conn, participant_id)
    rows = queries.with_numbers(tx.conn, mine)
    for number in mine:
        member = queries.member(tx.conn, number, participant_id)
        if member is not None and (numbers is None or number in numbers):
            take_out(tx, rows[number], member, why, None)
