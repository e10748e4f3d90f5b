"""Groups: one name for several participants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.directory import queries
from bus.directory.changing import check_free
from bus.directory.finding import find, sees, shape
from bus.errors import NotFoundError, UnknownRecipientError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.transaction import Transaction


def set_group(tx: Transaction, name: str, members: list[str], *, new: bool) -> None:
    """Make a group, or give it other members."""
    ids = []
    for member in members:
        one = find(tx.conn, member)
        if one is None:
            raise UnknownRecipientError(f"no agent or person {member[:70]!r}")
        ids.append(one.id)
    if new:
        group_id = queries.insert_group(tx.conn, check_free(tx.conn, name), tx.now_ms)
    else:
        group_id = find_group(tx.conn, name)
    queries.set_members(tx.conn, group_id, sorted(set(ids)))


def find_group(conn: sa.Connection, name: str) -> int:
    """Find a group's id."""
    group = queries.group_named(conn, name)
    if group is None:
        raise NotFoundError(f"no group {name[:70]!r}")
    return int(group.id)


def remove_group(tx: Transaction, name: str) -> None:
    """Remove a group; its members stay."""
    queries.delete_group(tx.conn, find_group(tx.conn, name))


def list_groups(conn: sa.Connection, principal: Principal) -> list[dict[str, Any]]:
    """List groups with the members that the principal may know of."""
    shown = []
    for group in queries.all_groups(conn):
        members = [shape(conn, row) for row in queries.members(conn, group.id)]
        names = [one.name for one in members if sees(principal, one)]
        if names or principal.kind == "admin":
            shown.append({"name": group.name, "members": names})
    return shown
