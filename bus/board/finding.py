"""Finding a task, and what somebody is to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.board import queries
from bus.board.model import AGENT, BLOCKER, HOLDER, LEAD, PERSON
from bus.directory import service as directory
from bus.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.store.statement import Row


def find(conn: sa.Connection, principal: Principal, task_id: str) -> Row:
    """Find a task that a principal may see; absent and invisible are alike."""
    row = queries.find(conn, task_id)
    if row is None or not sees(principal, row.compartment):
        raise NotFoundError(f"no task {task_id[:40]!r} that you can see")
    return row


def sees(principal: Principal, compartment: str) -> bool:
    """Say whether the tasks of a compartment are a principal's to see."""
    return principal.kind == "admin" or compartment in principal.compartments


def roles_of(conn: sa.Connection, principal: Principal, row: Row) -> set[str]:
    """Say what a principal is to a task; a worker and the administration are nothing."""
    if principal.participant_id is None:
        return set()
    return roles_to(directory.get(conn, principal.participant_id), principal, row)


def roles_to(me: Participant, principal: Principal, row: Row) -> set[str]:
    """Say the same of somebody who has been looked up; of many tasks once."""
    if me.kind == "worker":
        return set()
    held = {HOLDER: row.holder_id, BLOCKER: row.blocker_id}
    roles = {role for role, who in held.items() if who == me.id}
    # A household's secret shows no more than that somebody has it: no lead is known by that.
    if me.is_lead and principal.trust == "peer":
        roles.add(LEAD)
    return roles | {PERSON if me.kind == "person" else AGENT}


def name_roles(conn: sa.Connection, row: Row) -> dict[str, str]:
    """Say who each role is, for whom a move is refused."""
    leads, people = (
        ", ".join(one.name for one in several)
        for several in (
            directory.leads_of(conn, row.compartment),
            directory.people_of(conn, row.compartment),
        )
    )
    known = {HOLDER: row.holder, BLOCKER: row.blocker, LEAD: leads, PERSON: people}
    return {role: who for role, who in known.items() if who}


def find_chief(conn: sa.Connection, name: str | None, what: str, compartment: str) -> int | None:
    """Find a person or a lead of a compartment: nobody else may decide over a result."""
    if name is None:
        return None
    one = directory.find(conn, name)
    if one is not None and compartment in one.compartments and is_chief(one):
        return one.id
    chiefs = directory.leads_of(conn, compartment) + directory.people_of(conn, compartment)
    known = ", ".join(one.name for one in chiefs) or "there is none yet"
    raise InvalidRequestError(
        f"{what!r} is a lead or a person of compartment {compartment} ({known}), not {name[:70]!r}"
    )


def is_chief(one: Participant) -> bool:
    """Say whether somebody decides over others' tasks."""
    return one.is_lead or one.kind == "person"
