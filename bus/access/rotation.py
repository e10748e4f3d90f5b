"""New tokens for old ones without a gap: both are good for a while, then the old one ends.

Where a node's watcher keeps the token, it makes the new one itself and hands in the hash: so a lost
answer costs nothing and no token is on the way. It may do so only after the administration asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bus.access import queries
from bus.access.service import create_for, find_holder, revoke_token
from bus.errors import ConflictError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.transaction import Transaction

HASH = re.compile(r"[0-9a-f]{64}")
LONGEST_GRACE_S = 30 * 86_400


def rotate(  # noqa: PLR0913 - whose, how, and who asks
    tx: Transaction, principal: Principal, kind: str, subject: str, grace_s: int, *, is_here: bool
) -> dict[str, Any]:
    """Have a new token take the place of all that somebody has, which end `grace_s` later.

    A node's watcher is asked to renew its own and its agents'; `is_here` makes an agent's here, to
    be shown once, as everybody else's is.
    """
    if not 1 <= grace_s <= LONGEST_GRACE_S:
        raise InvalidRequestError(f"'grace_s' is 1 to {LONGEST_GRACE_S} seconds")
    holder = find_holder(tx.conn, kind, subject)
    old = queries.good_of(tx.conn, holder, only=principal.token_id if kind == "admin" else None)
    if not old:
        raise ConflictError(f"{subject or 'the administration'} has no token: bus token new")
    node_id = None if is_here else queries.keeper_of(tx.conn, holder)
    if node_id is not None:
        queries.ask_renewal(tx.conn, old, grace_s)
        tx.announce("tokens_to_renew", node_id=node_id)
        return {"by": "node", "node": queries.node_name(tx.conn, node_id), "grace_s": grace_s}
    token_id, token = create_for(tx, holder, label="rotated")
    queries.end_later(tx.conn, old, tx.now_ms + grace_s * 1000)
    if kind != "admin":
        # What an earlier rotation left a longer grace: who is in haste means that one, too.
        queries.shorten(tx.conn, holder, tx.now_ms + grace_s * 1000)
    tx.record("token_rotated", kind=kind, subject=subject, new=token_id, grace_s=grace_s)
    return {"by": "caller", "id": token_id, "token": token, "grace_s": grace_s}


def to_renew(conn: sa.Connection, node_id: int) -> dict[str, Any]:
    """Say which tokens a node's watcher was asked to renew."""
    return {
        "node": queries.wants_renewal(conn, node_id=node_id),
        "agents": queries.agents_to_renew(conn, node_id),
    }


def renew(tx: Transaction, node_id: int, node_hash: str, agents: Mapping[str, str]) -> list[str]:
    """Take the hashes of tokens that a watcher made; again the same is the same.

    Raises:
        ConflictError: nobody asked for one of them; nothing was taken.
    """
    taken = []
    for name, given in {**({"": node_hash} if node_hash else {}), **agents}.items():
        if not HASH.fullmatch(given):
            raise InvalidRequestError("a hash is the SHA-256 of the whole token, in hex")
        if name and name not in queries.agents_on(tx.conn, node_id):
            raise ConflictError(f"{name[:70]} is no agent of this node")
        holder = find_holder(tx.conn, "agent" if name else "node", name, node_id=node_id)
        if not queries.holds(tx.conn, holder, given):
            take(tx, holder, given, name or "the node")
        taken.append(name)
    return taken


def take(tx: Transaction, holder: queries.Holder, given: str, name: str) -> None:
    """Keep one new token, and have the old ones end after their grace."""
    grace_s = queries.asked_grace_s(tx.conn, holder)
    if not grace_s or queries.is_hash_known(tx.conn, given):
        raise ConflictError(f"nobody asked to renew the token of {name}: bus token rotate")
    queries.end_later(tx.conn, queries.good_of(tx.conn, holder), tx.now_ms + grace_s * 1000)
    queries.shorten(tx.conn, holder, tx.now_ms + grace_s * 1000)
    token_id, _ = create_for(tx, holder, label="renewed", known=given)
    tx.record("token_renewed", kind=holder.kind, subject=name, new=token_id, grace_s=grace_s)


def note_use(tx: Transaction, token_id: str) -> None:
    """Keep when a token was last used; a node's new one ends the node's old ones at once."""
    row = queries.token(tx.conn, token_id)
    if row is None:
        return
    queries.set_used(tx.conn, token_id, tx.now_ms)
    if row.kind == "node" and row.ends_ms is None:
        for old in queries.ending_of_node(tx.conn, row.node_id):
            revoke_token(tx, old)


def end_old(tx: Transaction) -> int:
    """End the tokens whose grace is over; gives how many."""
    over = queries.over(tx.conn, tx.now_ms)
    for token_id in over:
        revoke_token(tx, token_id)
        tx.record("token_ended", token=token_id)
    return len(over)
