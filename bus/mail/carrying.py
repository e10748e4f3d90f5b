"""What the bus writes because somebody did something: it goes on in the chain of the one who did.

Agents that answer each other by moving a task to and fro would else never be seen by the guard:
each is woken by a word of the bus, which has no chain of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.guard import service as guard
from bus.mail import notes, queries
from bus.mail.model import Draft
from bus.mail.moves import end
from bus.mail.recipients import Request
from bus.mail.threads import Context, choose_parent, hold_of, is_input, release_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

MOST_HELD = 20
"""So many words of one thing are held for one reader; what is older says what is no longer so."""


@dataclass(frozen=True)
class Deed:
    """Who did something, and the thread of what it was done with."""

    principal: Principal
    thread: str


def tell_deed(
    tx: Transaction,
    deed: Deed,
    whom: Mapping[int, Participant],
    bodies: Mapping[int, str],
    kind: str,
) -> None:
    """Tell others what somebody did: held, where the guard would hold a word of theirs."""
    context = find_context(tx, deed, {one.name for one in whom.values()})
    by_id = deed.principal.participant_id or 0
    for one in whom.values():
        held = hold_of(tx, context, by_id, one)
        draft = Draft(to=(), body=bodies[one.id], type=kind, reply_expected=False)
        notes.write_to(tx, draft, context, one.id, held)
        if held:
            make_room(tx, deed.thread, one.id)


def find_context(tx: Transaction, deed: Deed, names: set[str]) -> Context:
    """Find how far it has come: by what its doer is at work on, and by what was done before it."""
    me, last = deed.principal, queries.last_in(tx.conn, deed.thread)
    if me.kind == "person":
        if last is not None:
            release_thread(tx, deed.thread)
            guard.hear_person(tx, deed.thread)
        return Context(deed.thread, 0, (me.name,), is_new=True)
    request = Request(tx, me)
    parent = choose_parent(request.find_leased(), request.find_settled(), {me.name, *names})
    so_far = 0
    if parent is None or not is_input(parent):
        known = [row for row in (parent, last) if row is not None]
        if not known:
            return Context(deed.thread, 0, (me.name,), is_new=True)
        parent = max(known, key=lambda row: come_so_far(tx, row))
        so_far = come_so_far(tx, parent)
    path = (*json.loads(parent.path), me.name)[-guard.PATH :]
    return Context(deed.thread, guard.start_of(tx.conn, deed.thread) + so_far + 1, path)


def come_so_far(tx: Transaction, row: Row) -> int:
    """Count how far a chain has come since a person let it go."""
    return max(0, int(row.hops) - guard.start_of(tx.conn, row.thread))


def make_room(tx: Transaction, thread: str, participant_id: int) -> None:
    """End the oldest that is held for somebody: its place is taken by what is true now."""
    mine = [row for row in queries.held_in(tx.conn, thread) if row.recipient_id == participant_id]
    for row in mine[:-MOST_HELD]:
        end(tx, row, "expired", "it made room for newer notes of the bus")
