"""`bus cancel`: take a message back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.output import harmless, paint_state, say

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("cancel")
@click.argument("message_id", metavar="ID")
@click.option("--to", multiple=True, metavar="NAME", help="Only this recipient's copy; repeatable.")
@click.option("--reason", default="", help="What its readers are told.")
@calls_bus()
def command(caller: Caller, message_id: str, *, to: tuple[str, ...], reason: str) -> None:
    """Take back what of a message is not acked yet; once more does no harm.

    Whoever is reading it can still answer.
    """
    answer = caller.bus.cancel(message_id, to, reason)
    caller.show(answer, lambda: show(answer))


def show(answer: Mapping[str, Any]) -> None:
    """Write a line for each recipient."""
    for one in answer["results"]:
        late = f" ({harmless(one['state'])})" if one["result"] == "ended" else ""
        say(f"{harmless(one['to'])}  {paint_state(one['result'])}{late}")
