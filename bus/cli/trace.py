"""`bus trace`: where a message is and why, rung by rung; with `--follow` as it happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from bus.cli import ladder
from bus.cli.calling import Caller, calls_bus
from bus.cli.failing import REFUSED, Failure
from bus.cli.following import Following
from bus.cli.output import harmless, say, say_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@click.command("trace")
@click.argument("message_id", metavar="ID")
@click.option("--follow", is_flag=True, help="Stay until every delivery has ended.")
@calls_bus(as_admin=True)
def command(caller: Caller, message_id: str, *, follow: bool) -> None:
    """Show what became of the message ID, its ladder: each rung, its time, its reason.

    "not seen" stands where the way of waking cannot see the rung. Times are on this machine's
    clock face; + is the time since the bus had the message on its disk. With --follow the exit code
    is 1 where a delivery ended without an ack.
    """
    if message_id.startswith("t_"):
        raise click.UsageError(f"{message_id} is a thread; bus trace takes a message id (m_...)")
    bare_id = message_id.partition(".")[0]
    message = caller.bus.message(bare_id)
    if follow:
        check_follower(caller, message)
        exit_by(follow_message(caller, bare_id))
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


def follow_message(
    caller: Caller,
    message_id: str,
    is_enough: Callable[[Mapping[str, Any]], bool] = lambda _message: False,
) -> Mapping[str, Any]:
    """Write each rung as it happens, and why it waits if that is known; with `--json` a line each.

    Gives the message as it was last seen: ended, or as far as `is_enough` wanted it.
    """
    follower = Follower(caller)
    # Why a message waits is no event, and so is looked for at each heartbeat.
    follow = Following(caller.bus, "id", message_id, at_beats=True)
    for message in follow.looks(caller.bus.message):
        follower.show(message)
        if is_ended(message) or is_enough(message):
            return message
    raise AssertionError  # pragma: no cover - a stream is followed for ever


@dataclass
class Follower:
    """What of a message was written already."""

    caller: Caller
    rungs: set[tuple[str, int]] = field(default_factory=set)
    reasons: dict[str, str] = field(default_factory=dict)

    def show(self, message: Mapping[str, Any]) -> None:
        """Write what is new."""
        if not self.rungs and not self.caller.as_json:
            say(ladder.draw_head(message))
            say(ladder.draw_circumstances(message))
        for rung in new_rungs(message, self.rungs):
            self.show_line(rung.to, message, rung.fact, ladder.draw_rung(rung))
        for delivery in message["deliveries"]:
            to, reason = delivery["to"], outlook(delivery)
            if reason != self.reasons.get(to, ""):
                self.reasons[to] = reason
                if reason:
                    self.show_line(
                        to,
                        message,
                        {"waits": reason},
                        f"{ladder.INDENT}{ladder.draw_reason(reason)}",
                    )

    def show_line(
        self, to: str, message: Mapping[str, Any], fact: Mapping[str, Any], line: str
    ) -> None:
        """Write one line, with the recipient where there are several."""
        if self.caller.as_json:
            say_json({"id": message["id"], "to": to, **fact}, one_line=True)
        else:
            say(f"{line}  {harmless(to)}" if len(message["deliveries"]) > 1 else line)


def outlook(delivery: Mapping[str, Any]) -> str:
    """Say why a delivery waits, where its last rung does not say it."""
    return "" if delivery["ended"] else ladder.why_now(delivery)


def is_ended(message: Mapping[str, Any]) -> bool:
    """Say whether nothing more will become of a message."""
    return all(delivery["ended"] for delivery in message["deliveries"])


def has_arrived(message: Mapping[str, Any]) -> bool:
    """Say whether every recipient has done with it."""
    return all(delivery["state"] == "acked" for delivery in message["deliveries"])


def exit_by(message: Mapping[str, Any]) -> None:
    """End with the code for a failure where a delivery ended without an ack."""
    if not has_arrived(message):
        raise click.exceptions.Exit(REFUSED)


def new_rungs(message: Mapping[str, Any], seen: set[tuple[str, int]]) -> Iterator[ladder.Rung]:
    """Give the rungs that were not given before, in the order of their times."""
    fresh = []
    for delivery in message["deliveries"]:
        for number, fact in enumerate(delivery["ladder"]):
            if (delivery["to"], number) not in seen:
                seen.add((delivery["to"], number))
                fresh.append(ladder.Rung(message, delivery["to"], fact))
    yield from sorted(fresh, key=lambda rung: str(rung.fact["at"]))
