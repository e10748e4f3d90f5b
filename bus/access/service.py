"""The use cases of access: who is this, make a token, end it, who is in which compartment."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, cast

from bus.access import queries
from bus.access.model import Kind, Principal
from bus.access.rules import OPEN
from bus.errors import ConflictError, InvalidRequestError, NotFoundError, UnauthorizedError
from bus.ids import hash_secret
from bus.store.transaction import RIGHTS, participant_topic, token_topic

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlalchemy as sa

    from bus.config import Config
    from bus.store.transaction import Transaction

SECRET_CHARS = 32


def authenticate(
    conn: sa.Connection, config: Config, authorization: str, shared_secret: str, agent: str
) -> Principal:
    """Find whose request it is, by its token or by the household's shared secret.

    Raises:
        UnauthorizedError: neither, or not a good one.
    """
    if authorization:
        return by_token(conn, authorization)
    if shared_secret:
        return by_shared_secret(conn, config, shared_secret, agent)
    raise UnauthorizedError


def by_token(conn: sa.Connection, authorization: str) -> Principal:
    """Find the principal of a bearer token."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthorizedError("the Authorization header is `Bearer TOKEN`")
    row = queries.find_token(conn, hash_secret(token.strip()))
    if row is None:
        raise UnauthorizedError("this token is unknown or was revoked")
    kind = cast("Kind", row.kind)
    if kind == "admin":
        return Principal("admin", "admin", row.id)
    if kind == "node":
        return Principal("node", row.node_name, row.id, node_id=row.node_id)
    return Principal(
        kind,
        row.participant_name,
        row.id,
        participant_id=row.participant_id,
        compartments=read_compartments(row.compartments),
        trust="person" if kind == "person" else "peer",
    )


def by_shared_secret(conn: sa.Connection, config: Config, secret: str, agent: str) -> Principal:
    """Let in an agent that is in no compartment and never had a token of its own; nobody else.

    One whose last token was revoked stays out, or a revocation would open what it was to close.
    """
    known = (config.shared_secret, config.shared_secret_before)
    fits = [hmac.compare_digest(secret.encode(), one.encode()) for one in known if one]
    if not any(fits):
        raise UnauthorizedError("the shared secret is wrong, or the bus has none")
    row = queries.participant_named(conn, agent)
    if row is None or row.kind == "person":
        raise UnauthorizedError("name an agent of the bus in the X-Agent header")
    if compartments_of(conn, row.id) != {OPEN} or not row.open_to_secret:
        raise UnauthorizedError(
            f"{agent} has, or had, a token or a compartment of its own: use its token"
        )
    return Principal(
        "agent",
        row.name,
        "",
        participant_id=row.id,
        compartments=frozenset({OPEN}),
        trust="shared-secret",
    )


def check_open(conn: sa.Connection, participant_id: int, name: str) -> None:
    """Refuse to give an agent back to the shared secret while it has a token."""
    if queries.has_token(conn, participant_id):
        raise ConflictError(f"{name} has a token: revoke it first (bus token list)")


def is_known(conn: sa.Connection, token: str) -> bool:
    """Say whether a token (not its id) would let somebody in."""
    return queries.find_token(conn, hash_secret(token)) is not None


def create_token(  # noqa: PLR0913 - whose, of what kind, and from what
    tx: Transaction,
    kind: Kind,
    *,
    participant_id: int | None = None,
    node_id: int | None = None,
    label: str = "",
    secret: str = "",
    known: str = "",
    idle_s: int = 0,
) -> tuple[str, str]:
    """Make a token; gives its id and the token itself, which is shown this once.

    `known` is the hash of one that its holder made and keeps to itself; one with `idle_s` ends
    when it was not used for so long.
    """
    token = f"wb_{kind}_{secret or tx.ids.secret(SECRET_CHARS)}"
    token_id = tx.ids.new("k", tx.now_ms)
    values = {
        "id": token_id,
        "kind": kind,
        "participant_id": participant_id,
        "node_id": node_id,
        "label": label,
        "hash": known or hash_secret(token),
        "created_ms": tx.now_ms,
        "idle_s": idle_s,
    }
    queries.insert_token(tx.conn, values)
    if participant_id is not None:
        queries.close_to_secret(tx.conn, participant_id)
        tx.look_again(RIGHTS, participant_topic(participant_id))  # the household's secret ends here
    return token_id, token


def create_token_for(tx: Transaction, kind: str, subject: str, label: str) -> tuple[str, str]:
    """Make a token for the agent, the person or the node of this name, or to administer."""
    holder = find_holder(tx.conn, kind, subject)
    return create_for(tx, holder, label=label)


