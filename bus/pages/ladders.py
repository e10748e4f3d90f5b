"""A ladder's rungs as stretches of time: what went on from each to the next, in words. Pure.

Words are for people; which state has which is a table. What could not be seen is said so and never
guessed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bus.clock import from_text
from bus.mail.model import ENDS
from bus.pages.timeline import Stretch
from bus.runs.model import ENDS as RUN_ENDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Shown = dict[str, Any]
WORDS = {
    "accepted": ("taken in", "waits"),
    "held": ("held", "held"),
    "queued": ("waiting", "waits"),
    "notified": ("node told", "starts"),
    "woken": ("turn begun", "starts"),
    "read": ("read, at work", "works"),
    "acked": ("acked", "good"),
    "cancelled": ("cancelled", "ended"),
}
"""What a delivery's state is called while it lasts, and its kind, by which it is coloured."""
UNSEEN = {"woken": "turn asked for"}
"""What it is called instead where whoever asked could not see it."""
RUN_WORDS = {
    "submitted": ("waits for a place", "waits"),
    "queued": ("offered to its node", "waits"),
    "working": ("at work", "works"),
    "completed": ("completed", "good"),
    "cancelled": ("cancelled", "ended"),
}


def draw_delivery(
    delivery: Mapping[str, Any], turns: Mapping[str, Shown], now_ms: int
) -> list[Stretch]:
    """Give the stretches of one delivery in their order: its rungs, its turns and its answer."""
    found = draw_rungs(delivery["ladder"], WORDS, ENDS, now_ms)
    if found and not delivery["ended"] and (why := why_now(delivery)):
        last = found[-1]
        found[-1] = replace(last, notes=(*last.notes, why))
    wakes = dict.fromkeys(rung["wake_id"] for rung in delivery["ladder"] if rung["wake_id"])
    found += [
        draw_turn(turns[one], now_ms)
        for one in wakes
        if one in turns and "admitted_at" in turns[one]
    ]
    if delivery.get("replied_at"):
        at_ms = from_text(delivery["replied_at"])
        found.append(Stretch("answered", "good", at_ms, at_ms))
    # Those of one time stay as they are.
    return sorted(found, key=lambda one: one.from_ms)


def draw_run(run: Mapping[str, Any], now_ms: int) -> list[Stretch]:
    """Give the stretches of a run."""
    found = draw_rungs(run["ladder"], RUN_WORDS, RUN_ENDS, now_ms)
    last_reason = run["ladder"][-1]["reason"] if run["ladder"] else ""
    if found and run["ended_at"] is None and run["reason"] and run["reason"] != last_reason:
        found[-1] = replace(found[-1], notes=(*found[-1].notes, run["reason"]))
    return found


def draw_rungs(
    rungs: Sequence[Shown],
    words: Mapping[str, tuple[str, str]],
    ends: Iterable[str],
    now_ms: int,
) -> list[Stretch]:
    """Give a stretch from each rung to the next; the last, unless it is an end, goes on until now.

    A rung that was left in the moment it was reached says nothing of where time went.
    """
    found = []
    for at, rung in enumerate(rungs):
        is_last = at == len(rungs) - 1
        from_ms, is_end = from_text(rung["at"]), rung["state"] in ends
        to_ms = max(from_ms, now_ms) if is_last else from_text(rungs[at + 1]["at"])
        if is_last or to_ms > from_ms:
            goes_on = is_last and not is_end
            until_ms = from_ms if is_last and is_end else to_ms
            found.append(draw_rung(rung, words, from_ms, until_ms, goes_on=goes_on))
    return found


def draw_rung(
    rung: Shown,
    words: Mapping[str, tuple[str, str]],
    from_ms: int,
    to_ms: int,
    *,
    goes_on: bool,
) -> Stretch:
    """Give one rung as a stretch."""
    state, is_seen = rung["state"], rung.get("seen", True)
    name, kind = words.get(state, (state.replace("_", " "), "bad"))
    if not is_seen:
        name = UNSEEN.get(state, name)
    notes = tuple(notes_of(rung))
    return Stretch(name, kind, from_ms, to_ms, notes, is_seen=is_seen, goes_on=goes_on)


def notes_of(rung: Shown) -> Iterable[str]:
    """Say what else is known of a rung."""
    if rung.get("seen") is False:
        yield "not seen whether it came to that"
    if rung.get("attempt", 0) > 1:
        yield f"attempt {rung['attempt']}"
    if rung.get("turn_id"):
        yield f"turn {rung['turn_id']}"
    if rung.get("reason"):
        yield rung["reason"]


def why_now(delivery: Mapping[str, Any]) -> str:
    """Give why a delivery waits now, where its last rung does not say so."""
    last = delivery["ladder"][-1] if delivery["ladder"] else {}
    reason = str(delivery.get("reason") or "")
    return "" if reason == last.get("reason") else reason.removeprefix("waiting: ")


def draw_turn(turn: Mapping[str, Any], now_ms: int) -> Stretch:
    """Give the turn that a wake began: from its admission to the end that is known of it."""
    from_ms = from_text(turn["admitted_at"])
    is_over = "closed_at" in turn
    to_ms = from_text(turn["closed_at"]) if is_over else max(from_ms, now_ms)
    result = str(turn["result"]).replace("_", " ")
    how = f"by {turn['method']}" if turn["method"] else ""
    notes = tuple(filter(None, (how, result)))
    return Stretch("the turn", "turn", from_ms, to_ms, notes, goes_on=not is_over)
