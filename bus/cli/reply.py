"""`bus reply`: answer an item and, as a rule, end it in the same step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.output import harmless, say
from bus.cli.words import read_body

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("reply")
@click.argument("handle")
@click.argument("body", required=False)
@click.option("--no-ack", is_flag=True, help="Answer only; the item stays yours to ack.")
@click.option("--type", metavar="WORD", help="REPLY if not given.")
@click.option("--subject", metavar="TEXT", help="One line.")
@click.option(
    "--wants-reply",
    "reply_expected",
    is_flag=True,
    default=None,
    help="Say that an answer to this is wanted.",
)
@calls_bus()
def command(caller: Caller, handle: str, body: str | None, *, no_ack: bool, **fields: Any) -> None:
    """Answer the item HANDLE with BODY (or standard input) and ack it.

    The same answer again is still one reply.
    """
    answer = caller.bus.reply(handle, read_body(body), ack=not no_ack, **fields)
    caller.show(answer, lambda: show_reply(answer))


def show_reply(answer: Mapping[str, Any]) -> None:
    """Say what was sent and what was ended."""
    again = ", sent before" if answer.get("deduplicated") else ""
    acked = ", acked" if answer.get("acked") else ""
    say(f"{harmless(answer.get('id'))}  {harmless(answer['status'])}{again}{acked}")
