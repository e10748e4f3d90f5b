"""`bus send`: post a message and be free; the bus says at once what became of each copy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from bus.cli import completing
from bus.cli.calling import Caller, calls_bus
from bus.cli.output import complain, harmless, paint_state, say, with_local_times
from bus.cli.words import DURATION_S, MOMENT, NAMES, read_body
from bus.clock import from_text

if TYPE_CHECKING:
    from collections.abc import Mapping

PRIORITIES = ("urgent", "high", "normal", "low")
NAMES_ON_THE_BUS = {"kind": "type", "at": "deliver_at", "in_s": "deliver_in", "ttl_s": "ttl"}


@click.command("send")
@click.argument("to", type=NAMES, shell_complete=completing.recipients)
@click.argument("body", required=False)
@click.option("--type", "kind", metavar="WORD", help="TASK, STATUS, ...; MESSAGE if not given.")
@click.option("--subject", metavar="TEXT", help="One line.")
@click.option("--reply-to", "in_reply_to", metavar="ID", help="The message that this answers.")
@click.option("--priority", type=click.Choice(PRIORITIES), help="normal if not given.")
@click.option("--urgent", is_flag=True, help="The same as --priority urgent.")
@click.option("--in", "in_s", type=DURATION_S, help="Deliver after this time (10m, 2h).")
@click.option("--at", type=MOMENT, help="Deliver at this time (21:30, 2026-11-20T21:30).")
@click.option("--ttl", "ttl_s", type=DURATION_S, help="Not wanted any more after this time.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same again is one message.")
@click.option("--no-reply", is_flag=True, help="Say that no answer is wanted.")
@click.option("--no-wake", is_flag=True, help="Let it wait for the recipient's next turn.")
@click.option("--follow", is_flag=True, help="Show the ladder until the message has ended.")
@calls_bus()
def command(  # noqa: PLR0913 - a message's own fields
    caller: Caller,
    to: list[str],
    body: str | None,
    *,
    urgent: bool,
    key: str | None,
    no_reply: bool,
    no_wake: bool,
    follow: bool,
    **fields: Any,
) -> None:
    """Send BODY to TO: a name, names between commas, a group or a session key.

    BODY is read from standard input where it is - or not given. With --follow the exit code is 1
    where a delivery ended without an ack.
    """
    if urgent and fields.get("priority") not in {None, "urgent"}:
        raise click.UsageError("--urgent and --priority do not go together")
    message = {
        "to": to if len(to) > 1 else to[0],
        "body": read_body(body),
        **{
            NAMES_ON_THE_BUS.get(name, name): value
            for name, value in fields.items()
            if value is not None
        },
    }
    if urgent:
        message["priority"] = "urgent"
    if no_reply:
        message["reply_expected"] = False
    if no_wake:
        message["wake"] = "never"
    if "deliver_at" in message and from_text(str(message["deliver_at"])) <= time.time() * 1000:
        complain("that time is past: it goes at once")
    answer = caller.bus.send(message, key=key)
    if follow:
        from bus.cli.trace import exit_by, follow_message  # noqa: PLC0415 - only where asked for

        exit_by(follow_message(caller, str(answer["id"])))
    else:
        caller.show(answer, lambda: show_sent(answer))


def show_sent(answer: Mapping[str, Any]) -> None:
    """Say what became of a message, and where to look next."""
    message_id = harmless(answer.get("id"))
    again = "  (sent before; nothing new was sent)" if answer.get("deduplicated") else ""
    say(f"{message_id}{again}")
    for delivery in answer.get("deliveries", []):
        why = with_local_times(harmless(delivery.get("reason") or ""))
        reason = f"  {why}" if why else ""
        say(f"  {harmless(delivery['to'])}  {paint_state(delivery['state'])}{reason}")
    for one in answer.get("unreachable", []):
        say(f"  {harmless(one['to'])}  {paint_state('refused')}  {harmless(one['detail'])}")
    say(f"bus trace {message_id}")
