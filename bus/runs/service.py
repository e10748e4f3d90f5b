"""The verbs of runs, in one place for its routes and for the rooms below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.runs import briefing, queries, telling
from bus.runs.cancelling import cancel, find_in_session, open_in_session
from bus.runs.claiming import claim, end, keep_alive
from bus.runs.dispatching import dispatch
from bus.runs.keeping import do_due, first_due, prune, spare
from bus.runs.leaving import on_changed, on_removed
from bus.runs.relatives import relatives_of, states_of
from bus.runs.showing import Asked, list_for_node, list_runs, pending_events, show_one

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.store.statement import Row
    from bus.store.transaction import Hooks

__all__ = [
    "Asked",
    "cancel",
    "claim",
    "count_open",
    "dispatch",
    "end",
    "find",
    "find_in_session",
    "is_at_work_in",
    "keep_alive",
    "list_for_node",
    "list_runs",
    "open_in_session",
    "register",
    "relatives_of",
    "show_one",
    "states_of",
    "write_end",
]
count_open = queries.count_open
find = queries.find
is_at_work_in = queries.is_at_work_in


def register(hooks: Hooks) -> None:
    """Hear who moves and leaves, have the keeper look, tell a node's stream what is pending.

    Who keeps what runs are for hears `run_dispatched` and `run_ended`, each with the run.
    """
    hooks.on("participant_changed", on_changed)
    hooks.on("participant_removed", on_removed)
    hooks.on("pending_events", pending_events)
    hooks.on("brief_sections", briefing.tell)
    hooks.on("do_due", do_due)
    hooks.on("first_due", first_due)
    hooks.on("prune", prune)
    hooks.on("spared", spare)


def write_end(conn: sa.Connection, run: Row, most_bytes: int) -> str:
    """Write a run's end for its session, with so much of what its worker said."""
    texts = queries.texts(conn, run.place)
    return telling.write_end(telling.Told(run, texts.output), most_bytes)
