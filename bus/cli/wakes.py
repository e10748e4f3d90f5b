"""`bus wakes`: which agents are being woken, how far that is, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.output import local_time, table

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("AGENT", "WAKE", "STATE", "ASKED", "ATTEMPT", "WAITING", "METHOD", "RESULT", "REASON")


@click.command("wakes")
@click.option(
    "--agent", metavar="NAME", shell_complete=completing.agents, help="Of this agent only."
)
@click.option("--all", "every", is_flag=True, help="The closed ones too.")
@click.option("--limit", type=click.IntRange(1, 500), help="At most so many, 500 or less.")
@calls_bus()
def command(caller: Caller, *, agent: str | None, every: bool, limit: int | None) -> None:
    """List the open wakes, newest first; an agent has at most one."""
    answer = caller.bus.wakes(agent=agent, every=every, limit=limit)
    if agent and not answer["wakes"]:
        caller.bus.agent(agent)  # which refuses where there is no such agent
    rows = [row_of(wake) for wake in answer["wakes"]]
    caller.show(answer, lambda: table(HEADINGS, rows, none="no wakes" if every else "none open"))


def row_of(wake: Mapping[str, Any]) -> tuple[object, ...]:
    """Write one wake as a row."""
    waiting = (wake.get("pending") or {}).get("total")
    return (
        wake["to_agent"],
        wake["wake_id"],
        wake["state"],
        local_time(wake.get("asked_at")),
        wake.get("attempt"),
        waiting,
        wake.get("method") or None,
        wake.get("result") or None,
        wake.get("reason") or None,
    )
