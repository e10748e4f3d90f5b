"""Every statement of access, one named function each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.store.schema import COMPARTMENTS, memberships, nodes, participants, tokens
from bus.store.statement import Statement, bind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bus.access.model import Kind
    from bus.store.statement import Row

GOOD = tokens.c.revoked_ms.is_(None)


@dataclass(frozen=True)
class Holder:
    """Whose tokens: of an agent or a person, of a node, or of the administration."""

    kind: Kind
    participant_id: int | None = None
    node_id: int | None = None

    def columns(self) -> dict[str, int | None]:
        """Give the columns that name it."""
        return {"participant_id": self.participant_id, "node_id": self.node_id}

    def tokens(self) -> sa.ColumnElement[bool]:
        """Give the condition of its good tokens."""
        mine = [getattr(tokens.c, name) == key for name, key in self.columns().items() if key]
        return sa.and_(GOOD, tokens.c.kind == self.kind, *mine)


def good_of(conn: sa.Connection, holder: Holder, only: str | None = None) -> list[str]:
    """List a holder's good tokens that do not end already; `only` narrows to one."""
    query = sa.select(tokens.c.id).where(holder.tokens(), tokens.c.ends_ms.is_(None))
    if only is not None:
        query = query.where(tokens.c.id == only)
    return list(conn.execute(query).scalars())


def keeper_of(conn: sa.Connection, holder: Holder) -> int | None:
    """Find the node whose watcher keeps a holder's token."""
    if holder.node_id is not None or holder.participant_id is None:
        return holder.node_id
    query = sa.select(participants.c.node_id).where(participants.c.id == holder.participant_id)
    return conn.execute(query).scalar()


def node_name(conn: sa.Connection, node_id: int) -> str:
    return str(conn.execute(sa.select(nodes.c.name).where(nodes.c.id == node_id)).scalar_one())


def token(conn: sa.Connection, token_id: str) -> sa.Row[Any] | None:
    return conn.execute(sa.select(tokens).where(tokens.c.id == token_id, GOOD)).first()


def ask_renewal(conn: sa.Connection, ids: list[str], grace_s: int) -> None:
    conn.execute(tokens.update().where(tokens.c.id.in_(ids)).values(renew=grace_s))


def end_later(conn: sa.Connection, ids: list[str], ends_ms: int) -> None:
    conn.execute(tokens.update().where(tokens.c.id.in_(ids)).values(ends_ms=ends_ms, renew=0))


def shorten(conn: sa.Connection, holder: Holder, ends_ms: int) -> None:
    later = sa.and_(holder.tokens(), tokens.c.ends_ms > ends_ms)
    conn.execute(tokens.update().where(later).values(ends_ms=ends_ms))


def set_rotated(conn: sa.Connection, token_id: str, values: dict[str, int | None]) -> None:
    conn.execute(tokens.update().where(tokens.c.id == token_id), values)


def asked_grace_s(conn: sa.Connection, holder: Holder) -> int:
    """Give how long the old tokens of a holder go on, or 0 where nobody asked for new ones."""
    query = sa.select(sa.func.max(tokens.c.renew)).where(holder.tokens())
    return int(conn.execute(query).scalar() or 0)


def wants_renewal(conn: sa.Connection, node_id: int) -> bool:
    query = sa.select(tokens.c.id).where(tokens.c.node_id == node_id, GOOD, tokens.c.renew > 0)
    return conn.execute(query).first() is not None


def agents_to_renew(conn: sa.Connection, node_id: int) -> list[str]:
    query = (
        sa.select(participants.c.name)
        .distinct()
        .join(tokens, tokens.c.participant_id == participants.c.id)
        .where(participants.c.node_id == node_id, participants.c.removed_ms.is_(None))
        .where(GOOD, tokens.c.renew > 0)
    )
    return list(conn.execute(query.order_by(participants.c.name)).scalars())


def holds(conn: sa.Connection, holder: Holder, token_hash: str) -> bool:
    query = sa.select(tokens.c.id).where(holder.tokens(), tokens.c.hash == token_hash)
    return conn.execute(query).first() is not None


def is_hash_known(conn: sa.Connection, token_hash: str) -> bool:
    query = sa.select(tokens.c.id).where(tokens.c.hash == token_hash)
    return conn.execute(query).first() is not None


def set_used(conn: sa.Connection, token_id: str, now_ms: int) -> None:
    conn.execute(tokens.update().where(tokens.c.id == token_id).values(last_used_ms=now_ms))


def ending_of_node(conn: sa.Connection, node_id: int) -> list[str]:
    query = sa.select(tokens.c.id).where(
        GOOD, tokens.c.node_id == node_id, tokens.c.ends_ms.is_not(None)
    )
    return list(conn.execute(query).scalars())


LAST_USE = sa.func.coalesce(tokens.c.last_used_ms, tokens.c.created_ms)
IDLE_UNTIL = LAST_USE + tokens.c.idle_s * 1000
"""When a token ends that nobody uses; of a token without `idle_s` it means nothing."""


def over(conn: sa.Connection, now_ms: int) -> list[str]:
    is_idle = sa.and_(tokens.c.idle_s > 0, now_ms >= IDLE_UNTIL)
    query = sa.select(tokens.c.id).where(GOOD, sa.or_(tokens.c.ends_ms <= now_ms, is_idle))
    return list(conn.execute(query).scalars())


def idle_tokens(conn: sa.Connection, participant_id: int) -> Sequence[Any]:
    """List somebody's good tokens that end when they are not used, the last used first."""
    query = sa.select(tokens).where(
        GOOD, tokens.c.participant_id == participant_id, tokens.c.idle_s > 0
    )
    return conn.execute(query.order_by(LAST_USE.desc(), tokens.c.id)).all()


