"""Nodes: how they come and go, and what their watchers are told and say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.access import rotation
from bus.access import service as access
from bus.clock import shown_time
from bus.directory import queries
from bus.directory.apart import check_node
from bus.directory.changing import add, change, tell_node
from bus.directory.enrolment import make_code
from bus.directory.finding import find, find_node, visible
from bus.directory.rules import check_name, check_url
from bus.errors import ConflictError, InvalidRequestError, NameTakenError
from bus.store.transaction import RIGHTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.transaction import Hooks, Transaction


def register(hooks: Hooks) -> None:
    """Keep when a node's watcher came and went."""
    hooks.on("node_seen", mark_seen)
    hooks.on("tokens_to_renew", tell_node)


def add_node(tx: Transaction, name: str, agents: list[str], url: str) -> dict[str, Any]:
    """Make a node for these agents (made where they are not there yet), and its code."""
    check_name(name)
    if queries.node_named(tx.conn, name) is not None:
        raise NameTakenError(
            f"there is a node {name!r}; one more agent on it: bus agent add NAME --node {name}; "
            f"then, or where its token is lost, a new code for it: bus node code {name}"
        )
    values = {"name": name, "url": check_url(url) if url else "", "created_ms": tx.now_ms}
    node_id = queries.insert_node(tx.conn, values)
    for agent in agents:
        place(tx, agent, name, node_id)
    check_node(tx.conn, node_id)
    return make_code(tx, name)


def place(tx: Transaction, agent: str, node: str, node_id: int) -> None:
    """Put an agent on a node that has none yet."""
    one = find(tx.conn, agent)
    if one is None:
        add(tx, {"name": agent, "node": node})
    elif one.kind == "person":
        raise InvalidRequestError(f"{agent} is a person; a node has agents")
    elif one.node_id not in {None, node_id}:
        raise ConflictError(
            f"{agent} is on another node; leave it out here, then: bus agent move {agent} {node}"
        )
    else:
        change(tx, agent, {"node": node})


def rename_node(tx: Transaction, name: str, new: str) -> None:
    """Give a node another name."""
    node = find_node(tx.conn, name)
    if queries.node_named(tx.conn, check_name(new)) is not None:
        raise NameTakenError(f"there is a node {new!r}")
    queries.update_node(tx.conn, node.id, {"name": new})
    tell_node(tx, node.id)
    tx.look_again(RIGHTS)


def remove_node(tx: Transaction, name: str, *, force: bool, move_to: str = "") -> None:
    """Remove a node; its agents move, or by force have no node then: they keep their mail."""
    node = find_node(tx.conn, name)
    agents = queries.on_node(tx.conn, node.id)
    if agents and not force and not move_to:
        names = ", ".join(agent.name for agent in agents)
        raise ConflictError(f"{name} has agents ({names}); move them first, or remove with force=1")
    if move_to and find_node(tx.conn, move_to).id == node.id:
        raise ConflictError(f"{name} cannot take its own agents: it is to be removed")
    for agent in agents:
        change(tx, agent.name, {"node": move_to or None})
    access.revoke_all_of(tx, node_id=node.id)
    queries.update_node(tx.conn, node.id, {"removed_ms": tx.now_ms})


def record_methods(
    tx: Transaction, node_id: int, version: str, methods: Mapping[str, Mapping[str, str]]
) -> None:
    """Keep what a watcher says of how it reaches each of its own agents."""
    queries.update_node(tx.conn, node_id, {"version": version[:64], "seen_ms": tx.now_ms})
    for agent in queries.on_node(tx.conn, node_id):
        said = methods.get(agent.name)
        if said is not None:
            how = {"method": said.get("method", "")[:64], "method_why": said.get("why", "")[:300]}
            queries.update_participant(tx.conn, agent.id, how)


def roster(conn: sa.Connection, principal: Principal) -> dict[str, Any]:
    """Tell a watcher its node's name, its agents, and which tokens it shall renew."""
    node_id = principal.node_id or 0
    agents = [
        {
            "name": agent.name,
            "local_agent": agent.local_agent,
            "session_key": agent.session_key,
            "display_name": agent.display_name,
        }
        for agent in queries.on_node(conn, node_id)
    ]
    return {"node": principal.name, "agents": agents, "renew": rotation.to_renew(conn, node_id)}


def mark_seen(tx: Transaction, node_id: int) -> None:
    """Keep when a node was last there."""
    queries.update_node(tx.conn, node_id, {"seen_ms": tx.now_ms})


def list_nodes(conn: sa.Connection, principal: Principal) -> list[dict[str, Any]]:
    """List the nodes of agents that the principal may know of, with those; all to an admin."""
    seen = visible(conn, principal)
    known = {one.node_id for one in seen}
    return [
        {
            "id": row.id,
            "name": row.name,
            "seen_at": shown_time(row.seen_ms),
            "version": row.version,
            "url": row.url,
            "agents": [one.name for one in seen if one.node_id == row.id],
        }
        for row in queries.all_nodes(conn)
        if principal.kind == "admin" or row.id in known
    ]
