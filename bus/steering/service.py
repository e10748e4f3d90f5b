"""The verbs of steering, in one place for its routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.steering import briefing, keeping, leaving, resulting
from bus.steering.answering import answer
from bus.steering.asking import ask, ask_person, withdraw
from bus.steering.ending import topic_of
from bus.steering.model import OPEN
from bus.steering.showing import find, list_approvals, show_whole
from bus.steering.stopping import steer

if TYPE_CHECKING:
    from typing import Any

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.transaction import Hooks

__all__ = [
    "answer",
    "ask",
    "ask_person",
    "is_over",
    "list_approvals",
    "register",
    "show",
    "steer",
    "topic_of",
    "withdraw",
]


def register(hooks: Hooks) -> None:
    """Hear of sessions and runs, tell of runs in their sessions, have the keeper look."""
    hooks.on("session_moved", leaving.on_session_moved)
    hooks.on("session_forgotten", leaving.on_session_forgotten)
    hooks.on("run_ended", leaving.on_run_ended)
    hooks.on("check_run_session", resulting.check_run_session)
    hooks.on("say_end", resulting.say_end)
    hooks.on("is_in_session", resulting.is_in_session)
    hooks.on("brief_sections", briefing.tell)
    hooks.on("do_due", keeping.do_due)
    hooks.on("first_due", keeping.first_due)
    hooks.on("prune", keeping.prune)
    hooks.on("spared", keeping.spare)


def show(conn: sa.Connection, principal: Principal, approval_id: str) -> dict[str, Any]:
    """Show an approval to its asker, or to somebody in its session."""
    return show_whole(conn, principal, find(conn, principal, approval_id))


def is_over(conn: sa.Connection, principal: Principal, approval_id: str) -> bool:
    """Say whether an approval that one sees has come to its end."""
    return bool(find(conn, principal, approval_id).state != OPEN)
