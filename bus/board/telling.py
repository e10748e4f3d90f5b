"""Who hears of a move, and in which words: messages that the bus writes in the move's transaction.

A title and a note are another's words; they stand in quotes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.board.model import BLOCKED, DONE, REVIEW
from bus.directory import service as directory
from bus.mail import service as mail
from bus.mail.rules import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

WORDS = {
    "hand in": "waits for a review: {who} handed it in",
    "finish": "is done: {who} finished it",
    "approve": "is done: {who} approved it",
    "send back": "is in progress again: {who} sent it back",
    "give back": "is in the backlog again: {who} gave it back",
    "take over": "is {who}'s now, who took it over",
    "reopen": "is in the backlog again: {who} reopened it",
    "block": "is blocked: {who} says why",
    "unblock": "goes on: {who} unblocked it",
    "orphan": "is in the backlog again: {who} was removed from the bus",
}
QUIET = ("claim",)
"""Moves that nobody needs to hear of."""


@dataclass(frozen=True)
class Deed:
    """What was done with a task: the move, who made it, and the note that went with it."""

    move: str
    by: Participant
    note: str = ""
    principal: Principal | None = None
    """Who asked for it; none where the bus itself moved it."""


def tell_parties(tx: Transaction, before: Row, now: Row, deed: Deed) -> list[str]:
    """Tell everybody whom a move concerns but who made it; gives their names."""
    if deed.move in QUIET:
        return []
    whom = {one.id: one for one in whom_to_tell(tx.conn, before, now)}
    whom.pop(deed.by.id, None)
    said = f": {quote(deed.note)}" if deed.note.strip() else ""
    words = WORDS[deed.move].format(who=deed.by.name)
    what = f"Task {now.id} {quote(now.title)} {words}{said}."
    bodies = {one.id: f"{what} {next_step(now, one)}" for one in whom.values()}
    if deed.principal is None:
        for who, body in bodies.items():
            mail.tell(tx, who, "BOARD", body, wake=True)
    else:
        mail.tell_deed(tx, mail.Deed(deed.principal, thread_of(now)), whom, bodies, "BOARD")
    return sorted(one.name for one in whom.values())


def thread_of(row: Row) -> str:
    """Name the thread of a task's moves: by its id, so that all of them are one talk."""
    return f"t_{row.id.removeprefix('c_')}"


def whom_to_tell(conn: sa.Connection, before: Row, now: Row) -> list[Participant]:
    """List whom a task concerns as it is now, and whom it was taken from."""
    holder = present(conn, now.compartment, [before.holder_id])
    if now.status == REVIEW:
        return holder + reviewers_of(conn, now)
    if now.status in {DONE, BLOCKED}:
        return holder + (leads_of(conn, now) or present(conn, now.compartment, [now.creator_id]))
    return holder


def reviewers_of(conn: sa.Connection, row: Row) -> list[Participant]:
    """Find who is to look at a result: whom the task names, else a lead, else the people."""
    named = present(conn, row.compartment, [row.reviewer_id])
    return named or leads_of(conn, row) or directory.people_of(conn, row.compartment)


def leads_of(conn: sa.Connection, row: Row) -> list[Participant]:
    """Find a task's lead, else those of its compartment."""
    named = present(conn, row.compartment, [row.lead_id])
    return named or directory.leads_of(conn, row.compartment)


def present(conn: sa.Connection, compartment: str, ids: Iterable[int | None]) -> list[Participant]:
    """Leave out who is not there any more, or not in the compartment any more."""
    there = [directory.get(conn, one) for one in ids if one is not None]
    return [one for one in there if not one.removed and compartment in one.compartments]


def next_step(row: Row, reader: Participant) -> str:
    """Write what a reader does next, in the words that it has: commands, or calls."""
    is_person = reader.kind == "person"
    if not is_person:
        look = f"GET /api/tasks/{row.id}"
        if row.status != REVIEW or reader.id == row.holder_id:
            return look
        call = f"PATCH /api/tasks/{row.id}"
        back = '{"status":"in_progress","note":"WHY"}'
        return f'{look}; good: {call} {{"status":"done"}}; not yet: {call} {back}'
    look = f"bus task show {row.id}"
    if row.status != REVIEW or reader.id == row.holder_id:
        return look
    move = f"bus task move {row.id}"
    return f"{look}; good: {move} done; not yet: {move} in_progress --note WHY"
