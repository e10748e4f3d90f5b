"""What runs tell in a brief: those that came to nothing, and those that came to something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.mail.rules import quote
from bus.runs import queries
from bus.runs.showing import seen_by, sight_of
from bus.sections import Entry, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.sections import Span
    from bus.store.statement import Row

SCAN = 1000
"""So many runs are looked at, those that ended last."""
QUOTED = 160
DONE = ("completed", "cancelled")


def tell(conn: sa.Connection, principal: Principal, span: Span) -> list[Section]:
    """Tell which runs ended that somebody may see."""
    rows = queries.ended_since(conn, span.since_ms, SCAN)
    is_cut, is_seen = len(rows) == SCAN, sight_of(principal, seen_by(conn, principal))
    mine = [run for run in rows if run.ended_ms <= span.until_ms and is_seen(run)]
    done = [run for run in mine if run.state in DONE]
    failed = [run for run in mine if run.state not in DONE]
    where = ("bus run list --state all", "/api/runs?state=all")
    return [
        Section("failed", "failed runs", 15, tell_of(failed, span), len(failed), is_cut, *where),
        Section("runs", "finished runs", 40, tell_of(done, span), len(done), is_cut, *where),
    ]


def tell_of(rows: Sequence[Row], span: Span) -> tuple[Entry, ...]:
    """Tell of some runs, a line each."""
    return tuple(
        Entry(run.ended_ms, line_of(run), run.id, run.thread, run.label)
        for run in rows[: span.most]
    )


def line_of(run: Row) -> str:
    """Write what became of a run; its reason may be another's words."""
    why = f": {quote(run.reason, QUOTED)}" if run.reason else ""
    cost = "" if run.cost_microusd is None else f", {run.cost_microusd / 1_000_000:.4f} USD"
    return f"{run.label} of {run.parent} by {run.worker} is {run.state}{why}{cost} ({run.id})"
