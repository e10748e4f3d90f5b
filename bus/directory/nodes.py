"""Nodes and their enrolment: a short-lived code, turned once into tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.access import rotation
from bus.access import service as access
from bus.clock import shown_time, to_text
from bus.directory import queries
from bus.directory.apart import check_node, check_together
from bus.directory.changing import add, change, tell_node
from bus.directory.finding import find, visible
from bus.directory.rules import bare_code, check_header_dir, check_name, check_url, grouped_code
from bus.errors import (
    CodeExpiredError,
    CodeUsedError,
    ConflictError,
    InvalidRequestError,
    MixedCompartmentsError,
    NameTakenError,
    NotFoundError,
    OtherNodeError,
)
from bus.ids import derive_secret, hash_secret
from bus.store.transaction import RIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.transaction import Hooks, Transaction

CODE_CHARS, SALT_CHARS, NONCE_CHARS = 16, 48, 16


def register(hooks: Hooks) -> None:
    """Keep when a node's watcher came and went."""
    hooks.on("node_seen", mark_seen)
    hooks.on("tokens_to_renew", tell_node)


def find_node(tx: Transaction, name: str) -> Any:
    """Find a node by name."""
    node = queries.node_named(tx.conn, name)
    if node is None:
        raise NotFoundError(f"no node {name[:70]!r}")
    return node


def add_node(tx: Transaction, name: str, agents: list[str], url: str) -> dict[str, Any]:
    """Make a node for these agents (made where they are not there yet), and its code."""
    check_name(name)
    if queries.node_named(tx.conn, name) is not None:
        raise NameTakenError(f"there is a node {name!r}; a new code for it: bus node code {name}")
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


def make_code(tx: Transaction, name: str) -> dict[str, Any]:
    """Make an enrolment code for a node and the agents it has now; the older unused ones end."""
    node = find_node(tx, name)
    queries.void_codes(tx.conn, node.id)
    code = tx.ids.secret(CODE_CHARS)
    expires_ms = tx.now_ms + tx.config.code_s * 1000
    values = {
        "code_hash": hash_secret(code),
        "node_id": node.id,
        "salt": tx.ids.secret(SALT_CHARS),
        "agents": json.dumps([agent.id for agent in queries.on_node(tx.conn, node.id)]),
        "created_ms": tx.now_ms,
        "expires_ms": expires_ms,
    }
    queries.insert_enrolment(tx.conn, values)
    # What is set now, before what the node was told once: a bus that moved has set it anew.
    url = tx.config.public_url or node.url or tx.config.url
    shown = grouped_code(code)
    enrol = f"bus-watcher enrol {url} {shown}"
    return {"name": name, "code": shown, "expires_at": to_text(expires_ms), "enrol": enrol}


def void_codes(tx: Transaction) -> None:
    """End every unused code: in a restored database one may have been used since."""
    queries.void_all_codes(tx.conn)


