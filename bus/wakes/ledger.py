"""The ledger itself: an agent's one open wake, how it is asked, shown and closed.

States of an open wake: `paused` (not to be asked before its time), `asked` (on the node's
stream), `received` (the watcher has it), `admitted` (a turn lives), `requested` (a blind method
took the call). What remains to be read is derived from mail each time, never kept here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.clock import to_text
from bus.errors import NotFoundError
from bus.guard import service as guard
from bus.mail import waking as mail
from bus.store.log import Concerns, append
from bus.wakes import daily, queries
from bus.wakes.daily import is_stopped
from bus.wakes.rules import ask_pause_ms, pause_ms

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.store.statement import Row
    from bus.store.transaction import Transaction

MAX_REASON = 300
UNSTARTED = ("paused", "asked", "received")
UNTAKEN = ("paused", "asked")
"""Nobody has it yet, so a read or an ack cannot be its doing: with nothing left it is closed."""


def ensure_wake(tx: Transaction, participant_id: int) -> None:
    """Have a wake open if there is mail that wants one; at most one is."""
    there = queries.open_of(tx.conn, participant_id)
    if there is not None:
        if is_stopped(there):
            go_on(tx, there)
        elif there.state == "paused":
            explain(tx, there)
        return
    agent = queries.agent(tx.conn, participant_id)
    if agent.kind != "named" or agent.paused or agent.removed_ms or agent.node_id is None:
        return
    if agent.quiet is not None:
        mail.keep_all_quiet(tx, participant_id)
    waiting = mail.pending(tx.conn, participant_id)
    if not waiting.total:
        return
    wake_id = tx.ids.new("w", tx.now_ms)
    day = daily.look(tx, agent)
    pause = left_of_pause_ms(tx, participant_id, agent.wake_failures)
    due = tx.now_ms + (pause or tx.config.wake_ask_s * 1000)
    if day.reason:
        pause, due = day.until_ms - tx.now_ms, day.until_ms
    values = {
        "id": wake_id,
        "participant_id": participant_id,
        "node_id": agent.node_id,
        "generation": queries.next_generation(tx.conn, participant_id),
        "state": "paused" if pause else "asked",
        "attempt": agent.wake_failures + 1,
        "reason": day.reason,
        "asked_ms": tx.now_ms,
        "due_ms": due,
    }
    queries.insert_wake(tx.conn, values)
    tx.remind(due)
    wake = find(tx, wake_id)
    if day.reason or wake.attempt > 1:
        explain(tx, wake)
    if not pause:
        tell_node(tx, wake, waiting)
    # Last, since what is told may itself ask for a wake.
    guard.tell_wakes(tx, participant_id, day.count)


def left_of_pause_ms(tx: Transaction, participant_id: int, failures: int) -> int:
    """Give how long the next wake has still to wait; a pause begins with the last failure."""
    if not failures:
        return 0
    config, last = tx.config, queries.last_closed(tx.conn, participant_id)
    whole = pause_ms(failures, config.backoff_first_s, config.backoff_max_s, tx.ids.fraction())
    if last is None:
        return whole
    # Never longer than a whole pause: the clock may have been put back since.
    since_ms = int(tx.now_ms - last.closed_ms)
    return min(whole, max(0, whole - since_ms))


def explain(tx: Transaction, wake: Row) -> None:
    """Write on what waits for another try until when, and why."""
    if is_stopped(wake):
        mail.note(tx, wake.participant_id, wake.reason)
        return
    last = queries.last_closed(tx.conn, wake.participant_id)
    why = f" ({last.reason})" if last is not None and last.reason else ""
    when = f"waiting until {to_text(wake.due_ms)} to try" if wake.state == "paused" else "tried"
    mail.note(tx, wake.participant_id, f"{when} again{why}")


def ask(tx: Transaction, wake: Row) -> None:
    """Put a wake on its node's stream; it is looked at again if nobody takes it."""
    since = wake.asked_ms if wake.state == "asked" else tx.now_ms
    due = tx.now_ms + ask_pause_ms(since, tx.now_ms, tx.config.wake_ask_s)
    changes = {"state": "asked", "asked_ms": since, "due_ms": due}
    queries.update(tx.conn, wake.id, changes)
    now = wake._replace(**changes)
    if wake.state == "paused" and wake.attempt > 1:
        explain(tx, now)
    tell_node(tx, now, mail.pending(tx.conn, wake.participant_id))
    tx.remind(due)


