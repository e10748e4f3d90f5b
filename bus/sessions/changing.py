"""Making a session, who is in it, what it is called, and whether it is open."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from bus.access.rules import may_see
from bus.directory import service as directory
from bus.errors import (
    ApartError,
    BusError,
    ForbiddenError,
    TooManyParticipantsError,
    TooManySessionsError,
)
from bus.mail import service as mail
from bus.mail.model import SYSTEM
from bus.mail.rules import quote, refuse_worker
from bus.sessions import finding, outputs, queries, rules
from bus.sessions.model import CLOSED, OPEN
from bus.sessions.writing import concerns, write_note
from bus.store.log import append
from bus.store.transaction import RIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.sessions.model import Invited
    from bus.store.statement import Row
    from bus.store.transaction import Transaction


def make(tx: Transaction, me: Participant, title: str) -> Row:
    """Make a session with nobody but who makes it."""
    if me.kind == "worker":
        raise ForbiddenError("a worker is in no session: who dispatched it is")
    session_id = tx.ids.new("s", tx.now_ms)
    queries.insert_session(
        tx.conn,
        {
            "id": session_id,
            "title": title,
            "state": OPEN,
            "thread": f"t_{session_id.removeprefix('s_')}",
            "creator_id": me.id,
            "place": 0,
            "created_ms": tx.now_ms,
            "changed_ms": tx.now_ms,
        },
    )
    row = finding.get(tx.conn, session_id)
    take_in(tx, row, me, rules.check_wake(None))
    return row


def resolve_all(
    tx: Transaction, principal: Principal, invited: Iterable[Invited]
) -> list[tuple[Participant, str]]:
    """Find whom names and groups stand for: all of them, or an error that names each wrong one."""
    found: dict[int, tuple[Participant, str]] = {}
    wrong: list[BusError] = []
    for one in invited:
        wake = rules.check_wake(one.wake)
        try:
            there = directory.resolve(tx.conn, principal, one.name)
        except BusError as error:
            wrong.append(error)
            continue
        found |= {who.id: (who, wake) for who in there.participants}
    if wrong:
        raise type(wrong[0])("; ".join(error.detail for error in wrong), **wrong[0].more)
    for who, _ in found.values():
        if who.kind == "worker":
            raise refuse_worker(who.name)
    return list(found.values())


def check_together(tx: Transaction, several: Sequence[Participant]) -> None:
    """Refuse to bring together who may not know of each other, and too many."""
    most = tx.config.max_participants
    if len(several) > most:
        raise TooManyParticipantsError(f"{len(several)} would be in it; at most {most}")
    for one, other in combinations(several, 2):
        if not may_see(one.compartments, other.compartments):
            raise ApartError(
                f"{one.name} and {other.name} share no compartment, and all in a session see each "
                "other"
            )


def take_in(tx: Transaction, session: Row, who: Participant, wake: str) -> None:
    """Put somebody into a session: new there, or where they were when they left.

    What was said before somebody came is there to be read, and is not unread.
    """
    most = tx.config.max_sessions
    if len(queries.numbers_of(tx.conn, who.id)) >= most:
        raise TooManySessionsError(f"{who.name} is in {most} sessions; leave one first")
    known = queries.member(tx.conn, session.number, who.id)
    now = {
        "wake": wake,
        "cursor": finding.get(tx.conn, session.id).place if known is None else known.cursor,
        "joined_ms": tx.now_ms,
        "left_ms": None,
    }
    if known is None:
        key = {"session_number": session.number, "participant_id": who.id}
        queries.insert_member(tx.conn, {**key, **now})
    else:
        queries.update_member(tx.conn, session.number, who.id, now)


def invite(
    tx: Transaction, session: Row, me: Participant, several: Sequence[tuple[Participant, str]]
) -> list[str]:
    """Take others in; who is in it already stays as they are. Gives the names of the new ones."""
    finding.check_open(session)
    there = queries.members(tx.conn, session.number)
    known = {one.participant_id for one in there}
    new = [(who, wake) for who, wake in several if who.id not in known]
    if not new:
        return []
    present = [directory.get(tx.conn, one.participant_id) for one in there]
    check_together(tx, [*present, *(who for who, _ in new)])
    for who, wake in new:
        take_in(tx, session, who, wake)
    names = [who.name for who, _ in new]
    write_note(tx, session, "invited", f"{me.name} invited {', '.join(names)}", me, names)
    for name in names:
        tell(tx, session, "invited", me.name, who=name)
    return names


def remove(tx: Transaction, session: Row, me: Participant, member: Row) -> None:
    """Take somebody out: oneself, or, for a person in it and for who made it, another."""
    is_self = member.participant_id == me.id
    if not is_self and me.kind != "person" and session.creator_id != me.id:
        raise ForbiddenError(
            f"{member.name} leaves by itself, or is removed by a person in the session or by who "
            f"made it ({session.creator})"
        )
    why = f"{me.name} left" if is_self else f"{me.name} removed {member.name}"
    take_out(tx, session, member, why, me)


def take_out(tx: Transaction, session: Row, member: Row, why: str, by: Participant | None) -> None:
    """End somebody's being in a session; those who stay, and who goes, hear of it."""
    key = (session.number, member.participant_id)
    queries.update_member(tx.conn, *key, {"left_ms": tx.now_ms})
    outputs.break_off(tx, session, member)
    mail.forget_unread(tx, session.thread, member.participant_id, why)
    if session.state != CLOSED:
        write_note(tx, session, "left", why, by, [member.name])
    by_name = SYSTEM if by is None else by.name
    tell(tx, session, "left", by_name, who=member.name, also=[member])
    tx.look_again(RIGHTS)  # whoever goes may be reading a stream of it


