"""How a participant reaches the bus, and why mail for one waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.clock import to_text
from bus.directory import queries
from bus.directory.finding import get
from bus.directory.model import Participant, Reach

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from bus.config import Config


def reach(conn: sa.Connection, participant_id: int, config: Config) -> Reach:
    """Find how a participant's own commands reach the bus: as its node enrolled."""
    row = queries.participant(conn, participant_id)
    node = queries.node(conn, row.node_id) if row is not None and row.node_id else None
    name = row.name if row is not None else "me"
    if node is None:
        return Reach(config.url, f"$HOME/.wakebus/{name}.header")
    return Reach(node.url or config.url, f"{node.header_dir}/{name}.header")


def why_unreached(
    conn: sa.Connection, participant_id: int, is_online: Callable[[int], bool]
) -> str:
    """Say why mail for an agent waits, as far as it is the agent's or its node's doing."""
    agent = get(conn, participant_id)
    return why_away(conn, agent, is_online) if agent.kind == "named" else ""


def why_away(conn: sa.Connection, agent: Participant, is_online: Callable[[int], bool]) -> str:
    """Say why an agent does nothing now; nothing where its node is there."""
    if agent.paused:
        return why_paused(agent)
    node = queries.node(conn, agent.node_id) if agent.node_id is not None else None
    if node is None:
        return "waiting: the agent has no node"
    if is_online(node.id):
        return ""
    since = f"offline since {to_text(node.seen_ms)}" if node.seen_ms else "has not been there yet"
    return f"waiting: node {node.name} {since}"


def why_paused(one: Participant) -> str:
    """Say since when an agent is not woken; nothing where it is."""
    if not one.paused:
        return ""
    since = f" since {to_text(one.paused_ms)}" if one.paused_ms is not None else ""
    return f"waiting: paused by the administration{since}"
