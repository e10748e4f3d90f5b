"""What a brief tells of cost: the sum of its days by agent, and the dearest threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.guard.costs import Asked, day_of, show
from bus.sections import Entry, Section

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.sections import Span
    from bus.store.transaction import Hooks

AGENTS, THREADS, MOST = 5, 3, 200
"""So many agents and threads are named, the dearest; so many agents are counted."""


def register(hooks: Hooks) -> None:
    """Have each brief tell of cost."""
    hooks.on("brief_sections", tell)


def tell(conn: sa.Connection, principal: Principal, span: Span) -> list[Section]:
    """Tell what turns are known to have cost since; a day is told whole, as days are summed."""
    since, until = day_of(span.since_ms), day_of(span.until_ms)
    agents = show(conn, principal, Asked("agent", since, until, limit=MOST))
    if not agents["costs"]:
        return []
    threads = show(conn, principal, Asked("thread", since, until, limit=THREADS + 1))["costs"]
    dearest = [one for one in threads if one["thread"]][:THREADS]
    days = since if since == until else f"{since} to {until}"
    text = f"{days} (UTC): {line_of(agents['total'])}; {by_agent(agents['costs'])}"
    entries = [Entry(span.until_ms, text, "cost")]
    entries += [
        Entry(span.until_ms, f"{days}: {line_of(one)}", one["thread"], one["thread"])
        for one in dearest
    ]
    where = (f"bus cost --since {since}", f"/api/cost?since={since}")
    return [Section("cost", "costs", 60, tuple(entries), len(entries), False, *where)]


def by_agent(costs: list[dict[str, Any]]) -> str:
    """Write what each of the dearest agents cost, and of how many more nothing is said."""
    named = ", ".join(f"{one['agent']} {line_of(one)}" for one in costs[:AGENTS])
    left = len(costs) - AGENTS
    return f"{named}, +{left} more" if left > 0 else named


def line_of(one: dict[str, Any]) -> str:
    """Write a sum: dollars where they are known, and tokens."""
    tokens = f"{one['tokens_in'] + one['tokens_out']} tokens"
    return f"{one['cost_usd']:.4f} USD, {tokens}" if one["cost_usd"] else tokens
