"""Whom an agent's alerts go to, one after the other: as the administration set it, or as usual."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bus.access.rules import may_see
from bus.directory import queries
from bus.directory.finding import find, get, leads_of, people_of
from bus.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.directory.model import Participant
    from bus.store.transaction import Transaction

MOST = 10


def set_chain(tx: Transaction, one: Participant, names: Sequence[str] | None) -> None:
    """Set whom the alerts of an agent or a person go to; none is the usual again."""
    ids = [check_one(tx.conn, one, name) for name in names or ()]
    if len(ids) > MOST or len(set(ids)) < len(ids):
        raise InvalidRequestError(f"'escalate_to' is up to {MOST} names, each once")
    queries.update_participant(tx.conn, one.id, {"escalate_to": json.dumps(ids) if ids else None})


def check_one(conn: sa.Connection, one: Participant, name: str) -> int:
    """Refuse who cannot be told of another's alert; gives its id."""
    other = find(conn, name)
    if other is None:
        raise InvalidRequestError(f"'escalate_to': no agent or person {name[:70]!r}")
    if other.id == one.id:
        raise InvalidRequestError(f"'escalate_to': {name} would be told of its own alerts")
    if other.kind == "worker":
        raise InvalidRequestError(f"'escalate_to': {name} is a worker and has no inbox")
    if not may_see(one.compartments, other.compartments):
        raise InvalidRequestError(f"'escalate_to': {name} shares no compartment with {one.name}")
    return other.id


def chain_of(conn: sa.Connection, one: Participant) -> list[Participant]:
    """List whom somebody's alerts go to.

    Where nothing is set, or nobody of it is there any more: the leads, then the people.
    """
    row = queries.participant(conn, one.id)
    kept = None if row is None else row.escalate_to
    if kept is not None:
        chain = [get(conn, who) for who in json.loads(kept)]
        there = [other for other in chain if is_good(one, other)]
        if there:
            return there
    leads = [other for where in sorted(one.compartments) for other in leads_of(conn, where)]
    known = {other.id: other for other in (*leads, *people_for(conn, one)) if is_good(one, other)}
    return list(known.values())[:MOST]


def people_for(conn: sa.Connection, one: Participant) -> list[Participant]:
    """List the people who share a compartment with somebody."""
    people = [other for where in sorted(one.compartments) for other in people_of(conn, where)]
    return list({other.id: other for other in people if other.id != one.id}.values())


def is_good(one: Participant, other: Participant) -> bool:
    """Say whether somebody can be told of another's alert now."""
    is_there = not other.removed and other.id != one.id
    return is_there and may_see(one.compartments, other.compartments)
