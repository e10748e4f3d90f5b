"""`bus trace`: where a message is and why, rung by rung; with `--follow` as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli import ladder
from bus.cli.calling import Caller, calls_bus
from bus.cli.failing import REFUSED, Failure
from bus.cli.output import complain, harmless, say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@click.command("trace")
@click.argument("message_id", metavar="ID")
@click.option("--follow", is_flag=True, help="Stay until every delivery has ended.")
@calls_bus(as_admin=True)
def command(caller: Caller, message_id: str, *, follow: bool) -> None:
    """Show the ladder of the message ID: each rung, its time, its reason.

    "not seen" stands where the way of waking cannot see the rung. Times are on this machine's
    clock face; + is the time since the bus had the message on its disk.
    """
    bare_id = message_id.partition(".")[0]
    message = caller.bus.message(bare_id)
    if follow:
        check_follower(caller, message)
        follow_message(caller, bare_id)
    else:
        caller.show(message, lambda: say("\n".join(ladder.draw(message))))


def check_follower(caller: Caller, message: Mapping[str, Any]) -> None:
    """Refuse to wait for what will not come: a stream tells states to the sender alone."""
    me = caller.bus.whoami()
    if me["kind"] != "admin" and me["name"] != message["from"]:
        raise Failure(
            f"only {message['from']}, who sent it, and the administration can follow it",
            REFUSED,
            mend=f"Where it is now: bus trace {message['id']}",
        )


def follow_message(caller: Caller, message_id: str) -> None:
    """Write each rung as it happens; with `--json` a line each."""
    has_head = False
    for rung in each_rung(caller, message_id):
        if caller.as_json:
            say_json({"id": message_id, "to": rung.to, **rung.fact}, one_line=True)
            continue
        if not has_head:
            say(ladder.draw_head(rung.message))
            say(ladder.draw_circumstances(rung.message))
            has_head = True
        to = f"  {harmless(rung.to)}" if len(rung.message["deliveries"]) > 1 else ""
        say(f"{ladder.draw_rung(rung)}{to}")


def each_rung(caller: Caller, message_id: str) -> Iterator[ladder.Rung]:
    """Give the rungs that are there and then each new one, until the message has ended.

    The stream only says when to look again; what is shown is what the ladder says.
    """
    seen: set[tuple[str, int]] = set()
    for event in caller.bus.tail("now", broken=say_broken):
        if event.kind not in {"hello", "gap"} and event.data.get("id") != message_id:
            continue
        message = caller.bus.message(message_id)
        yield from new_rungs(message, seen)
        if all(delivery["ended"] for delivery in message["deliveries"]):
            return


def new_rungs(message: Mapping[str, Any], seen: set[tuple[str, int]]) -> Iterator[ladder.Rung]:
    """Give the rungs that were not given before, in the order of their times."""
    fresh = []
    for delivery in message["deliveries"]:
        for number, fact in enumerate(delivery["ladder"]):
            if (delivery["to"], number) not in seen:
                seen.add((delivery["to"], number))
                fresh.append(ladder.Rung(message, delivery["to"], fact))
    yield from sorted(fresh, key=lambda rung: str(rung.fact["at"]))


def say_broken(why: str, pause_s: float) -> None:
    """Tell of a connection that broke; it comes back by itself."""
    complain(f"{harmless(why)}; again in {pause_s:.1f} s")
