"""The verbs of alerts, in one place for its routes: raise one, see them, settle one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.alerts import briefing, going, queries
from bus.alerts.model import BLOCKED, CRITICAL, MOST_OPEN, REVIEW, SETTLED, USUAL, Draft
from bus.alerts.showing import find, list_alerts, show, show_whole
from bus.board import service as board
from bus.clock import HOUR_MS
from bus.directory import service as directory
from bus.errors import ConflictError, RateLimitedError
from bus.mail import service as mail

if TYPE_CHECKING:
    from bus.access.model import Principal
    from bus.directory.model import Participant
    from bus.store.statement import Row
    from bus.store.transaction import Hooks, Transaction

__all__ = ["list_alerts", "raise_alert", "register", "settle", "show_alert"]
WATCHED = {"blocked": BLOCKED, "review": REVIEW}
"""Statuses of a task in which it waits for somebody's decision."""
show_alert = show_whole


def register(hooks: Hooks) -> None:
    """Hear of acks and of tasks that move, and have the keeper look."""
    hooks.on("mail_acked", going.on_mail_acked)
    hooks.on("task_moved", on_task_moved)
    hooks.on("brief_sections", briefing.tell)
    hooks.on("do_due", going.do_due)
    hooks.on("first_due", going.first_due)
    hooks.on("prune", going.prune)
    hooks.on("spared", going.spare)


def raise_alert(
    tx: Transaction, principal: Principal, draft: Draft, key: mail.Key | None
) -> dict[str, Any]:
    """Raise an alert and tell the first of the chain; of a critical one every person of it, too.

    The same one again, while the first is open, is that one.
    """
    kept = mail.replay(tx.conn, key)
    if kept is not None:
        return kept
    if draft.about.startswith("c_"):
        board.check_link(tx, principal, draft.about)
    me = directory.get(tx.conn, principal.participant_id or 0)
    mine = [row for row in queries.open_of(tx.conn, me.id) if row.compartment is None]
    same = next((row for row in mine if is_same(row, draft)), None)
    if same is None and len(mine) >= MOST_OPEN:
        raise ConflictError(
            f"{MOST_OPEN} alerts of yours are open; settle what is over: GET /api/alerts"
        )
    if same is None:
        check_hour(tx, me)
    row = same or open_alert(tx, me, draft)
    answer = show_whole(tx.conn, principal, row.id) | {"deduplicated": same is not None}
    mail.keep_answer(tx, key, answer, 201)
    return answer


def check_hour(tx: Transaction, me: Participant) -> None:
    """Refuse more alerts than anybody would read, over or not: an agent can settle its own."""
    most = tx.config.guard_alerts
    lately = queries.raised_since(tx.conn, me.id, tx.now_ms - HOUR_MS) if most else []
    if most and len(lately) >= most:
        raise RateLimitedError(
            f"{me.name} has raised {len(lately)} alerts within an hour; say what else there is in "
            "one of them, or by POST /api/send",
            retry_after_s=(lately[-most] + HOUR_MS - tx.now_ms) / 1000,
        )


def is_same(row: Row, draft: Draft) -> bool:
    """Say whether an alert says what another does."""
    said = (draft.severity, draft.subject, draft.about)
    return (row.severity, row.subject, row.about) == said


def open_alert(tx: Transaction, me: Participant, draft: Draft) -> Row:
    """Begin an alert and tell whoever is to hear of it now."""
    chain = directory.chain_of(tx.conn, me)
    people = [] if any(one.kind == "person" for one in chain) else directory.people_for(tx.conn, me)
    if not chain and not people:
        raise ConflictError(
            f"there is nobody to alert: no lead and no person shares a compartment with {me.name}; "
            f"the administration names some: bus agent change {me.name} --escalate-to NAMES"
        )
    is_critical = draft.severity == CRITICAL
    row = going.begin(tx, me, draft, chain + (people if is_critical else []), tx.now_ms)
    going.go_on(tx, row)
    if is_critical:
        going.tell_people(tx, row)
    return going.at(tx.conn, row.id)


def on_task_moved(tx: Transaction, now: Row) -> None:
    """Hear that a task has moved: what it waited for is over; perhaps it waits for another now."""
    going.settle_about(tx, now.id, f"the task is {now.status} now")
    if now.status not in WATCHED:
        return
    whose = now.holder_id or now.blocker_id or now.creator_id
    one = directory.get(tx.conn, whose)
    chain = [
        other for other in directory.chain_of(tx.conn, one) if now.compartment in other.compartments
    ]
    if chain:
        draft = Draft(USUAL, now.title, "", now.id, WATCHED[now.status], now.compartment)
        going.begin(tx, one, draft, chain, tx.now_ms + tx.config.escalate_after_s * 1000)


def settle(tx: Transaction, principal: Principal, alert_id: str, reason: str) -> dict[str, Any]:
    """End an alert: it is over, or in hand. Once; again says who did."""
    row = find(tx.conn, principal, alert_id)
    is_over = row.ended_ms is not None
    if not is_over:
        why = f": {reason}" if reason else ""
        who = principal.name or "the administration"
        row = going.finish(tx, row, SETTLED, f"settled by {who}{why}")
    return show(tx.conn, principal, row) | {"already": is_over}
