"""Every statement of the directory, one named function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.store.schema import COMPARTMENTS, enrolments, group_members, groups, nodes, participants
from bus.store.statement import Statement, bind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.store.statement import Row

THERE = participants.c.removed_ms.is_(None)


WITH_ID = Statement(sa.select(participants).where(participants.c.id == bind("of")))
KNOWN = (
    *("id", "name", "kind", "node_id", "local_agent", "session_key", "display_name"),
    *("accepts", "paused", "paused_ms", "removed_ms", "lead", "quiet"),
)
"""What a participant is made of: each send looks one up, and pays for every column."""
NAMED = Statement(
    sa.select(*(participants.c[name] for name in KNOWN), COMPARTMENTS).where(
        participants.c.name == bind("name"), THERE
    )
)


def participant(conn: sa.Connection, participant_id: int) -> Row | None:
    return WITH_ID.first(conn, of=participant_id)


def with_ids(conn: sa.Connection, ids: Sequence[int]) -> Sequence[sa.Row[Any]]:
    return conn.execute(sa.select(participants).where(participants.c.id.in_(ids))).all()


def named(conn: sa.Connection, name: str) -> Row | None:
    return NAMED.first(conn, name=name)


def with_session_key(conn: sa.Connection, session_key: str) -> Sequence[sa.Row[Any]]:
    query = sa.select(participants).where(participants.c.session_key == session_key, THERE)
    return conn.execute(query.order_by(participants.c.name)).all()


def everyone(conn: sa.Connection) -> Sequence[sa.Row[Any]]:
    return conn.execute(sa.select(participants).where(THERE).order_by(participants.c.name)).all()


def leads(conn: sa.Connection) -> Sequence[sa.Row[Any]]:
    query = sa.select(participants).where(participants.c.lead == 1, THERE)
    return conn.execute(query.order_by(participants.c.name)).all()


def people(conn: sa.Connection) -> Sequence[sa.Row[Any]]:
    query = sa.select(participants).where(participants.c.kind == "person", THERE)
    return conn.execute(query.order_by(participants.c.name)).all()


def on_node(conn: sa.Connection, node_id: int) -> Sequence[sa.Row[Any]]:
    query = sa.select(participants).where(participants.c.node_id == node_id, THERE)
    return conn.execute(query.order_by(participants.c.name)).all()


def insert_participant(conn: sa.Connection, values: dict[str, Any]) -> int:
    statement = participants.insert().values(values).returning(participants.c.id)
    return int(conn.execute(statement).scalar_one())


def update_participant(conn: sa.Connection, participant_id: int, values: dict[str, Any]) -> None:
    conn.execute(participants.update().where(participants.c.id == participant_id), values)


def group_named(conn: sa.Connection, name: str) -> sa.Row[Any] | None:
    return conn.execute(sa.select(groups).where(groups.c.name == name)).first()


def all_groups(conn: sa.Connection) -> Sequence[sa.Row[Any]]:
    return conn.execute(sa.select(groups).order_by(groups.c.name)).all()


def members(conn: sa.Connection, group_id: int) -> Sequence[sa.Row[Any]]:
    query = (
        sa.select(participants)
        .join(group_members, group_members.c.participant_id == participants.c.id)
        .where(group_members.c.group_id == group_id, THERE)
    )
    return conn.execute(query.order_by(participants.c.name)).all()


def insert_group(conn: sa.Connection, name: str, now_ms: int) -> int:
    statement = groups.insert().values(name=name, created_ms=now_ms).returning(groups.c.id)
    return int(conn.execute(statement).scalar_one())


def set_members(conn: sa.Connection, group_id: int, participant_ids: list[int]) -> None:
    conn.execute(group_members.delete().where(group_members.c.group_id == group_id))
    rows = [{"group_id": group_id, "participant_id": who} for who in participant_ids]
    if rows:
        conn.execute(group_members.insert(), rows)


def delete_group(conn: sa.Connection, group_id: int) -> None:
    conn.execute(group_members.delete().where(group_members.c.group_id == group_id))
    conn.execute(groups.delete().where(groups.c.id == group_id))


NODE = Statement(sa.select(nodes).where(nodes.c.id == bind("of")))


def node(conn: sa.Connection, node_id: int) -> Row | None:
    return NODE.first(conn, of=node_id)


def node_names(conn: sa.Connection) -> dict[int, str]:
    """Name every node, also those that were removed."""
    return {row.id: row.name for row in conn.execute(sa.select(nodes.c.id, nodes.c.name))}


def node_named(conn: sa.Connection, name: str) -> sa.Row[Any] | None:
    query = sa.select(nodes).where(nodes.c.name == name, nodes.c.removed_ms.is_(None))
    return conn.execute(query).first()


def all_nodes(conn: sa.Connection) -> Sequence[sa.Row[Any]]:
    query = sa.select(nodes).where(nodes.c.removed_ms.is_(None))
    return conn.execute(query.order_by(nodes.c.name)).all()


def insert_node(conn: sa.Connection, values: dict[str, Any]) -> int:
    return int(conn.execute(nodes.insert().values(values).returning(nodes.c.id)).scalar_one())


def update_node(conn: sa.Connection, node_id: int, values: dict[str, Any]) -> None:
    conn.execute(nodes.update().where(nodes.c.id == node_id), values)


def insert_enrolment(conn: sa.Connection, values: dict[str, Any]) -> None:
    conn.execute(enrolments.insert(), values)


def enrolment(conn: sa.Connection, code_hash: str) -> sa.Row[Any] | None:
    return conn.execute(sa.select(enrolments).where(enrolments.c.code_hash == code_hash)).first()


def use_enrolment(conn: sa.Connection, code_hash: str, nonce_hash: str, now_ms: int) -> None:
    conn.execute(
        enrolments.update()
        .where(enrolments.c.code_hash == code_hash)
        .values(nonce_hash=nonce_hash, used_ms=now_ms)
    )


def void_all_codes(conn: sa.Connection) -> None:
    """Forget every code that nobody has used."""
    conn.execute(enrolments.delete().where(enrolments.c.used_ms.is_(None)))


def void_codes(conn: sa.Connection, node_id: int) -> None:
    """Forget the codes of a node that nobody has used."""
    conn.execute(
        enrolments.delete().where(enrolments.c.node_id == node_id, enrolments.c.used_ms.is_(None))
    )
