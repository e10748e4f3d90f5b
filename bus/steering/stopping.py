"""Steering work that goes on: stop it, or have it do something more.

Both are entries, so that all in the session see who steered. A turn is not broken off: it hears of
it when it reads its inbox next, and a wake follows where it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.directory import service as directory
from bus.errors import ForbiddenError, InvalidRequestError
from bus.mail import service as mail
from bus.mail.model import URGENT
from bus.runs import service as runs
from bus.sessions import service as sessions
from bus.sessions.model import MESSAGE
from bus.steering.model import ALSO_TYPE, STOP, STOP_TYPE
from bus.wakes import service as wakes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bus.access.model import Principal
    from bus.steering.model import Steer
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

USUAL_STOP = "Stop: leave what you do for this session as it is, and say here how far you came."


def steer(
    tx: Transaction, principal: Principal, session_id: str, how: Steer, key: mail.Key | None
) -> dict[str, Any]:
    """Steer the work of a session; a repeated key gives the first answer again."""
    kept = mail.replay(tx.conn, key)
    if kept is not None:
        return kept
    session = sessions.find_open(tx.conn, principal, session_id)
    me = directory.get(tx.conn, principal.participant_id or 0)
    if me.kind != "person" and session.creator_id != me.id:
        raise ForbiddenError(
            f"a session is steered by a person in it, or by who made it ({session.creator})"
        )
    agents = find_agents(tx, session, how, me.id)
    do = stop if how.what == STOP else also
    answer = do(tx, principal, session, how, agents)
    tx.record("session_steered", session=session.id, by=me.name, what=how.what)
    mail.keep_answer(tx, key, answer, 201)
    return answer


def find_agents(tx: Transaction, session: Row, how: Steer, me: int) -> list[Row]:
    """Find whom of the session it is for: those named, an entry's author, or every agent."""
    there = sessions.members(tx.conn, session.number)
    agents = {one.name: one for one in there if one.kind != "person" and one.participant_id != me}
    wanted = [name.lower() for name in how.to]
    if how.entry is not None and not wanted and not how.is_all:
        wanted = [sessions.author_of(tx.conn, session, how.entry)]
    wrong = [name for name in wanted if name not in agents]
    if wrong:
        known = ", ".join(agents) or "none"
        raise InvalidRequestError(
            f"{wrong[0][:70]!r} is no agent in this session to be steered; there are: {known}"
        )
    return [agents[name] for name in wanted] or list(agents.values())


def is_named(how: Steer) -> bool:
    """Say whether it is said for whom it is, so that they hear of it though they do nothing."""
    return bool(how.to or how.is_all or how.entry)


def stop(
    tx: Transaction, principal: Principal, session: Row, how: Steer, agents: Sequence[Row]
) -> dict[str, Any]:
    """Cancel runs of the session, take back what its agents have not read, tell those at work."""
    why = f"stopped by {principal.name}"
    if how.run_id is not None:
        agents = []
        targets = [runs.find_in_session(tx, principal, session.id, how.run_id)]
    else:
        parents = {one.participant_id for one in agents} if is_named(how) else None
        targets = runs.open_in_session(tx.conn, principal, session.id, parents)
    withdrawn = sum(
        mail.take_back_unread(tx, principal, session.thread, one.participant_id, why)
        for one in agents
    )
    told = [one for one in agents if is_named(how) or is_at_work(tx, session, one)]
    entry = say(tx, principal, session, how, told, STOP_TYPE, [run.id for run in targets])
    stopped = [runs.cancel(tx, principal, run.id, "", by_session=True) for run in targets]
    return entry | {"runs": stopped, "withdrawn": withdrawn}


def also(
    tx: Transaction, principal: Principal, session: Row, how: Steer, agents: Sequence[Row]
) -> dict[str, Any]:
    """Say what is to be done also: to those at work; where nobody is, as any word is said."""
    told = [one for one in agents if is_named(how) or is_at_work(tx, session, one)]
    return say(tx, principal, session, how, told, ALSO_TYPE, [])


def is_at_work(tx: Transaction, session: Row, one: Row) -> bool:
    """Say whether an agent is in a turn, or was told something here that it has not settled."""
    me = one.participant_id
    return wakes.is_in_turn(tx.conn, me) or mail.is_asked(tx.conn, me, session.thread)


def say(  # noqa: PLR0913, PLR0917 - where, by whom, what, and who hears of it
    tx: Transaction,
    principal: Principal,
    session: Row,
    how: Steer,
    told: Sequence[Row],
    kind: str,
    run_ids: list[str],
) -> dict[str, Any]:
    """Write the entry, and have those told be told urgently."""
    names = [one.name for one in told]
    word = sessions.Word(
        MESSAGE,
        how.body if how.body.strip() else USUAL_STOP,
        {"what": how.what, "runs": run_ids},
        tuple(names),
        how.entry,
        principal.trust,
        priority=URGENT,
        mail_type=kind,
    )
    # A stop that finds nobody at work wakes nobody; more to do is somebody's in any case.
    tells = how.what != STOP or bool(told)
    written = sessions.write_entry(tx, session, principal.participant_id, word, tells=tells)
    return {
        "session_id": session.id,
        "entry_id": written.entry.id,
        "place": written.entry.place,
        "told": [one["to"] for one in written.deliveries],
        "deliveries": written.deliveries,
        "deduplicated": False,
    }
