"""Which rows of the log a principal may see, as conditions of a query."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.access.rules import OPEN
from bus.store.schema import log, memberships, participants

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.access.model import Principal
    from bus.store.log import Row

MOST_SIGHTS = 10_000
PRIVATE = frozenset({"entry", "session"})
"""Kinds of rows that the administration does not see: what people and agents say to each other."""
STATE = "state"
"""The kind of row that tells a sender what became of its message."""


def audience_of(principal: Principal) -> list[sa.ColumnElement[bool]]:
    """Give the conditions of which one must hold."""
    if principal.kind == "admin":
        return [log.c.kind.not_in(sorted(PRIVATE))]
    if principal.node_id is not None:
        return [log.c.node_id == principal.node_id]
    me = principal.participant_id
    own = [log.c.participant_id == me, sa.and_(log.c.sender_id == me, log.c.kind == STATE)]
    if principal.kind == "person":
        seen = visible_to(principal)
        both = sa.or_(log.c.sender_id.is_(None), log.c.sender_id.in_(seen))
        # What is of a compartment is for that one alone, whomever it is about.
        own.append(sa.and_(log.c.participant_id.in_(seen), both, log.c.compartment.is_(None)))
        own.append(log.c.compartment.in_(sorted(principal.compartments)))
    return own


def sight_of(principal: Principal) -> Callable[[Row], bool]:
    """Give the same as a question to one row, for all but a person.

    What a person may see hangs on others' compartments, which only the database knows. Readers
    that see the same have the same question, by which the tail knows them.
    """
    if principal.kind == "admin":
        return see_all
    return sight(principal.node_id, principal.participant_id)


def see_all(row: Row) -> bool:
    """See every row but those of which the administration sees nothing."""
    return row.kind not in PRIVATE


@lru_cache(MOST_SIGHTS)
def sight(node_id: int | None, me: int | None) -> Callable[[Row], bool]:
    """See what concerns a node, or else a participant."""
    if node_id is not None:
        return lambda row: row.node_id == node_id
    return lambda row: row.participant_id == me or (row.sender_id == me and row.kind == STATE)


def visible_to(principal: Principal) -> sa.Select[tuple[int]]:
    """Select the participants that share a compartment with a person."""
    of_them = sa.select(memberships.c.participant_id).where(
        memberships.c.compartment.in_(sorted(principal.compartments))
    )
    found: sa.ColumnElement[bool] = participants.c.id.in_(of_them)
    if OPEN in principal.compartments:
        placed = sa.select(memberships.c.participant_id)
        found = sa.or_(found, participants.c.id.not_in(placed))
    return sa.select(participants.c.id).where(found)
