"""`bus cost`: what turns cost, by agent, thread or day, as far as their runtimes tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.output import say, table

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("cost")
@click.option(
    "--by",
    type=click.Choice(("agent", "thread", "day")),
    default="agent",
    show_default=True,
    help="What to sum by.",
)
@click.option(
    "--agent", metavar="NAME", shell_complete=completing.agents, help="Of this agent only."
)
@click.option("--thread", metavar="THREAD", help="Of this thread only.")
@click.option(
    "--since", type=DAY, metavar="DAY", help="From this day on, UTC; 30 days if not given."
)
@click.option("--until", type=DAY, metavar="DAY", help="Up to this day.")
@click.option("--limit", type=click.IntRange(1, 500), help="At most so many rows, 500 or less.")
@calls_bus()
def command(caller: Caller, **which: Any) -> None:
    """Sum the tokens and dollars that turns are known to have cost, the dearest first."""
    days = {name: f"{which[name]:%Y-%m-%d}" for name in ("since", "until") if which[name]}
    answer = caller.bus.cost(**{**which, "since": None, "until": None, **days})
    caller.show(answer, lambda: show(answer))


def show(answer: Mapping[str, Any]) -> None:
    """Write the rows and their sum."""
    by, total = answer["by"], answer["total"]
    rows = [row_of(one[by] or "(no thread)", one) for one in answer["costs"]]
    if not rows:
        say(
            f"no turn from {answer['since']} to {answer['until']} of which the cost is known; "
            "the wake method gateway tells it"
        )
        return
    headings = (by.upper(), "TURNS", "TOKENS IN", "TOKENS OUT", "USD")
    table(headings, [*rows, row_of("in all", total)])


def row_of(name: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    """Write one row."""
    return (name, one.get("turns"), one["tokens_in"], one["tokens_out"], f"{one['cost_usd']:.4f}")
