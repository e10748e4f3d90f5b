"""Which rows of the log a principal may see, as conditions of a query; none means all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from bus.access.rules import OPEN
from bus.store.schema import log, memberships, participants

if TYPE_CHECKING:
    from bus.access.model import Principal


def audience_of(principal: Principal) -> list[sa.ColumnElement[bool]]:
    """Give the conditions of which one must hold."""
    if principal.kind == "admin":
        return []
    if principal.node_id is not None:
        return [log.c.node_id == principal.node_id]
    me = principal.participant_id
    own = [log.c.participant_id == me, log.c.sender_id == me]
    if principal.kind == "person":
        seen = visible_to(principal)
        own.append(sa.and_(log.c.participant_id.in_(seen), log.c.sender_id.is_(None)))
    return own


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
