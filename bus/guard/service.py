"""Holding a thread and letting it go. It knows threads, not what is said in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.clock import DAY_MS, MINUTE_MS
from bus.guard import queries
from bus.guard.model import Message, Start
from bus.guard.rules import PATH, Talk, is_near, judge, judge_wakes, warn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import sqlalchemy as sa

    from bus.config import Config
    from bus.store.statement import Row
    from bus.store.transaction import Transaction

__all__ = ["PATH", "Message", "Start", "check", "is_held", "judge_wakes"]
let_go_since = queries.let_go_since


def is_held(conn: sa.Connection, thread: str) -> str:
    """Give the reason for which a thread is held, or an empty text."""
    hold = queries.hold_of(conn, thread)
    return hold.reason if hold is not None and hold.released_ms is None else ""


def check(tx: Transaction, message: Message) -> str:
    """Give the reason why a message's thread is held, holding it now where a rule says so.

    The message itself is written already, its delivery is not.
    """
    if message.start is not None:
        is_warned = message.start.is_warned
        talk = talk_of(message, message.start.from_hops, to_self=count_self(tx, message))
    else:
        minute_ms, day_ms = tx.now_ms - MINUTE_MS, tx.now_ms - DAY_MS
        row = queries.so_far(tx.conn, message.thread, message.pair, minute_ms, day_ms)
        if row.reason and row.released_ms is None:
            return str(row.reason)
        is_warned, talk = row.warned_ms is not None, talk_so_far(tx, message, row)
    reason = judge(talk, tx.config)
    if reason:
        keep_hold(tx, message, reason)
    elif not is_warned and (near := warn(talk, tx.config)):
        queries.keep(tx.conn, message.thread, tx.now_ms, warned_ms=tx.now_ms)
        tx.record("thread_warned", thread=message.thread, reason=near)
        tx.announce("thread_near_hold", thread=message.thread, reason=near, pair=message.pair)
    return reason


def keep_hold(tx: Transaction, message: Message, reason: str) -> None:
    """Hold a thread and have it told."""
    values = {"at_ms": tx.now_ms, "reason": reason, "released_ms": None}
    queries.keep(tx.conn, message.thread, tx.now_ms, **values)
    tx.record("thread_held", thread=message.thread, reason=reason)
    tx.announce("thread_held", thread=message.thread, reason=reason, pair=message.pair)


def talk_of(message: Message, from_hops: int, **counted: int) -> Talk:
    """Give what the rules judge: of the chain only what came since the last new input."""
    hops = max(0, message.hops - from_hops)
    if message.is_result:
        return Talk(message.path[-1:], message.recipient, burst=0, results=counted["results"])
    return Talk(message.path[-hops - 1 :], message.recipient, hops, **counted)


def talk_so_far(tx: Transaction, message: Message, row: Row) -> Talk:
    """Give what the rules judge of a message in a thread that was there before."""
    since_ms = max(row.released_ms or 0, tx.now_ms - DAY_MS)
    results, written = 0, int(row.messages)
    if message.is_result or is_near(
        written, tx.config.guard_messages, tx.config.guard_warn_percent
    ):
        # What comes and goes between a parent and its workers has a budget of its own.
        results, written = queries.count_by_kind(tx.conn, message.thread, since_ms)
    is_today = row.wakes_ms is not None and row.wakes_ms > tx.now_ms - DAY_MS
    return talk_of(
        message,
        row.from_hops or 0,
        burst=row.burst + 1,
        to_self=count_self(tx, message),
        messages=written,
        wakes=row.wakes if is_today else 0,
        results=results,
    )


def count_self(tx: Transaction, message: Message) -> int:
    """Count what the sender wrote to itself in the last minute, this message among it."""
    if message.sender_id != message.recipient_id:
        return 0
    return 1 + queries.count_to_self(tx.conn, message.sender_id, tx.now_ms - MINUTE_MS)


def go_on(tx: Transaction, thread: str, new: str) -> Start:
    """Have a thread that goes on from another share what was allowed to that, and its warning."""
    row = queries.hold_of(tx.conn, thread)
    if row is None or (row.released_ms is None and row.warned_ms is None):
        return Start()
    kept = {"released_ms": row.released_ms, "from_hops": row.from_hops, "warned_ms": row.warned_ms}
    queries.keep(tx.conn, new, row.released_ms or tx.now_ms, **kept)
    return Start(row.from_hops, row.warned_ms is not None)


def hear_person(tx: Transaction, thread: str) -> None:
    """Hear that a person wrote in a thread: what was before it does not count any more."""
    queries.keep(tx.conn, thread, tx.now_ms, released_ms=tx.now_ms, warned_ms=None, wakes=0)


def count_wake(tx: Transaction, threads: Iterable[str]) -> None:
    """Count a wake for each thread of which it is."""
    for thread in sorted(set(threads)):
        queries.count_wake(tx.conn, thread, tx.now_ms, tx.now_ms - DAY_MS)


def forget(tx: Transaction, threads: Collection[str]) -> None:
    """Forget those of the threads of which no message is kept."""
    queries.forget(tx.conn, threads)


def release(tx: Transaction, thread: str, hops: int) -> bool:
    """Let a thread that has come so far go on for as long again; says whether it was held."""
    return queries.release(tx.conn, thread, hops, tx.now_ms)


def start_of(conn: sa.Connection, thread: str) -> int:
    """Give from where a thread's chain is counted: how far it had come when it was let go."""
    hold = queries.hold_of(conn, thread)
    return 0 if hold is None else int(hold.from_hops or 0)


def list_held(conn: sa.Connection, limit: int) -> Sequence[Row]:
    """List the held threads, the newest first."""
    return queries.all_held(conn, limit)


def may_be_near(count: int, most: int, config: Config) -> bool:
    """Say whether so many may already be worth a warning, or more than that."""
    return bool(most) and (count >= most or is_near(count, most, config.guard_warn_percent))


def count_wakes_from_ms(conn: sa.Connection, participant_id: int, now_ms: int) -> int:
    """Give since when an agent's wakes count: for a day, or since a person let it go."""
    budget = queries.budget_of(conn, participant_id)
    return max(now_ms - DAY_MS, budget.from_ms if budget else 0)


def tell_wakes(tx: Transaction, participant_id: int, count: int) -> None:
    """Tell once a day that an agent had all its wakes, and once that it is about to."""
    most = tx.config.guard_wakes
    reason = judge_wakes(count, most)
    if not may_be_near(count, most, tx.config):
        return
    event, column = ("agent_held", "told_ms") if reason else ("agent_near_hold", "warned_ms")
    budget = queries.budget_of(tx.conn, participant_id)
    told_ms = getattr(budget, column) if budget else 0
    if told_ms <= tx.now_ms - DAY_MS:
        queries.keep_budget(tx.conn, participant_id, **{column: tx.now_ms})
        tx.record(event, participant=participant_id, wakes=count, most=most)
        why = reason or f"{count} wakes in a day, at most {most}"
        tx.announce(event, participant_id=participant_id, reason=why)


def release_agent(tx: Transaction, participant_id: int) -> None:
    """Have an agent's wakes of the day be counted anew from now on."""
    anew = {"from_ms": tx.now_ms, "told_ms": 0, "warned_ms": 0}
    queries.keep_budget(tx.conn, participant_id, **anew)
