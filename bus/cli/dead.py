"""`bus dead`: the dead letters, what ended without an ack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.output import local_second, say, say_more, table
from bus.cli.words import LAST
from bus.mail.model import FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("ENDED", "ID", "FROM", "TO", "TYPE", "STATE", "REASON")
STATES = ("failed", *FAILED)


@click.command("dead")
@click.option("--agent", metavar="NAME", help="To this agent or person only.")
@click.option(
    "--since",
    type=LAST,
    metavar="TIME",
    help="Ended since then; 21:00 is the last time that it was 21:00.",
)
@click.option("--state", type=click.Choice(STATES), default="failed", show_default=True)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--before", type=int, metavar="N", help="Go on where the last list ended.")
@calls_bus()
def command(caller: Caller, **which: Any) -> None:
    """List dead letters, newest first: given up, expired or refused, with the reason."""
    answer = caller.bus.dead(**which)
    caller.show(answer, lambda: show(answer))


def show(answer: Mapping[str, Any]) -> None:
    """Write the list, and how to go on."""
    rows = [
        (
            local_second(one["ended_at"]),
            one["id"],
            one["from"],
            one["to"],
            one["type"],
            one["state"],
            one["reason"],
        )
        for one in answer["deliveries"]
    ]
    table(HEADINGS, rows, none="no dead letters")
    if answer["next"]:
        say_more("--before", answer["next"])
    elif rows:
        say("Send one again: bus redrive ID; all of an agent: bus redrive --all --agent NAME")