def create_for(
    tx: Transaction, holder: queries.Holder, *, label: str = "", known: str = ""
) -> tuple[str, str]:
    """Make a token for a holder that was found."""
    return create_token(
        tx,
        holder.kind,
        participant_id=holder.participant_id,
        node_id=holder.node_id,
        label=label,
        known=known,
    )


def find_holder(
    conn: sa.Connection, kind: str, subject: str, *, node_id: int | None = None
) -> queries.Holder:
    """Find whose tokens are meant; `node_id` names a node that is known already."""
    if kind == "admin":
        return queries.Holder("admin")
    if kind == "node":
        node_id = node_id or queries.node_id_named(conn, subject)
        if node_id is None:
            raise NotFoundError(f"no node {subject[:70]!r}")
        return queries.Holder("node", node_id=node_id)
    if kind not in {"agent", "person"}:
        raise InvalidRequestError("'kind' is agent, person, node or admin")
    row = queries.participant_named(conn, subject)
    if row is None or (row.kind == "person") != (kind == "person"):
        raise NotFoundError(f"no {kind} {subject[:70]!r}")
    return queries.Holder(cast("Kind", kind), participant_id=row.id)


def place_of(conn: sa.Connection, principal: Principal) -> dict[str, Any]:
    """Tell an agent its node, and a node its agents; nothing of anybody else."""
    if principal.node_id is not None:
        return {"agents": queries.agents_on(conn, principal.node_id)}
    if principal.kind == "agent":
        return {"node": queries.node_name_of(conn, principal.participant_id or 0)}
    return {}


def revoke_token(tx: Transaction, token_id: str) -> None:
    """End a token and all that it has open."""
    if not queries.revoke(tx.conn, token_id, tx.now_ms):
        raise NotFoundError(f"no good token {token_id[:40]!r}")
    tx.look_again(RIGHTS, token_topic(token_id))


def revoke_all_of(
    tx: Transaction, *, participant_id: int | None = None, node_id: int | None = None
) -> None:
    """End every token of an agent, a person or a node."""
    for token_id in queries.good_tokens(tx.conn, participant_id=participant_id, node_id=node_id):
        revoke_token(tx, token_id)


def replace_admin_token(tx: Transaction) -> str:
    """End the administration's tokens and make a new one."""
    for token_id in queries.admin_tokens(tx.conn):
        revoke_token(tx, token_id)
    return create_token(tx, "admin")[1]


def read_compartments(words: str | None) -> frozenset[str]:
    """Read what `COMPARTMENTS` gives; `open` where somebody was put in none."""
    return frozenset((words or OPEN).split())


def compartments_of(conn: sa.Connection, participant_id: int) -> frozenset[str]:
    """Give the compartments of an agent or a person; `open` where it was put in none."""
    return frozenset(queries.compartments_of(conn, participant_id) or [OPEN])


def compartments_of_all(conn: sa.Connection) -> dict[int, frozenset[str]]:
    """Give the compartments of everyone who was put in one."""
    found: dict[int, set[str]] = {}
    for row in queries.all_compartments(conn):
        found.setdefault(row.participant_id, set()).add(row.compartment)
    return {who: frozenset(names) for who, names in found.items()}


def set_compartments(tx: Transaction, participant_id: int, names: Iterable[str]) -> None:
    """Put an agent or a person in exactly these."""
    queries.set_compartments(tx.conn, participant_id, names)
    tx.look_again(RIGHTS, participant_topic(participant_id))  # its streams show what it may see


def list_tokens(conn: sa.Connection) -> list[dict[str, Any]]:
    """List tokens, good and revoked, without the tokens."""
    return [row._asdict() for row in queries.list_tokens(conn)]


def ends_ms_of(row: Any) -> int | None:
    """Give when a token ends: at a set time, or when it was not used for long; None: it does not.

    Takes a row of `list_tokens` or `idle_tokens`.
    """
    ends_ms: int | None = row["ends_ms"]
    if not row["idle_s"]:
        return ends_ms
    idle_until_ms: int = (row["last_used_ms"] or row["created_ms"]) + row["idle_s"] * 1000
    return idle_until_ms if ends_ms is None else min(ends_ms, idle_until_ms)


def idle_tokens(conn: sa.Connection, participant_id: int) -> list[dict[str, Any]]:
    """List somebody's good tokens that end when they are not used, without the tokens."""
    return [row._asdict() for row in queries.idle_tokens(conn, participant_id)]


def list_compartments(conn: sa.Connection) -> dict[str, list[str]]:
    """List compartments with their members."""
    found: dict[str, list[str]] = {}
    for row in queries.list_compartments(conn):
        found.setdefault(row.compartment, []).append(row.name)
    return found
