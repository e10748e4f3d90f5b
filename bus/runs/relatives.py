"""Runs beside each other: some by their ids, those of a group, those that came of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.errors import NotFoundError
from bus.runs import queries
from bus.runs.showing import seen_by, sees, show, sight_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.statement import Row

MOST = 100
FOREVER_MS = 2**62


def states_of(
    conn: sa.Connection, principal: Principal, ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Show some runs by their ids as a list has them; what is not the reader's is left out."""
    if not ids:
        return {}
    is_seen = sight_of(principal, seen_by(conn, principal))
    return {run.id: show(run) for run in queries.with_ids(conn, ids) if is_seen(run)}


def relatives_of(conn: sa.Connection, principal: Principal, run_id: str) -> dict[str, Any]:
    """Show the others of a run's group, and what its worker dispatched while it was at work on it.

    Raises:
        NotFoundError: there is no such run that the reader can see.
    """
    run = queries.find(conn, run_id)
    if run is None or not sees(conn, principal, run):
        raise NotFoundError(f"no run {run_id[:40]!r} of yours")
    group = queries.of_group(conn, run.group_id) if run.group_id else []
    begun: Sequence[Row] = []
    if run.claimed_ms is not None:
        until_ms = FOREVER_MS if run.ended_ms is None else run.ended_ms
        begun = queries.begun_by(conn, run, run.claimed_ms, until_ms, MOST)
    is_seen = sight_of(principal, seen_by(conn, principal))
    return {
        "group": [show(one) for one in group if one.id != run.id and is_seen(one)][:MOST],
        "children": [show(one) for one in begun if is_seen(one)],
    }
