"""Who is meant by an address: a name, a group or a session key."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from bus.directory import queries
from bus.directory.finding import find, sees, shape_all, visible
from bus.directory.model import Recipients
from bus.errors import UnknownRecipientError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal

SESSION_PARTS = 3


def resolve(conn: sa.Connection, principal: Principal, address: str) -> Recipients:
    """Find who an address stands for: a name, a group, or a session key."""
    one = find(conn, address)
    if one is not None and sees(principal, one):
        return Recipients("one", [one])
    group = queries.group_named(conn, address)
    if group is not None:
        members = shape_all(conn, queries.members(conn, group.id))
        seen = [one for one in members if sees(principal, one)]
        if seen:
            return Recipients("group", [one for one in seen if one.name != principal.name])
    if address.startswith("agent:"):
        return resolve_session_key(conn, principal, address)
    raise unknown(address)


def resolve_session_key(conn: sa.Connection, principal: Principal, key: str) -> Recipients:
    """Find the one visible agent behind `agent:<id>:<rest>`."""
    rows = shape_all(conn, queries.with_session_key(conn, key))
    seen = [one for one in rows if sees(principal, one)]
    if len(seen) == 1:
        return Recipients("one", seen)
    if seen:
        names = ", ".join(one.name for one in seen)
        raise UnknownRecipientError(f"{key!r} is the session key of {names}: use a name")
    parts = key.split(":")
    named = find(conn, parts[1]) if len(parts) >= SESSION_PARTS else None
    if named is not None and sees(principal, named):
        return Recipients("one", [named])
    raise unknown(key)


def unknown(address: str) -> UnknownRecipientError:
    """Say that there is nobody."""
    return UnknownRecipientError(f"no recipient {address[:70]!r}", address=address[:70])


def hint(conn: sa.Connection, principal: Principal, address: str) -> str:
    """Say who was perhaps meant."""
    names = [one.name for one in visible(conn, principal)]
    near = difflib.get_close_matches(address, names, n=1)
    return f"did you mean {near[0]}?" if near else "GET /api/agents lists those you can reach"
