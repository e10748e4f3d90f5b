"""How an alert goes: to the first of its chain, on to the next without an ack, and to its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bus.access.rules import may_see
from bus.alerts import queries, telling
from bus.alerts.model import ACKED, OPEN, SETTLED, SEVERITIES
from bus.alerts.rules import next_place
from bus.directory import service as directory
from bus.mail import service as mail
from bus.store.log import Concerns, append

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.alerts.model import Draft
    from bus.directory.model import Participant
    from bus.store.setaside import SetAside
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

BATCH = 100
TABLE = "alerts"
KIND = "ALERT"
"""The type of the messages that tell of an alert."""


def begin(
    tx: Transaction, one: Participant, draft: Draft, chain: list[Participant], due_ms: int
) -> Row:
    """Keep a new alert of somebody's, to go to the first of its chain when it is due."""
    alert_id = tx.ids.new("a", tx.now_ms)
    values = {
        **vars(draft),
        "id": alert_id,
        "for_id": one.id,
        "chain": json.dumps([other.id for other in chain]),
        "place": 0,
        "state": OPEN,
        "reason": "",
        "created_ms": tx.now_ms,
        "due_ms": due_ms,
        "ended_ms": None,
    }
    queries.insert_alert(tx.conn, values)
    tx.record("alert_opened", alert=alert_id, by=one.name, cause=draft.cause, about=draft.about)
    tx.remind(due_ms)
    return at(tx.conn, alert_id)


def at(conn: sa.Connection, alert_id: str) -> Row:
    """Read an alert that is there."""
    row = queries.find(conn, alert_id)
    assert row is not None, alert_id  # noqa: S101 - its reader has its id from this room
    return row


def go_on(tx: Transaction, row: Row) -> None:
    """Tell the next of the chain who can be told."""
    chain = json.loads(row.chain)
    told = {step.to_id for step in queries.steps(tx.conn, row.id)}
    place = next_place(chain, row.place, told)
    while place is not None:
        after = next_place(chain, place + 1, {*told, chain[place]})
        due_ms = None if after is None else tx.now_ms + tx.config.escalate_after_s * 1000
        queries.update(tx.conn, row.id, {"place": place + 1, "due_ms": due_ms})
        tx.remind(due_ms)
        if tell(tx, row, directory.get(tx.conn, chain[place]), due_ms):
            return
        place = after
    queries.update(tx.conn, row.id, {"place": len(chain), "due_ms": None})


def tell_people(tx: Transaction, row: Row) -> None:
    """Tell the people of a chain at once."""
    told = {step.to_id for step in queries.steps(tx.conn, row.id)}
    now, chain = at(tx.conn, row.id), json.loads(row.chain)
    people = [one for who in chain if (one := directory.get(tx.conn, who)).kind == "person"]
    is_all = next_place(chain, now.place, told | {one.id for one in people}) is None
    goes_on_ms = None if is_all else now.due_ms
    for one in people:
        if one.id not in told:
            tell(tx, row, one, goes_on_ms)
    queries.update(tx.conn, row.id, {"due_ms": goes_on_ms})


def tell(tx: Transaction, row: Row, one: Participant, goes_on_ms: int | None) -> bool:
    """Tell one, where that one is still there and may know of it; says whether it is so."""
    mine = directory.get(tx.conn, row.for_id).compartments
    if one.removed or not may_see(one.compartments, mine):
        return False
    if row.compartment is not None and row.compartment not in one.compartments:
        return False
    message_id = mail.tell(
        tx,
        one.id,
        KIND,
        telling.write(row, one, goes_on_ms),
        wake=True,
        priority=SEVERITIES[row.severity],
        subject=row.subject,
    )
    if not message_id:
        return False
    step = {"alert_id": row.id, "to_id": one.id, "message_id": message_id, "at_ms": tx.now_ms}
    queries.insert_step(tx.conn, step | {"waiting_id": one.id})
    announce(tx, row, "told", one)
    return True


def announce(tx: Transaction, row: Row, state: str, other: Participant | None = None) -> None:
    """Have the streams of whose alert it is, and of people who see both, say what became of it."""
    data = {
        "to_agent": row.by,
        "id": row.id,
        "severity": row.severity,
        "state": state,
        "told": None if other is None else other.name,
        "at": tx.now_text,
    }
    other_id = None if other is None else other.id
    append(tx, "alert", data, Concerns(row.for_id, other_id, compartment=row.compartment))
    tx.record("alert_moved", alert=row.id, state=state, told=data["told"] or "")


def finish(tx: Transaction, row: Row, state: str, reason: str) -> Row:
    """End an alert: it goes no further."""
    ended = {"state": state, "reason": reason, "due_ms": None, "ended_ms": tx.now_ms}
    queries.update(tx.conn, row.id, ended)
    queries.clear_waiting(tx.conn, row.id)
    announce(tx, row, state)
    return at(tx.conn, row.id)


def on_mail_acked(tx: Transaction, row: Row) -> None:
    """Hear that somebody acked mail; other mail than an alert's costs nothing here."""
    if row.type != KIND:
        return
    for step in queries.waiting(tx.conn, row.recipient_id):
        if step.message_id == row.message_id:
            who = directory.get(tx.conn, row.recipient_id).name
            finish(tx, at(tx.conn, step.alert_id), ACKED, f"acked by {who}")


def settle_about(tx: Transaction, about: str, reason: str) -> None:
    """End what a task's staying where it is had the bus begin: it has moved."""
    for row in queries.open_about(tx.conn, about):
        if row.compartment is not None:
            finish(tx, row, SETTLED, reason)


def do_due(tx: Transaction, aside: SetAside) -> int:
    """Have what nobody acked in time go on, up to a batch; gives how many were looked at."""
    rows = queries.due(tx.conn, tx.now_ms, BATCH, aside.now(TABLE))
    aside.each(tx, TABLE, rows, do_one)
    return len(rows)


def do_one(tx: Transaction, row: Row) -> None:
    """Have one go on, as it stands after those before it."""
    row = at(tx.conn, row.id)
    if row.due_ms is not None and row.due_ms <= tx.now_ms:
        go_on(tx, row)


def first_due(conn: sa.Connection, aside: SetAside) -> int | None:
    """Give when the next alert goes on."""
    return queries.first_due(conn, aside.now(TABLE))


def prune(tx: Transaction) -> int:
    """Remove a batch of alerts that ended long ago, or that nobody ever took up."""
    return queries.prune(tx.conn, tx.now_ms - tx.config.retention_s * 1000, BATCH)


def spare(tx: Transaction) -> None:
    """Let nothing wait for a time that a clock which has been put back since had set."""
    queries.hasten(tx.conn, tx.now_ms + tx.config.escalate_after_s * 1000)
