"""Enrolment: a short-lived code of a node, turned once into its tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.access import service as access
from bus.clock import to_text
from bus.directory import queries
from bus.directory.apart import check_node, check_together
from bus.directory.finding import find_node
from bus.directory.rules import bare_code, check_header_dir, check_url, grouped_code
from bus.errors import (
    CodeExpiredError,
    CodeUsedError,
    InvalidRequestError,
    MixedCompartmentsError,
    NotFoundError,
    OtherNodeError,
)
from bus.ids import derive_secret, hash_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bus.store.transaction import Transaction

CODE_CHARS, SALT_CHARS, NONCE_CHARS = 16, 48, 16


def make_code(tx: Transaction, name: str) -> dict[str, Any]:
    """Make an enrolment code for a node and the agents it has now; the older unused ones end."""
    node = find_node(tx.conn, name)
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
