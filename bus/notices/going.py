"""When notices go: not to who is there, not in quiet hours, several as one, and no storm of them.

It writes what is to be sent; sending is another's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bus.clock import MINUTE_MS
from bus.directory import service as directory
from bus.mail import service as mail
from bus.notices import queries
from bus.notices.gathering import is_urgent
from bus.notices.model import KEPT, LONGEST_MS, SURE_MS, TOPIC
from bus.sessions import service as sessions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.directory.model import Participant
    from bus.store.setaside import SetAside
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

BATCH = 100
TABLE = "notice_people"


def do_due(tx: Transaction, aside: SetAside) -> int:
    """Let go what is due, up to a batch of people; gives how many were looked at."""
    rows = queries.due(tx.conn, tx.now_ms, BATCH, aside.now(TABLE))
    aside.each(tx, TABLE, rows, let_go)
    return len(rows)


def first_due(conn: sa.Connection, aside: SetAside) -> int | None:
    """Give when somebody's notices are due."""
    return queries.first_due(conn, aside.now(TABLE))


def let_go(tx: Transaction, person: Row) -> None:
    """Send somebody what waits, as far as it may go now; the rest has its time."""
    one = directory.get(tx.conn, person.id)
    window_ms, in_window = person.window_ms, person.in_window
    if not 0 <= tx.now_ms - window_ms < MINUTE_MS:
        window_ms, in_window = tx.now_ms, 0
    is_there = bool(tx.ask("is_watching", participant_id=one.id))
    free, over, times = [], [], []
    for row in queries.waiting_for(tx.conn, one.id):
        when = may_go(tx, one, row, is_there=is_there)
        if when is None:
            over.append(row.id)
        elif when > tx.now_ms:
            times.append(when)
        else:
            free.append(row)
    if free and in_window >= tx.config.notices_per_min:
        times.append(window_ms + MINUTE_MS)
    elif free:
        in_window += 1
        send(tx, one.id, free)
        over += [row.id for row in free]
    queries.remove_notices(tx.conn, over)
    due_ms = min(times, default=None)
    changes = {"due_ms": due_ms, "window_ms": window_ms, "in_window": in_window}
    queries.update_person(tx.conn, one.id, changes)
    tx.remind(due_ms)


def may_go(tx: Transaction, one: Participant, row: Row, *, is_there: bool) -> int | None:
    """Give when something may go; None where it need not any more."""
    facts = json.loads(row.facts)
    if is_read(tx.conn, one.id, facts):
        return None
    quiet_ms = directory.kept_until(
        tx.conn, one.quiet, tx.now_ms, sender_id=row.sender_id, is_urgent=is_urgent(facts)
    )
    if quiet_ms is not None:
        # At that moment their mail comes, too: one notice tells of both.
        return quiet_ms + int(tx.config.notice_grace_s * 1000)
    if not is_there:
        return tx.now_ms
    if row.seen_ms is None:
        # Perhaps nobody is at the other end any more, which is known only later.
        queries.update_notice(tx.conn, row.id, {"seen_ms": tx.now_ms})
        return tx.now_ms + SURE_MS
    sure_ms: int = row.seen_ms + SURE_MS
    return None if sure_ms <= tx.now_ms else sure_ms


def send(tx: Transaction, participant_id: int, rows: Sequence[Row]) -> None:
    """Write what goes to each target that takes any of it."""
    items = [json.loads(row.facts) | {"count": row.count} for row in rows]
    for target in queries.targets(tx.conn, participant_id):
        events = json.loads(target.events)
        mine = [item for item in items if item["kind"] in events]
        if not target.previews:
            mine = [{k: v for k, v in item.items() if k != "preview"} for item in mine]
        if mine:
            put(tx, target, mine)


def put(tx: Transaction, target: Row, items: Sequence[dict[str, Any]]) -> None:
    """Have things go to a target: with what waits for it and has not been tried, or anew."""
    pile = queries.untried(tx.conn, target.id)
    before = {"kinds": {}, "items": []} if pile is None else json.loads(pile.facts)
    kinds: dict[str, int] = before["kinds"]
    for item in items:
        kinds[item["kind"]] = kinds.get(item["kind"], 0) + item["count"]
    priority = min(item["priority"] for item in [*before["items"], *items])
    priority = min(priority, before.get("priority", priority))
    kept = [*before["items"], *items][-KEPT:]
    text = json.dumps({"kinds": kinds, "items": kept, "priority": priority})
    if pile is not None:
        queries.update_send(tx.conn, pile.id, {"facts": text})
    else:
        send_id = tx.ids.new("n", tx.now_ms)
        values = {"id": send_id, "target_id": target.id, "facts": text, "attempts": 0}
        queries.insert_send(tx.conn, values | {"created_ms": tx.now_ms, "due_ms": tx.now_ms})
    tx.look_again(TOPIC)


def is_stale(conn: sa.Connection, participant_id: int, send: Row) -> bool:
    """Say whether all that a notice tells of was read while it could not go out."""
    facts = json.loads(send.facts)
    items = facts["items"]
    if sum(facts["kinds"].values()) > sum(item["count"] for item in items):
        return False  # of some of it nothing is kept but that it was there
    return all(is_read(conn, participant_id, item) for item in items)


def is_read(conn: sa.Connection, participant_id: int, facts: dict[str, Any]) -> bool:
    """Say whether somebody has read what is to be told."""
    if "message_id" in facts:
        return not mail.is_unread(conn, participant_id, facts["message_id"])
    return sessions.has_read(conn, facts["session_id"], participant_id, facts["place"])


def quiet_until(tx: Transaction, one: Participant, send: Row) -> int | None:
    """Give until when one that could not go out before is kept by quiet hours of now."""
    facts = json.loads(send.facts)
    return directory.kept_until(
        tx.conn, one.quiet, tx.now_ms, sender_id=None, is_urgent=is_urgent(facts)
    )


def spare(tx: Transaction) -> None:
    """Let nothing wait for a time that a clock which has been put back since had set."""
    soon_ms = tx.now_ms + int(tx.config.notice_grace_s * 1000)
    queries.hasten(tx.conn, soon_ms, tx.now_ms + LONGEST_MS)
    tx.look_again(TOPIC)