FIND_TOKEN = Statement(
    sa.select(
        tokens,
        participants.c.name.label("participant_name"),
        participants.c.kind.label("participant_kind"),
        nodes.c.name.label("node_name"),
        COMPARTMENTS,
    )
    .select_from(
        tokens.outerjoin(participants, participants.c.id == tokens.c.participant_id).outerjoin(
            nodes, nodes.c.id == tokens.c.node_id
        )
    )
    .where(tokens.c.hash == bind("token_hash"), GOOD)
)


def find_token(conn: sa.Connection, token_hash: str) -> Row | None:
    """Find a good token with its holder's name, kind and compartments."""
    return FIND_TOKEN.first(conn, token_hash=token_hash)


def participant_named(conn: sa.Connection, name: str) -> sa.Row[Any] | None:
    query = sa.select(participants).where(
        participants.c.name == name, participants.c.removed_ms.is_(None)
    )
    return conn.execute(query).first()


def node_id_named(conn: sa.Connection, name: str) -> int | None:
    query = sa.select(nodes.c.id).where(nodes.c.name == name, nodes.c.removed_ms.is_(None))
    return conn.execute(query).scalar()


def node_name_of(conn: sa.Connection, participant_id: int) -> str | None:
    query = sa.select(nodes.c.name).join(participants, participants.c.node_id == nodes.c.id)
    return conn.execute(query.where(participants.c.id == participant_id)).scalar()


def agents_on(conn: sa.Connection, node_id: int) -> list[str]:
    query = sa.select(participants.c.name).where(
        participants.c.node_id == node_id, participants.c.removed_ms.is_(None)
    )
    return list(conn.execute(query.order_by(participants.c.name)).scalars())


def has_token(conn: sa.Connection, participant_id: int) -> bool:
    query = sa.select(tokens.c.id).where(tokens.c.participant_id == participant_id, GOOD)
    return conn.execute(query.limit(1)).first() is not None


def close_to_secret(conn: sa.Connection, participant_id: int) -> None:
    """Keep that somebody has, or had, a token of its own."""
    mine = participants.update().where(participants.c.id == participant_id)
    conn.execute(mine.values(open_to_secret=0))


def holder_since_ms(conn: sa.Connection, token: dict[str, Any]) -> int | None:
    """Give since when whose token it would be is there, or None where nobody is."""
    is_node = token["kind"] == "node"
    holders = nodes if is_node else participants
    holder = token["node_id"] if is_node else token["participant_id"]
    query = sa.select(holders.c.created_ms).where(
        holders.c.id == holder, holders.c.removed_ms.is_(None)
    )
    return conn.execute(query).scalar()


def insert_token(conn: sa.Connection, values: dict[str, Any]) -> None:
    conn.execute(tokens.insert(), values)


def good_tokens(
    conn: sa.Connection, *, participant_id: int | None = None, node_id: int | None = None
) -> list[str]:
    """List the good tokens of a participant, of a node; of neither there are none."""
    whose = [
        column == holder
        for column, holder in (
            (tokens.c.participant_id, participant_id),
            (tokens.c.node_id, node_id),
        )
        if holder is not None
    ]
    query = sa.select(tokens.c.id).where(GOOD, *whose)
    return list(conn.execute(query).scalars()) if whose else []


def admin_tokens(conn: sa.Connection) -> list[str]:
    query = sa.select(tokens.c.id).where(GOOD, tokens.c.kind == "admin")
    return list(conn.execute(query).scalars())


def revoke(conn: sa.Connection, token_id: str, now_ms: int) -> int:
    statement = tokens.update().where(tokens.c.id == token_id, GOOD).values(revoked_ms=now_ms)
    return conn.execute(statement).rowcount


def list_tokens(conn: sa.Connection) -> Sequence[Any]:
    query = (
        sa.select(
            tokens,
            sa.func.coalesce(participants.c.name, nodes.c.name, "").label("subject"),
        )
        .select_from(
            tokens.outerjoin(participants, participants.c.id == tokens.c.participant_id).outerjoin(
                nodes, nodes.c.id == tokens.c.node_id
            )
        )
        .order_by(tokens.c.created_ms, tokens.c.id)
    )
    return conn.execute(query).all()


COMPARTMENTS_OF = Statement(
    sa.select(memberships.c.compartment).where(memberships.c.participant_id == bind("whose"))
)


ALL_COMPARTMENTS = Statement(sa.select(memberships))


def compartments_of(conn: sa.Connection, participant_id: int) -> list[str]:
    return [row.compartment for row in COMPARTMENTS_OF.rows(conn, whose=participant_id)]


def all_compartments(conn: sa.Connection) -> list[Row]:
    return ALL_COMPARTMENTS.rows(conn)


def set_compartments(conn: sa.Connection, participant_id: int, names: Iterable[str]) -> None:
    conn.execute(memberships.delete().where(memberships.c.participant_id == participant_id))
    rows = [{"participant_id": participant_id, "compartment": name} for name in sorted(names)]
    if rows:
        conn.execute(memberships.insert(), rows)


def list_compartments(conn: sa.Connection) -> Sequence[Any]:
    query = (
        sa.select(memberships.c.compartment, participants.c.name)
        .join(participants, participants.c.id == memberships.c.participant_id)
        .where(participants.c.removed_ms.is_(None))
        .order_by(memberships.c.compartment, participants.c.name)
    )
    return conn.execute(query).all()
