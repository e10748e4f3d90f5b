"""The ladder of a message as lines: one a rung, with its time and what is known of it.

It draws and asks nothing; where a rung could not be seen it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bus.cli.output import harmless, local_time, paint, paint_state, with_local_times
from bus.clock import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Shown = dict[str, Any]
STATE_WIDTH = 9
OFFSET_WIDTH = 12
INDENT = " " * (OFFSET_WIDTH + 2)


@dataclass(frozen=True)
class Rung:
    """One rung of one delivery: which message, to whom, and what is known."""

    message: Mapping[str, Any]
    to: str
    fact: Mapping[str, Any]


def rungs(message: Mapping[str, Any]) -> Iterator[Rung]:
    """Give every rung of a message, delivery by delivery."""
    for delivery in message["deliveries"]:
        for fact in delivery["ladder"]:
            yield Rung(message, delivery["to"], fact)


def offset_ms(message: Mapping[str, Any], at: str) -> int:
    """Count the milliseconds from accepted to a time."""
    return from_text(at) - from_text(message["sent_at"])


def write_offset(ms: int) -> str:
    """Write milliseconds; a longer time in larger units."""
    if ms < 60_000:
        return f"+{ms} ms"
    seconds = ms // 1000
    if seconds < 3600:
        return f"+{seconds // 60} min {seconds % 60} s"
    return f"+{seconds // 3600} h {seconds % 3600 // 60} min"


def draw_rung(rung: Rung) -> str:
    """Write one rung."""
    fact = rung.fact
    offset = write_offset(offset_ms(rung.message, fact["at"])).rjust(OFFSET_WIDTH)
    state = paint_state(fact["state"], STATE_WIDTH)
    return f"{offset}  {local_time(fact['at'])}  {state}  {', '.join(notes(fact))}".rstrip()


def notes(fact: Mapping[str, Any]) -> Iterator[str]:
    """Say what more is known of a rung, and what could not be."""
    if fact.get("seen") is False:
        yield "not seen"
    if fact["state"] == "read" or fact.get("attempt", 0) > 1:
        yield f"attempt {fact['attempt']}"
    if fact.get("turn_id"):
        yield f"turn {harmless(fact['turn_id'])}"
    elif fact.get("wake_id") and fact["state"] == "notified":
        yield f"wake {harmless(fact['wake_id'])}"
    if fact.get("reason"):
        yield draw_reason(fact["reason"])


def draw_head(message: Mapping[str, Any]) -> str:
    """Write what the message is."""
    subject = f' "{harmless(message["subject"])}"' if message.get("subject") else ""
    people = ", ".join(harmless(one["to"]) for one in message["deliveries"])
    who = f"{harmless(message['from'])} -> {people}"
    return paint(
        f"{harmless(message['id'])}  {harmless(message['type'])}  {who}{subject}", bold=True
    )


def draw_circumstances(message: Mapping[str, Any]) -> str:
    """Write when and where the message belongs."""
    answers = f", answers {harmless(message['in_reply_to'])}" if message.get("in_reply_to") else ""
    return (
        f"sent {local_time(message['sent_at'], date=True)}, {harmless(message['priority'])}, "
        f"thread {harmless(message['thread'])}, hops {message['hops']}{answers}"
    )


def draw(message: Mapping[str, Any]) -> Iterator[str]:
    """Write a message and its whole ladder."""
    yield draw_head(message)
    yield draw_circumstances(message)
    for delivery in message["deliveries"]:
        yield ""
        yield draw_delivery(delivery)
        for fact in delivery["ladder"]:
            yield draw_rung(Rung(message, delivery["to"], fact))
        yield from draw_outlook(delivery)


def draw_delivery(delivery: Mapping[str, Any]) -> str:
    """Write whose copy it is and where it stands."""
    return f"{paint(harmless(delivery['to']), bold=True)}: {paint_state(delivery['state'])}"


def draw_outlook(delivery: Mapping[str, Any]) -> Iterator[str]:
    """Write what is no rung: why it waits now, the lease, the answers."""
    if waits := why_now(delivery):
        yield f"{INDENT}{draw_reason(waits)}"
    if delivery.get("lease_until") and not delivery.get("ended"):
        yield f"{INDENT}leased until {local_time(delivery['lease_until'])}"
    for reply in delivery.get("reply_ids", []):
        yield f"{INDENT}answered: bus trace {harmless(reply)}"


def why_now(delivery: Mapping[str, Any]) -> str:
    """Give why it stands where it does, unless its last rung says so."""
    last = delivery["ladder"][-1] if delivery["ladder"] else {}
    reason = str(delivery.get("reason") or "")
    return "" if reason == last.get("reason") else reason


def draw_reason(reason: str) -> str:
    """Write a reason, with its times on this machine's clock face."""
    return with_local_times(harmless(reason))
