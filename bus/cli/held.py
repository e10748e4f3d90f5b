"""`bus held`: what the guard holds, and how to let it go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.output import local_second, say, table, with_local_times

if TYPE_CHECKING:
    from collections.abc import Mapping

THREADS = ("HELD", "THREAD", "BETWEEN", "MESSAGES", "REASON")
AGENTS = ("HELD", "AGENT", "WAITING", "REASON")


@click.command("held")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@calls_bus()
def command(caller: Caller, *, limit: int) -> None:
    """List what the guard holds: threads that would not end, agents woken too often today."""
    answer = caller.bus.held(limit)
    caller.show(answer, lambda: show(answer))


def show(answer: Mapping[str, Any]) -> None:
    """Write both lists, and what to do."""
    threads, agents = answer["threads"], answer["agents"]
    rows: list[tuple[object, ...]] = [
        (
            local_second(one["held_at"]),
            one["thread"],
            ", ".join(one["between"]),
            len(one["messages"]),
            one["reason"],
        )
        for one in threads
    ]
    if rows or not agents:
        table(THREADS, rows, none="nothing is held")
    if agents:
        table(
            AGENTS,
            [
                (
                    local_second(one["held_at"]),
                    one["agent"],
                    one["waiting"],
                    with_local_times(one["reason"]),
                )
                for one in agents
            ],
        )
    if threads:
        shown = next((one["messages"][0] for one in threads if one["messages"]), "ID")
        say(f"See what was said: bus trace {shown}; take it back: bus cancel {shown}")
    if threads or agents:
        first = threads[0]["thread"] if threads else agents[0]["agent"]
        say(f"Let it go: bus release {first}")