def set_wake(tx: Transaction, session: Row, me: Participant, member: Row, wake: str) -> None:
    """Set by what an agent is woken: its own word, a person's, or that of who made the session."""
    if member.participant_id != me.id and me.kind != "person" and session.creator_id != me.id:
        raise ForbiddenError(f"by what {member.name} is woken, it says itself, or a person does")
    queries.update_member(tx.conn, session.number, member.participant_id, {"wake": wake})
    tell(tx, session, "wake", me.name, who=member.name)


def rename(tx: Transaction, session: Row, me: Participant, title: str) -> None:
    """Give a session another title."""
    finding.check_open(session)
    if title == session.title:
        return
    queries.update(tx.conn, session.number, {"title": title})
    now = finding.get(tx.conn, session.id)
    write_note(tx, now, "renamed", f"{me.name} renamed it to {quote(title)}", me)
    tell(tx, now, "renamed", me.name)


def set_state(tx: Transaction, session: Row, me: Participant, state: str) -> None:
    """Close a session, or open it again; the note of it is the last or the first entry."""
    if state == session.state:
        return
    if state == CLOSED:
        write_note(tx, session, "closed", f"{me.name} closed the session", me)
        queries.update(tx.conn, session.number, {"state": state})
        tell(tx, finding.get(tx.conn, session.id), "closed", me.name)
        return
    queries.update(tx.conn, session.number, {"state": state})
    now = finding.get(tx.conn, session.id)
    write_note(tx, now, "reopened", f"{me.name} reopened the session", me)
    tell(tx, now, "reopened", me.name)


def tell(  # noqa: PLR0913 - what was done where, by whom, and who hears of it
    tx: Transaction,
    session: Row,
    what: str,
    by: str,
    *,
    who: str | None = None,
    also: Sequence[Row] = (),
) -> None:
    """Put what was done with a session on the streams of those in it, and of some others."""
    data: dict[str, Any] = {
        "session": session.id,
        "what": what,
        "by": by,
        "who": who,
        "title": session.title,
        "state": session.state,
        "at": tx.now_text,
    }
    for one in [*queries.members(tx.conn, session.number), *also]:
        row = {"to_agent": one.name, **data}
        append(tx, "session", row, concerns(session, one.participant_id))
    tx.announce("session_moved", session=session, what=what)
