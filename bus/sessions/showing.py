"""How sessions and entries look to those who are in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.mail.model import SYSTEM
from bus.sessions import queries
from bus.sessions.writing import name_of, preview

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from bus.store.statement import Row


def show_base(row: Row, cursor: int) -> dict[str, Any]:
    """Show what a session is, and how much of it its reader has not read."""
    return {
        "session_id": row.id,
        "title": row.title,
        "state": row.state,
        "by": row.creator,
        "created_at": to_text(row.created_ms),
        "changed_at": to_text(row.changed_ms),
        "last_place": row.place,
        "cursor": cursor,
        "unread": row.place - cursor,
    }


def show_listed(row: Row, names: Sequence[str]) -> dict[str, Any]:
    """Show a session as a list has it: who is in it, and what was said last."""
    last = None
    if row.last_id is not None:
        last = {
            "entry_id": row.last_id,
            "place": row.place,
            "kind": row.last_kind,
            "from": row.last_author_name or row.last_author or SYSTEM,
            "at": to_text(row.last_ms),
            "preview": preview(row.last_body),
        }
    return show_base(row, row.cursor) | {"participants": list(names), "last": last}


def show_whole(
    conn: sa.Connection, row: Row, me: int, is_here: Callable[[int, int | None], bool]
) -> dict[str, Any]:
    """Show a session with everyone in it; `is_here` says of one, and of its node, who is there."""
    there = queries.members(conn, row.number)
    (mine,) = (one for one in there if one.participant_id == me)
    people = [
        show_member(one, row.place, is_here=is_here(one.participant_id, one.node_id))
        for one in there
    ]
    return show_base(row, mine.cursor) | {
        "me": mine.name,
        "thread": row.thread,
        "participants": people,
    }


def show_member(one: Row, place: int, *, is_here: bool) -> dict[str, Any]:
    """Show somebody in a session; only an agent has something by which it is woken."""
    return {
        "name": one.name,
        "kind": one.kind,
        "display_name": one.display_name,
        "wake": None if one.kind == "person" else one.wake,
        "online": is_here,
        "cursor": one.cursor,
        "unread": place - one.cursor,
        "joined_at": to_text(one.joined_ms),
    }


def show_entry(row: Row) -> dict[str, Any]:
    """Show an entry."""
    return {
        "entry_id": row.id,
        "place": row.place,
        "at": to_text(row.at_ms),
        "kind": row.kind,
        "from": name_of(row),
        "trust": row.trust,
        "to": json.loads(row.named),
        "body": row.body,
        "in_reply_to": row.in_reply_to,
        "data": json.loads(row.data),
    }
