"""How often an agent may be woken in a day: the guard's last rule, which no chain gets past.

Only wakes of which a turn came count: a node that is away for a day uses nothing up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bus.clock import DAY_MS, to_text
from bus.guard import service as guard
from bus.guard.model import is_of_guard
from bus.mail import waking as mail
from bus.wakes import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.store.statement import Row
    from bus.store.transaction import Transaction


@dataclass(frozen=True)
class Day:
    """How many wakes an agent had; why it is not woken for now, and until when."""

    count: int = 0
    reason: str = ""
    until_ms: int = 0


def look(tx: Transaction, agent: Row) -> Day:
    """Count an agent's wakes of the day; a person's mail wakes it however many they are."""
    most = tx.config.guard_wakes
    if not guard.may_be_near(agent.generation, most, tx.config):
        return Day()
    since_ms = guard.count_wakes_from_ms(tx.conn, agent.id, tx.now_ms)
    count, first_ms = queries.count_begun(tx.conn, agent.id, since_ms, most)
    reason = guard.judge_wakes(count, most)
    if not reason:
        return Day(count)
    if mail.is_for_person(tx.conn, agent.id):
        return Day()
    until_ms = first_ms + DAY_MS
    return Day(count, f"{reason}; waiting until {to_text(until_ms)}", until_ms)


def count_today(conn: sa.Connection, ids: Sequence[int], now_ms: int) -> dict[int, int]:
    """Count the wakes that stand against each agent's budget of a day; an agent with none is out.

    A person may have let it go meanwhile; then those since are counted.
    """
    found = queries.count_all_begun(conn, ids, now_ms - DAY_MS)
    for who, from_ms in guard.let_go_since(conn, now_ms - DAY_MS).items():
        if found.pop(who, 0) and (since := queries.count_all_begun(conn, [who], from_ms)):
            found |= since
    return found


def is_stopped(wake: Row) -> bool:
    """Say whether the guard keeps an open wake from being asked."""
    return bool(wake.state == "paused" and is_of_guard(wake.reason))