def go_on(tx: Transaction, wake: Row) -> None:
    """Ask a wake that the guard stopped, or write again how long it stays so."""
    day = daily.look(tx, queries.agent(tx.conn, wake.participant_id))
    if day.reason:
        queries.update(tx.conn, wake.id, {"reason": day.reason, "due_ms": day.until_ms})
        explain(tx, wake._replace(reason=day.reason))
        return
    queries.update(tx.conn, wake.id, {"reason": ""})
    mail.note(tx, wake.participant_id, "")
    ask(tx, wake._replace(reason=""))


def tell_node(tx: Transaction, wake: Row, waiting: mail.Pending) -> None:
    """Write a wake that is asked for on its node's stream."""
    shown = show_with(tx.conn, wake, waiting)
    append(tx, "wake", shown, Concerns(node_id=wake.node_id))
    record(tx, "wake_asked", wake, attempt=wake.attempt, pending=waiting.total)


def record(tx: Transaction, action: str, wake: Row, **facts: Any) -> None:
    """Have the log tell of a wake."""
    tx.record(action, wake=wake.id, agent=wake.to_agent, generation=wake.generation, **facts)


def find(tx: Transaction, wake_id: str) -> Row:
    """Find a wake that must be there."""
    wake = queries.find(tx.conn, wake_id)
    if wake is None:
        raise NotFoundError
    return wake


def show(conn: sa.Connection, wake: Row) -> dict[str, Any]:
    """Show a wake: ids, counts and times, never a body."""
    return show_with(conn, wake, mail.pending(conn, wake.participant_id))


def times_of(wake: Row) -> dict[str, str]:
    """Show when what happened to a wake, as far as it has."""
    return {
        name: to_text(getattr(wake, column))
        for name, column in (
            ("asked_at", "asked_ms"),
            ("received_at", "received_ms"),
            ("admitted_at", "admitted_ms"),
            ("read_at", "read_ms"),
            ("closed_at", "closed_ms"),
        )
        if getattr(wake, column) is not None
    }


def show_with(conn: sa.Connection, wake: Row, waiting: mail.Pending) -> dict[str, Any]:
    """Show a wake with what waits for its agent, and of which session that is."""
    usage = ("tokens_in", "tokens_out", "cost_usd")
    cost = {name: told for name in usage if (told := getattr(wake, name)) is not None}
    return {
        "to_agent": wake.to_agent,
        "wake_id": wake.id,
        "generation": wake.generation,
        "local_agent": wake.local_agent,
        "session_key": wake.session_key,
        "state": wake.state,
        "attempt": wake.attempt,
        "pending": vars(waiting),
        "session": mail.session_of_pending(conn, wake.participant_id, waiting.total),
        "turn_id": wake.turn_id,
        "method": wake.method,
        "result": wake.result,
        "reason": wake.reason,
        **cost,
        **times_of(wake),
    }


def close(  # noqa: PLR0913 - how a wake ends has that many facts
    tx: Transaction,
    wake: Row,
    result: str,
    reason: str,
    *,
    failed: bool,
    counted: bool | None = None,
) -> None:
    """Close a wake and look again at what remains: new mail during a turn is one more wake.

    `failed` makes the next wake pause; `counted` (the same where not said) counts the attempt on
    what it asked for and nobody read.
    """
    values = {
        "state": "closed",
        "result": result,
        "reason": reason,
        "closed_ms": tx.now_ms,
        "due_ms": None,
    }
    there = queries.open_of(tx.conn, wake.participant_id)
    if there is None or there.id != wake.id:
        return
    queries.update(tx.conn, wake.id, values)
    record(tx, "wake_closed", wake, result=result, failed=failed, reason=reason[:MAX_REASON])
    agent = queries.agent(tx.conn, wake.participant_id)
    queries.set_failures(tx.conn, wake.participant_id, agent.wake_failures + 1 if failed else 0)
    counts = failed if counted is None else counted
    mail.put_back(tx, wake.id, wake.participant_id, reason, counted=counts)
    ensure_wake(tx, wake.participant_id)


def follow_reading(tx: Transaction, wake: Row) -> None:
    """Judge a blind wake by what was read: it lasts as long as a lease, and ends with the last."""
    due = mail.last_lease_ms(tx.conn, wake.participant_id)
    if due is None:
        close(tx, wake, "acked", "", failed=False)
    else:
        queries.update(tx.conn, wake.id, {"due_ms": due})
