"""Moving a task and changing what it says: what a call asks for, done or refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bus.board import queries, rules
from bus.board.finding import find, find_chief, name_roles, roles_of
from bus.board.model import BACKLOG, BLOCKED, CHANGED, IN_PROGRESS, LEAD, MOVED, PERSON, Change
from bus.board.showing import card_of, show
from bus.board.telling import Deed, tell_parties
from bus.board.writing import set_and_reread, write_history, write_note
from bus.directory import service as directory
from bus.errors import ForbiddenError
from bus.mail.model import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.access.model import Principal
    from bus.board.model import Move
    from bus.directory.model import Participant
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

TAKES = ("claim", "take over")
"""Moves after which the mover holds the task."""


def act(tx: Transaction, principal: Principal, task_id: str, change: Change) -> dict[str, Any]:
    """Change a task's fields, then move it; a move that was made already changes nothing."""
    row = find(tx.conn, principal, task_id)
    me = directory.get(tx.conn, principal.participant_id or 0)
    roles = roles_of(tx.conn, principal, row)
    if change.seen and not (change.status and is_repeated(tx, me, row, change.status)):
        check_seen(tx, row, change.seen)
    if change.fields:
        row = edit(tx, me, row, roles, change.fields)
    told: list[str] = []
    already = change.status is not None and is_repeated(tx, me, row, change.status)
    if change.status is not None and not already:
        names = partial(name_roles, tx.conn, row)  # asked only where it is refused
        card = card_of(row, tx.now_ms, tx.config)
        move = rules.judge(card, change.status, roles, change.note, names)
        already = move.name == "refresh"
        if already:
            row = refresh(tx, me, row, change.note)
        else:
            row, told = make(tx, principal, me, row, move, change.note)
    return show(row, tx.now_ms, tx.config) | {"already": already, "told": told}


def check_seen(tx: Transaction, row: Row, seen: str) -> None:
    """Refuse a move of a task that stands elsewhere than its mover saw it, naming who moved it."""
    if seen != row.status:
        by = queries.last_move(tx.conn, row.id).by_id
        rules.check_seen(row.status, seen, directory.get(tx.conn, by).name if by else SYSTEM)


def is_repeated(tx: Transaction, me: Participant, row: Row, to: str) -> bool:
    """Say whether this very move was the last one: the answer was lost, perhaps."""
    if row.status != to or to == IN_PROGRESS:
        return False
    last = queries.last_move(tx.conn, row.id)
    return bool(last.by_id == me.id and last.kind == MOVED)


def refresh(tx: Transaction, me: Participant, row: Row, note: str) -> Row:
    """Have a claim be good for as long again; a note with it is kept."""
    if note.strip():
        write_note(tx, row, note, me)
    return set_and_reread(tx, row.id, refreshed_ms=tx.now_ms)


def make(  # noqa: PLR0913, PLR0917 - who, what and why
    tx: Transaction, principal: Principal, me: Participant, row: Row, move: Move, note: str
) -> tuple[Row, list[str]]:
    """Make a move and tell whom it concerns."""
    now = set_and_reread(tx, row.id, **changes_of(tx, row, move, me))
    write_history(tx, now, MOVED, me, note)
    tx.record("task_moved", task=row.id, move=move.name, to=now.status, by=me.name)
    told = tell_parties(tx, row, now, Deed(move.name, me, note, principal))
    tx.announce("task_moved", now=now)
    return now, told


def changes_of(tx: Transaction, row: Row, move: Move, me: Participant) -> dict[str, Any]:
    """Give the columns that a move changes."""
    values: dict[str, Any] = {"status": move.to, "changed_ms": tx.now_ms}
    if move.name in TAKES:
        values["holder_id"] = me.id
    if move.to == IN_PROGRESS:
        values["refreshed_ms"] = tx.now_ms
    if move.to == BACKLOG:
        values |= {"holder_id": None, "refreshed_ms": None}
    if move.to == BLOCKED:
        values |= {"blocked_from": row.status, "blocker_id": me.id}
    if move.start == BLOCKED:
        values |= {"blocked_from": None, "blocker_id": None}
    return values


def edit(
    tx: Transaction, me: Participant, row: Row, roles: set[str], fields: Mapping[str, Any]
) -> Row:
    """Set fields of a task: for who added it, a lead and a person."""
    decides = bool(roles & {LEAD, PERSON})
    if not decides and (me.id != row.creator_id or not roles):
        raise ForbiddenError(f"to change it is for who added it ({row.creator}), a lead, a person")
    if "ops" in fields and not decides:
        raise ForbiddenError("'ops', which spares a task its review, is for a lead or a person")
    values = {name: fields[name] for name in ("title", "body") if name in fields}
    values |= {"ops": int(fields["ops"])} if "ops" in fields else {}
    for name in ("lead", "reviewer"):
        if name in fields:
            values[f"{name}_id"] = find_chief(tx.conn, fields[name], name, row.compartment)
    now = set_and_reread(tx, row.id, changed_ms=tx.now_ms, **values)
    write_history(tx, now, CHANGED, me, ", ".join(fields))
    return now
