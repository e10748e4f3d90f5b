"""How a task looks to its readers: in a list, and whole with its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.board import queries, rules
from bus.board.model import IN_PROGRESS, Card
from bus.clock import shown_time, to_text
from bus.mail.model import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Collection

    import sqlalchemy as sa

    from bus.board.model import Move
    from bus.config import Config
    from bus.store.statement import Row

MOST_HISTORY = 200
"""Rows of a history that are shown; the newest."""


def is_stale(row: Row, now_ms: int, config: Config) -> bool:
    """Say whether a task's claim can be taken over; at once where its holder is there no more."""
    if row.status == IN_PROGRESS and row.holder_gone_ms is not None:
        return True
    return rules.is_stale(row.status, row.refreshed_ms, now_ms, config.task_stale_s)


def card_of(row: Row, now_ms: int, config: Config) -> Card:
    """Give what the rules need to know of a task."""
    stale = is_stale(row, now_ms, config)
    return Card(row.status, row.blocked_from, bool(row.ops), stale, row.holder)


def show(row: Row, now_ms: int, config: Config) -> dict[str, Any]:
    """Show a task as a list has it, without its text."""
    is_claimed = row.status == IN_PROGRESS and row.refreshed_ms is not None
    stale_ms = row.refreshed_ms + config.task_stale_s * 1000 if is_claimed else None
    return {
        "id": row.id,
        "title": row.title,
        "status": row.status,
        "holder": row.holder,
        "stale": is_stale(row, now_ms, config),
        "blocked_from": row.blocked_from,
        "blocked_by": row.blocker,
        "lead": row.lead,
        "reviewer": row.reviewer,
        "ops": bool(row.ops),
        "compartment": row.compartment,
        "by": row.creator,
        "created_at": to_text(row.created_ms),
        "changed_at": to_text(row.changed_ms),
        "refreshed_at": shown_time(row.refreshed_ms),
        "stale_at": shown_time(stale_ms),
    }


def show_whole(
    conn: sa.Connection, row: Row, roles: Collection[str], now_ms: int, config: Config
) -> dict[str, Any]:
    """Show a task with its text, its history, what belongs to it, and what its reader may do."""
    history = queries.history(conn, row.id, MOST_HISTORY)
    return show(row, now_ms, config) | {
        "body": row.body,
        "moves": show_moves(row, roles, now_ms, config),
        "runs": queries.links(conn, row.id, "run_id"),
        "messages": queries.links(conn, row.id, "message_id"),
        "history": [show_entry(entry) for entry in reversed(history)],
        "earlier": queries.count_history(conn, row.id) - len(history),
    }


def show_moves(
    row: Row, roles: Collection[str], now_ms: int, config: Config
) -> list[dict[str, Any]]:
    """Show where somebody may move a task now, each place once."""
    moves = rules.open_moves(card_of(row, now_ms, config), roles)
    return list({move.to: show_move(move) for move in moves}.values())


def show_move(move: Move) -> dict[str, Any]:
    """Show a move that the reader may make."""
    return {"status": move.to, "needs_note": move.needs_note}


def show_entry(entry: Row) -> dict[str, Any]:
    """Show one row of a history."""
    return {
        "at": to_text(entry.at_ms),
        "what": entry.kind,
        "status": entry.status,
        "by": entry.by or SYSTEM,
        "note": entry.text,
        "run_id": entry.run_id,
        "message_id": entry.message_id,
    }
