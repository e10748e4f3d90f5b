"""Agents of different compartments are kept on nodes, and Unix users, of their own."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from bus.directory import queries
from bus.directory.finding import shape
from bus.errors import MixedCompartmentsError

if TYPE_CHECKING:
    import sqlalchemy as sa


def check_node(conn: sa.Connection, node_id: int | None) -> None:
    """Refuse agents of different compartments on one node: they share a Unix user.

    Sharing one compartment is not enough: what only one of them may see, both could read.
    """
    if node_id is not None:
        check_together(conn, node_id)


def check_together(conn: sa.Connection, *node_ids: int) -> None:
    """Refuse agents of different compartments on nodes that one Unix user has."""
    agents = [shape(conn, row) for node_id in node_ids for row in queries.on_node(conn, node_id)]
    for one, other in itertools.combinations(agents, 2):
        if one.compartments != other.compartments:
            raise MixedCompartmentsError(
                f"{one.name} and {other.name} are in different compartments; on one node they run "
                "under one Unix user and could read each other's files and tokens: use two nodes, "
                "each with a Unix user of its own"
            )
