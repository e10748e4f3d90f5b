"""Who sees an approval, and how it looks: to its asker, and to those in its session."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from bus.clock import shown_time, to_text
from bus.directory import service as directory
from bus.errors import NotFoundError
from bus.sessions import service as sessions
from bus.steering import queries
from bus.steering.model import OPEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.steering.model import Ask, Asked
    from bus.store.statement import Row

Shown = dict[str, Any]
PAGE = 100


def find(conn: sa.Connection, principal: Principal, approval_id: str) -> Row:
    """Find an approval for its asker or somebody in its session; for all others there is none."""
    row = queries.find(conn, approval_id)
    if row is None or not sees(conn, principal, row):
        raise NotFoundError(f"no approval {approval_id[:40]!r} that is yours to see")
    return row


def sees(conn: sa.Connection, principal: Principal, row: Row) -> bool:
    """Say whether an approval is somebody's to see."""
    me = principal.participant_id
    return me is not None and (me == row.asker_id or is_there(conn, row, me))


def is_there(conn: sa.Connection, row: Row, participant_id: int) -> bool:
    """Say whether somebody is in the session of an approval."""
    return sessions.is_in(conn, sessions.get(conn, row.session_id), participant_id)


def may_answer(conn: sa.Connection, principal: Principal, row: Row) -> bool:
    """Say whether somebody may answer: a person in the session who was asked, and not the asker."""
    me = principal.participant_id
    if principal.kind != "person" or me is None or me == row.asker_id:
        return False
    return me in (json.loads(row.who) or [me]) and is_there(conn, row, me)


def names_of(conn: sa.Connection, row: Row) -> list[str]:
    """Name those of whom it was asked; none means anyone."""
    return [directory.get(conn, who).name for who in json.loads(row.who)]


def list_approvals(conn: sa.Connection, principal: Principal, asked: Asked) -> Shown:
    """List what is one's own to answer and what one has asked; of one session all."""
    me = principal.participant_id or 0
    if asked.session is not None:
        numbers = [sessions.find(conn, principal, asked.session).number]
    else:
        numbers = sessions.numbers_of(conn, me) if principal.kind == "person" else []
    before = queries.ANY_NUMBER
    if asked.after is not None:
        before = find(conn, principal, asked.after).number
    found = queries.newest(conn, me, numbers, asked.state, before, PAGE)
    mine = (row for row in found if is_wanted(row, me, asked))
    page = list(itertools.islice(mine, asked.limit + 1))
    shown = [show_whole(conn, principal, row) for row in page[: asked.limit]]
    more = page[asked.limit - 1].id if len(page) > asked.limit else None
    return {"approvals": shown, "next": more}


def is_wanted(row: Row, me: int, asked: Asked) -> bool:
    """Say whether an approval belongs into a list."""
    if asked.session is not None:
        return bool(row.session_id == asked.session)
    return row.asker_id == me or me in (json.loads(row.who) or [me])


def show_whole(conn: sa.Connection, principal: Principal, row: Row) -> Shown:
    """Show an approval to one who may see it."""
    is_mine = row.state == OPEN and may_answer(conn, principal, row)
    return {
        "approval_id": row.id,
        "session_id": row.session_id,
        "session_title": row.session_title,
        "entry_id": row.entry_id,
        "place": row.place,
        "title": row.title,
        "body": row.body,
        "asked_by": row.asker,
        "asked_at": to_text(row.created_ms),
        "who": names_of(conn, row),
        "may_answer": is_mine,
        **show_facts(row),
        "note": row.note,
    }


def show_facts(row: Row) -> Shown:
    """Show what can be answered, until when, and what was."""
    return {
        "state": row.state,
        "options": json.loads(row.options),
        "on_expiry": row.on_expiry,
        "expires_at": to_text(row.expires_ms),
        "run_id": row.run_id,
        "answer": row.answer,
        "answered_by": row.answered_by,
        "ended_at": shown_time(row.ended_ms),
        "reason": row.reason,
    }


def show_open(approval_id: str, asked: Ask, names: Sequence[str], expires_ms: int) -> Shown:
    """Show in an entry what is asked."""
    return {
        "approval_id": approval_id,
        "title": asked.title,
        "who": list(names),
        "state": OPEN,
        "options": list(asked.options),
        "on_expiry": asked.on_expiry,
        "expires_at": to_text(expires_ms),
        "run_id": asked.run_id,
        "answer": None,
        "answered_by": None,
        "ended_at": None,
        "reason": "",
    }


def show_ended(row: Row, names: Sequence[str]) -> Shown:
    """Show in an entry what came of it."""
    told = {"approval_id": row.id, "title": row.title, "who": list(names)}
    return {**told, **show_facts(row), "note": row.note}
