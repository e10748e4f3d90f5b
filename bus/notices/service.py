"""The verbs of notices, in one place for their routes: where one is told, and how that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.notices import gathering, going, queries, telling
from bus.notices.sender import note
from bus.notices.showing import find, show_all, whose
from bus.notices.targets import put

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.notices.model import Letter, Stamp, Verdict
    from bus.store.statement import Row
    from bus.store.transaction import Hooks, Transaction

__all__ = [
    "begin_test",
    "count_failing",
    "count_sends",
    "end_test",
    "put",
    "register",
    "remove",
    "show_all",
    "whose",
]
count_failing, count_sends = queries.count_failing, queries.count_sends


def register(hooks: Hooks) -> None:
    """Hear of what people are to be told, and have the keeper let it go."""
    hooks.on("mail_queued", gathering.on_mail_queued)
    hooks.on("session_entry", gathering.on_session_entry)
    hooks.on("participant_removed", on_removed)
    hooks.on("participant_changed", on_changed)
    hooks.on("do_due", going.do_due)
    hooks.on("first_due", going.first_due)
    hooks.on("spared", going.spare)


def on_removed(tx: Transaction, participant_id: int) -> None:
    """Hear that somebody was removed: nothing is sent for them any more."""
    for target in queries.targets(tx.conn, participant_id):
        queries.remove_target(tx.conn, target.id)
    queries.remove_person(tx.conn, participant_id)


def on_changed(tx: Transaction, participant_id: int) -> None:
    """Hear that somebody is somebody else now: their quiet hours may be over."""
    person = queries.person(tx.conn, participant_id)
    if person is not None and person.due_ms is not None:
        queries.update_person(tx.conn, participant_id, {"due_ms": gathering.soon(tx, person)})


def remove(tx: Transaction, principal: Principal, whose_name: str, name: str) -> dict[str, Any]:
    """Remove a target, with what was on its way there."""
    one = whose(tx.conn, principal, whose_name)
    queries.remove_target(tx.conn, find(tx.conn, one, name).id)
    if not queries.targets(tx.conn, one.id):
        queries.remove_person(tx.conn, one.id)
    tx.record("notice_target_removed", person=one.name, target=name)
    return {"name": name, "removed": True}


def begin_test(
    conn: sa.Connection, principal: Principal, whose_name: str, name: str, stamp: Stamp
) -> tuple[Row, Letter]:
    """Find a target and write what tries it."""
    one = whose(conn, principal, whose_name)
    return find(conn, one, name), telling.write_test(stamp, one.name)


def end_test(tx: Transaction, target_id: int, verdict: Verdict) -> None:
    """Keep how it went, as of any notice."""
    target = queries.target(tx.conn, target_id)
    if target is not None:
        note(tx, target, verdict)
        tx.record("notice_tested", target=target.name, ok=verdict.is_taken, said=verdict.said)
