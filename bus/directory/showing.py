"""What a reader is shown of agents and people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.clock import shown_time, to_text
from bus.directory import queries
from bus.directory.finding import sees, shape_all
from bus.directory.quiet import show_allowed, show_quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.directory.model import Participant


def show(
    conn: sa.Connection, principal: Principal, several: Iterable[Participant]
) -> dict[int, dict[str, Any]]:
    """Show what is kept of agents and people; of their compartments only the reader's own."""
    by_id, nodes = {one.id: one for one in several}, queries.node_names(conn)
    rows = queries.with_ids(conn, list(by_id))
    chains = read_chains(conn, principal, rows)
    shown = {
        row.id: show_one(principal, by_id[row.id], row, nodes) | {"escalate_to": chains[row.id]}
        for row in rows
    }
    for one in by_id.values():
        if one.quiet is not None and (
            principal.kind == "admin" or principal.participant_id == one.id
        ):
            # Names of other compartments may be among them.
            shown[one.id]["quiet"]["urgent_from"] = show_allowed(conn, one.quiet)
    return shown


def read_chains(
    conn: sa.Connection, principal: Principal, rows: Sequence[sa.Row[Any]]
) -> dict[int, list[str] | None]:
    """Give whom each one's alerts go to, as far as the reader may know; None is the usual."""
    set_ones = {row.id: json.loads(row.escalate_to) for row in rows if row.escalate_to}
    ids = sorted({who for chain in set_ones.values() for who in chain})
    known = shape_all(conn, queries.with_ids(conn, ids)) if ids else []
    names = {one.id: one.name for one in known if not one.removed and sees(principal, one)}
    shown = {key: [names[who] for who in chain if who in names] for key, chain in set_ones.items()}
    return {row.id: shown.get(row.id) for row in rows}


def show_one(
    principal: Principal, one: Participant, row: sa.Row[Any], nodes: Mapping[int, str]
) -> dict[str, Any]:
    """Show one of them."""
    return {
        "name": one.name,
        "kind": one.kind,
        "node": nodes.get(one.node_id) if one.node_id is not None else None,
        "local_agent": one.local_agent,
        "session_key": one.session_key,
        "display_name": one.display_name,
        "accepts": list(one.accepts) if one.accepts is not None else None,
        "compartments": sorted(
            one.compartments
            if principal.kind == "admin"
            else one.compartments & principal.compartments
        ),
        "paused": one.paused,
        "paused_at": shown_time(one.paused_ms),
        "lead": one.is_lead,
        "quiet": show_quiet(one.quiet),
        "shared_secret": bool(row.open_to_secret),
        "method": row.method,
        "method_why": row.method_why,
        "created_at": to_text(row.created_ms),
        "last_read_at": shown_time(row.last_read_ms),
        "last_woken_at": shown_time(row.last_woken_ms),
    }
