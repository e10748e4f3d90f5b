"""Who is there, and who may know of whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.access import service as access
from bus.access.rules import OPEN, may_see
from bus.directory import queries
from bus.directory.model import Participant
from bus.directory.quiet import read_quiet
from bus.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlalchemy as sa

    from bus.access.model import Principal


def find(conn: sa.Connection, name: str) -> Participant | None:
    """Find a participant by name."""
    row = queries.named(conn, name)
    return None if row is None else make(row, access.read_compartments(row.compartments))


def get(conn: sa.Connection, participant_id: int) -> Participant:
    """Get a participant that is known to exist, removed or not."""
    row = queries.participant(conn, participant_id)
    if row is None:
        raise NotFoundError
    return shape(conn, row)


def find_node(conn: sa.Connection, name: str) -> sa.Row[Any]:
    """Find a node by name."""
    node = queries.node_named(conn, name)
    if node is None:
        raise NotFoundError(f"no node {name[:70]!r} (bus node list)")
    return node


def find_visible(conn: sa.Connection, principal: Principal, name: str) -> Participant:
    """Find a participant that the principal may know of; absent and invisible are alike."""
    one = find(conn, name)
    if one is None or not sees(principal, one):
        raise NotFoundError(f"no agent or person {name[:70]!r} that you can see")
    return one


def is_visible(conn: sa.Connection, principal: Principal, name: str) -> bool:
    """Say whether a principal may know of someone by that name."""
    one = find(conn, name)
    return one is not None and sees(principal, one)


def visible(conn: sa.Connection, principal: Principal) -> list[Participant]:
    """List everyone a principal may know of."""
    everyone = shape_all(conn, queries.everyone(conn))
    return [one for one in everyone if sees(principal, one)]


def sees(principal: Principal, participant: Participant) -> bool:
    """Say whether a principal may know of a participant."""
    if principal.kind == "admin":
        return True
    if principal.kind == "node":
        return participant.node_id == principal.node_id
    return may_see(principal.compartments, participant.compartments)


def people_who_see(conn: sa.Connection, ends: tuple[int, ...]) -> list[Participant]:
    """List the people who share a compartment with each of these."""
    theirs = [access.compartments_of(conn, who) for who in ends if who]
    everyone = shape_all(conn, (row for row in queries.everyone(conn) if row.kind == "person"))
    return [one for one in everyone if all(may_see(one.compartments, end) for end in theirs)]


def leads_of(conn: sa.Connection, compartment: str) -> list[Participant]:
    """List the leads of a compartment."""
    leads = [shape(conn, row) for row in queries.leads(conn)]
    return [one for one in leads if compartment in one.compartments]


def people_of(conn: sa.Connection, compartment: str) -> list[Participant]:
    """List the people of a compartment."""
    people = [shape(conn, row) for row in queries.people(conn)]
    return [one for one in people if compartment in one.compartments]


def shape(conn: sa.Connection, row: sa.Row[Any]) -> Participant:
    """Make a participant of a row."""
    return make(row, access.compartments_of(conn, row.id))


def shape_all(conn: sa.Connection, rows: Iterable[sa.Row[Any]]) -> list[Participant]:
    """Make the participants of several rows, with one look at the compartments."""
    known = access.compartments_of_all(conn)
    return [make(row, known.get(row.id, frozenset({OPEN}))) for row in rows]


def make(row: sa.Row[Any], compartments: frozenset[str]) -> Participant:
    """Make a participant of a row and its compartments."""
    return Participant(
        row.id,
        row.name,
        row.kind,
        row.node_id,
        row.local_agent,
        row.session_key,
        row.display_name,
        None if row.accepts is None else tuple(json.loads(row.accepts)),
        bool(row.paused),
        compartments,
        row.removed_ms is not None,
        row.paused_ms,
        bool(row.lead),
        read_quiet(row.quiet),
    )
