"""What turns cost, by day, agent and thread: added where a turn ends, and summed.

It must not know what a wake or a run is: whoever hears of a turn's end says whose it was, which
threads it was about, and what its runtime told of tokens and dollars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.clock import DAY_MS, to_text
from bus.directory import service as directory
from bus.guard import cost_queries as queries
from bus.guard.model import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.store.transaction import Hooks, Transaction

NO_TURNS = "thread"
"""A turn that was about several threads is one turn: by thread there is no such number."""


@dataclass(frozen=True)
class Asked:
    """Which sums are wanted: by agent, thread or day, of the days from one to another."""

    by: str
    since: str
    until: str
    agent: str | None = None
    thread: str | None = None
    limit: int = 100


def register(hooks: Hooks) -> None:
    """Hear of runs that end, each of which was a turn."""
    hooks.on("run_ended", on_run_ended)


def day_of(time_ms: int) -> str:
    """Give the day of a time, UTC."""
    return to_text(time_ms)[:10]


def add(tx: Transaction, participant_id: int, threads: Sequence[str], usage: Usage) -> None:
    """Add what a turn cost, in equal parts to the threads that it was about."""
    if not usage.is_known:
        return
    among = sorted(set(threads)) or [""]
    for place, thread in enumerate(among):
        values = {
            "turns": int(place == 0),
            "tokens_in": part(usage.tokens_in, place, len(among)),
            "tokens_out": part(usage.tokens_out, place, len(among)),
            "cost_usd": (usage.cost_usd or 0.0) / len(among),
        }
        key = {"day": day_of(tx.now_ms), "participant_id": participant_id, "thread": thread}
        queries.add(tx.conn, key, values)


def on_run_ended(tx: Transaction, run: Any) -> None:
    """Hear that a run ended: its turn was the worker's, about the thread of its dispatch."""
    dollars = None if run.cost_microusd is None else run.cost_microusd / 1_000_000
    add(tx, run.worker_id, [run.thread], Usage(run.tokens_in, run.tokens_out, dollars))


def part(number: int | None, place: int, parts: int) -> int:
    """Give one of the equal parts of a number; the first ones have what is left over."""
    whole, rest = divmod(number or 0, parts)
    return whole + int(place < rest)


def show(conn: sa.Connection, principal: Principal, asked: Asked) -> dict[str, Any]:
    """Show what the agents cost that the reader may see; an agent sees its own.

    Raises:
        NotFoundError: there is no such agent that the reader can see.
    """
    mine = principal.participant_id if principal.kind == "agent" else None
    if asked.agent is not None:
        directory.find_visible(conn, principal, asked.agent)
    names = {
        one.id: one.name
        for one in directory.visible(conn, principal)
        if mine in {None, one.id} and asked.agent in {None, one.name}
    }
    ids, days = list(names), (asked.since, asked.until)
    rows = queries.sums(conn, asked.by, ids, *days, asked.thread, asked.limit)
    shown = [{asked.by: names.get(row.what, row.what), **numbers(row, asked.by)} for row in rows]
    whole = queries.total(conn, ids, *days, asked.thread)
    return {
        "by": asked.by,
        "since": asked.since,
        "until": asked.until,
        "costs": shown,
        "total": numbers(whole, "day"),
    }


def numbers(row: Any, by: str) -> dict[str, Any]:
    """Show the sums of a row."""
    turns = {} if by == NO_TURNS else {"turns": row.turns or 0}
    tokens = {"tokens_in": row.tokens_in or 0, "tokens_out": row.tokens_out or 0}
    return {**turns, **tokens, "cost_usd": round(row.cost_usd or 0.0, 6)}


def forget(tx: Transaction) -> None:
    """Forget the days that are kept no longer."""
    before_ms = tx.now_ms - tx.config.cost_retention_days * DAY_MS
    queries.forget(tx.conn, day_of(before_ms))
