"""`bus redrive`: send dead letters again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.failing import REFUSED
from bus.cli.output import complain, harmless, paint_state, say, say_json
from bus.cli.words import DURATION_S, LAST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = 200
SENT = {"queued", "held"}


@click.command("redrive")
@click.argument("message_id", required=False, metavar="[ID]")
@click.option("--all", "every", is_flag=True, help="All dead letters to --agent.")
@click.option("--agent", metavar="NAME", help="With --all: to whom.")
@click.option("--since", type=LAST, metavar="TIME", help="With --all: ended since then.")
@click.option("--to", multiple=True, metavar="NAME", help="With ID: this copy only; repeatable.")
@click.option("--ttl", type=DURATION_S, help="Wanted for so long from now, such as 2h.")
@calls_bus()
def command(
    caller: Caller, message_id: str | None, *, every: bool, to: tuple[str, ...], **which: Any
) -> None:
    """Send again what ended without an ack: the same message, with as many attempts as at first.

    What has expired needs a new --ttl. The exit code is 1 where something was not sent.
    """
    if every == bool(message_id) or (every and not which["agent"]):
        raise click.UsageError("give a message's ID, or --all with --agent NAME")
    if message_id:
        results = list(caller.bus.redrive(message_id, to, which["ttl"])["results"])
    else:
        results = [one for page in pages(caller, which) for one in page]
    if caller.as_json:
        say_json({"results": results})
    else:
        show(results)
    if any(one["result"] not in SENT for one in results):
        raise click.exceptions.Exit(REFUSED)


def pages(caller: Caller, which: dict[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
    """Send page after page again, each dead letter once, and say how far that is."""
    done, below = 0, None
    while True:
        answer = caller.bus.redrive_all(**which, limit=PAGE, before=below)
        done, below = done + len(answer["results"]), answer["next"]
        yield answer["results"]
        if below is None:
            return
        complain(f"{done} so far")


def show(results: list[Mapping[str, Any]]) -> None:
    """Write what was not sent, and how many were."""
    for one in results:
        if one["result"] not in SENT:
            why = f"{paint_state(one['result'])}  {harmless(one.get('reason', ''))}"
            say(f"{harmless(one['id'])}  {harmless(one['to'])}  {why}")
    counts = Counter("sent again" if one["result"] in SENT else "not sent" for one in results)
    say(", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing to send")
