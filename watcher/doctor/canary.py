"""A message that an agent sends to itself, to see with its own inbox that it can be woken.

The proof is the ladder: only a read by the agent's own token counts. What it leaves stuck it takes
back. An agent's quiet hours are somebody's will: they hold a canary, too, which is no failure. It
must not know how a turn is started.
"""

from __future__ import annotations

import contextlib
import re
import threading
from typing import TYPE_CHECKING, Any

from watcher import program
from watcher.bus import Bus, BusError
from watcher.doctor.finding import Finding, bad, ok, warn

if TYPE_CHECKING:
    from watcher.clock import Clock

TYPE = "CANARY"
BODY = (
    "This is a test of your wake by bus-watcher doctor, in your own name. There is nothing to do:"
    " acknowledge it and end your turn."
)
LIMIT_S = 120.0
TTL_S = 600
LOOK_EVERY_S = 0.5
SOON_ACKED_S = 20.0
WORKER = "takes_runs"
"""The bus's word for a message to a worker."""
QUIET = re.compile(r"quiet hours until \S+ \((.+)\)$")
"""The bus's reason for what quiet hours hold, with the time where the agent lives."""
MEND = {
    "accepted": "the bus itself stands still: look at its log",
    "held": "the reason says why; a person lets a held thread go: bus release THREAD",
    "queued": "the watcher has not taken the wake: is it running and on its stream (above)?",
    "notified": "the watcher could not start a turn: journalctl --user -u bus-watcher -n 30",
    "woken": (
        "a turn was asked for and read nothing: look into the agent's session. Does its model"
        " answer, may it run commands (tools.exec.mode), can it read its header file?"
    ),
}


def wake(name: str, bus: Bus, clock: Clock, limit_s: float = LIMIT_S) -> Finding:
    """Send it and follow it; takes as long as the agent's turn."""
    label = f"canary of {name}"
    message = {"to": name, "type": TYPE, "body": BODY, "reply_expected": False, "ttl": TTL_S}
    try:
        message_id = str(bus.post("/api/send", message)["id"])
        delivery = _follow(bus, message_id, clock, limit_s)
        rungs = [str(rung["state"]) for rung in delivery["ladder"]]
    except BusError as error:
        if error.code == WORKER:
            return ok(label, "it is a worker, which no mail wakes: its runs are its proof")
        mend = f"bus agent show {name}: does it accept the type {TYPE}?"
        return bad(label, str(error), mend if error.status == 400 else "")
    except (KeyError, TypeError, IndexError, ValueError):
        return bad(label, "the bus's answer cannot be read")
    if "read" in rungs:
        how = "and acknowledged it" if "acked" in rungs else "and has not acknowledged it yet"
        return ok(label, f"it was woken, read the message {how} ({' -> '.join(rungs)})")
    _take_back(bus, message_id)
    if quiet := _read_quiet(delivery):
        mend = f"again then; or end them: bus agent change {name} --no-quiet"
        return warn(label, f"held until {quiet}, quiet hours: it was not woken", mend)
    furthest = [rung for rung in MEND if rung in rungs][-1:]
    reason = str(delivery.get("reason") or "")
    seen = f"it ended as {rungs[-1]}" if delivery.get("ended") else f"stuck at {furthest[0]}"
    mend = f"{program()} agents" if delivery.get("ended") else MEND[furthest[0]]
    return bad(label, f"{seen}{f': {reason}' if reason else ''} (message {message_id})", mend)


def _follow(bus: Bus, message_id: str, clock: Clock, limit_s: float) -> dict[str, Any]:
    """Give the delivery once it was read, and soon after acked, or ended, or the time is up."""
    never, until_s = threading.Event(), clock.monotonic_s() + limit_s
    has_time_to_ack = True
    while True:
        delivery: dict[str, Any] = bus.get(f"/api/messages/{message_id}")["deliveries"][0]
        state = delivery["state"]
        if state == "read" and has_time_to_ack:
            has_time_to_ack = False
            until_s = min(until_s, clock.monotonic_s() + SOON_ACKED_S)
        if _read_quiet(delivery):
            return delivery
        # a turn that came to nothing has cost a model call: the next one need not be waited for
        if delivery.get("ended") or delivery.get("failed_attempts"):
            return delivery
        if clock.monotonic_s() >= until_s:
            return delivery
        clock.wait(never, LOOK_EVERY_S)


def _read_quiet(delivery: dict[str, Any]) -> str:
    """Give until when quiet hours hold it, as it is where the agent lives; empty if they do not."""
    found = QUIET.match(str(delivery.get("reason") or ""))
    return found[1] if found and delivery.get("state") == "held" else ""


def _take_back(bus: Bus, message_id: str) -> None:
    """Cancel it, or its failure would wake the agent once more; if that fails, it expires."""
    with contextlib.suppress(BusError):
        bus.post(f"/api/messages/{message_id}/cancel", {"reason": "it was a test"})