def redeem(tx: Transaction, given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a code into the node's token and its agents' tokens; again for the same nonce."""
    code, nonce = bare_code(given["code"]), given["nonce"]
    if len(nonce) < NONCE_CHARS:
        raise InvalidRequestError(f"'nonce' is random, {NONCE_CHARS} characters or more")
    kept = queries.enrolment(tx.conn, hash_secret(code))
    node = None if kept is None else queries.node(tx.conn, kept.node_id)
    if kept is None or node is None or node.removed_ms is not None:
        raise NotFoundError("this code is unknown; make one: bus node code NAME")
    if kept.used_ms is None and kept.expires_ms <= tx.now_ms:
        raise CodeExpiredError
    if kept.used_ms is not None and kept.nonce_hash != hash_secret(nonce):
        raise CodeUsedError
    check_present_node(tx, node, given.get("present_node", ""))
    url = check_url(given["url"])
    header_dir = check_header_dir(given["header_dir"])
    check_node(tx.conn, node.id)
    check_neighbours(tx, node, given.get("neighbours", ()))
    # Whoever came onto the node since the code was made was not meant by who made it.
    meant = json.loads(kept.agents)
    agents = [agent for agent in queries.on_node(tx.conn, node.id) if agent.id in meant]
    if kept.used_ms is None:
        queries.use_enrolment(tx.conn, kept.code_hash, hash_secret(nonce), tx.now_ms)
        values = {"url": url, "header_dir": header_dir, "instance": given.get("instance", "")}
        queries.update_node(tx.conn, node.id, values)
        make_tokens(tx, node, agents, (kept.salt, code, nonce))
    token = f"wb_node_{derive_secret(kept.salt, code, nonce, 'node')}"
    if not access.is_known(tx.conn, token):
        raise CodeUsedError("what this code gave has ended; make a new one: bus node code NAME")
    # A repeat must not hand out what no longer works, nor an agent that came after the code.
    given_agents = []
    for agent in agents:
        own = f"wb_agent_{derive_secret(kept.salt, code, nonce, str(agent.id))}"
        if access.is_known(tx.conn, own):
            given_agents.append(
                {
                    "name": agent.name,
                    "token": own,
                    "local_agent": agent.local_agent,
                    "session_key": agent.session_key,
                    "display_name": agent.display_name,
                }
            )
    return {
        "node": node.name,
        "token": token,
        "url": url,
        "server_time": to_text(tx.now_ms),
        "agents": given_agents,
    }


def check_present_node(tx: Transaction, node: Any, present: str) -> None:
    """Refuse, before a code is spent, the folder of another node that is still there."""
    other = queries.node_named(tx.conn, present)
    if other is not None and other.id != node.id:
        raise OtherNodeError(
            f"it belongs to node {present}, and this code is for node {node.name}; "
            "the code was not used and nothing was changed"
        )


def check_neighbours(tx: Transaction, node: Any, names: Iterable[str]) -> None:
    """Refuse a node beside others of the same Unix user whose agents are in other compartments.

    The watcher names them; their files are as open to each other as those of one node.
    """
    for name in names:
        other = queries.node_named(tx.conn, name)
        if other is not None and other.id != node.id:
            try:
                check_together(tx.conn, node.id, other.id)
            except MixedCompartmentsError as error:
                # By name of the nodes: whose agents they are is not for who has but a code.
                raise MixedCompartmentsError(
                    f"the agents of {node.name} and of {other.name}, which this Unix user has "
                    "already, are in different compartments and could read each other's files and "
                    "tokens: use a Unix user of its own for each"
                ) from error


def make_tokens(tx: Transaction, node: Any, agents: Any, secret: tuple[str, str, str]) -> None:
    """Store the tokens that a code gives, in the place of the older ones."""
    access.revoke_all_of(tx, node_id=node.id)
    own = derive_secret(*secret, "node")
    access.create_token(tx, "node", node_id=node.id, label="enrolled", secret=own)
    for agent in agents:
        access.revoke_all_of(tx, participant_id=agent.id)
        own = derive_secret(*secret, str(agent.id))
        access.create_token(tx, "agent", participant_id=agent.id, label=node.name, secret=own)


def rename_node(tx: Transaction, name: str, new: str) -> None:
    """Give a node another name."""
    node = find_node(tx, name)
    if queries.node_named(tx.conn, check_name(new)) is not None:
        raise NameTakenError(f"there is a node {new!r}")
    queries.update_node(tx.conn, node.id, {"name": new})
    tell_node(tx, node.id)
    tx.look_again(RIGHTS)


def remove_node(tx: Transaction, name: str, *, force: bool, move_to: str = "") -> None:
    """Remove a node; its agents move, or by force have no node then: they keep their mail."""
    node = find_node(tx, name)
    agents = queries.on_node(tx.conn, node.id)
    if agents and not force and not move_to:
        names = ", ".join(agent.name for agent in agents)
        raise ConflictError(f"{name} has agents ({names}); move them first, or remove with force=1")
    if move_to and find_node(tx, move_to).id == node.id:
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
