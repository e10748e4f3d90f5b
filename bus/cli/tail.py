"""`bus tail`: what happens on the bus, a line each, as it happens."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.following import Breaks
from bus.cli.output import (
    complain,
    harmless,
    local_time,
    pad,
    paint_state,
    say,
    say_json,
    with_local_times,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bus.client import Event

QUIET = frozenset({"hello", "ready", "bye"})
PLACES = frozenset({"now", "earliest", "pending"})
CURSOR = re.compile(r"[0-9A-Za-z]+-\d{1,19}")
WAKES_KEPT = 1000


@click.command("tail")
@click.option(
    "--from",
    "start",
    default="now",
    show_default=True,
    metavar="PLACE",
    help="now, earliest, pending (what waits, then what is new) or a cursor.",
)
@calls_bus()
def command(caller: Caller, *, start: str) -> None:
    """Follow what you may see until Ctrl-C; a lost connection is taken up where it ended.

    With --json, a line for each event: its name, its cursor and its data.
    """
    if start not in PLACES and not CURSOR.fullmatch(start):
        raise click.UsageError(
            f"{start!r} is no place: now, earliest, pending, or a cursor as --json shows it"
        )
    shown = Shown()
    try:
        for event in caller.bus.tail("" if start == "pending" else start, broken=Breaks()):
            shown.show(caller, event)
    except KeyboardInterrupt:
        return


@dataclass
class Shown:
    """What was written of each wake: a wake says again how much waits, which is no news."""

    wakes: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def show(self, caller: Caller, event: Event) -> None:
        """Write one event; as JSON every one, for a person a wake once in each state."""
        if caller.as_json or event.kind != "wake" or self.is_news(event.data):
            show(caller, event)

    def is_news(self, wake: Mapping[str, Any]) -> bool:
        """Say whether a wake is in another state than it was, and remember this one."""
        name, state = str(wake.get("wake_id")), f"{wake.get('state')} {wake.get('attempt')}"
        was = self.wakes.pop(name, None)
        self.wakes[name] = state
        if len(self.wakes) > WAKES_KEPT:
            self.wakes.popitem(last=False)
        return was != state


def show(caller: Caller, event: Event) -> None:
    """Write one event."""
    if caller.as_json:
        say_json({"event": event.kind, "cursor": event.cursor, "data": event.data}, one_line=True)
    elif event.kind == "gap":
        complain(f"some of it is gone: {harmless(event.data.get('reason'))}")
    elif event.kind == "bus-error":
        complain(f"bus: {harmless(event.data.get('detail'))}")
    elif event.kind not in QUIET:
        say(draw(event))


def draw(event: Event) -> str:
    """Write an event as a line: when, what, who, and what is to be known of it."""
    data = event.data
    kind = pad(harmless(event.kind), 7)
    line = LINES.get(event.kind, draw_other)(data)
    return f"{local_time(data.get('at') or data.get('asked_at'))}  {kind}  {line}".rstrip()


def draw_message(data: Mapping[str, Any]) -> str:
    priority = "" if data.get("priority") == "normal" else f" {harmless(data.get('priority'))}"
    return f"{pair(data)}  {harmless(data.get('type'))}{priority}  {harmless(data.get('id'))}"


def draw_state(data: Mapping[str, Any]) -> str:
    reason = f"  {with_local_times(harmless(data['reason']))}" if data.get("reason") else ""
    state = paint_state(str(data.get("state")), 9)
    return f"{pair(data)}  {state}  {harmless(data.get('id'))}{reason}"


def draw_wake(data: Mapping[str, Any]) -> str:
    waiting = data.get("pending") or {}
    counts = f"{waiting.get('total', 0)} waiting, {waiting.get('urgent', 0)} urgent"
    state = harmless(data.get("state"))
    return f"{harmless(data.get('to_agent'))}  {state}  {counts}  {harmless(data.get('wake_id'))}"


def draw_task(data: Mapping[str, Any]) -> str:
    what, status = (harmless(data.get(name)) for name in ("what", "status"))
    holder = f"  held by {harmless(data['to_agent'])}" if data.get("to_agent") else ""
    return f"{harmless(data.get('by'))}  {what}  {status}  {harmless(data.get('id'))}{holder}"


def draw_run(data: Mapping[str, Any]) -> str:
    """Write a run's state as its parent is told it, or what a node is told to do."""
    worker = f" -> {harmless(data['worker'])}" if data.get("worker") else ""
    reason = f"  {with_local_times(harmless(data['reason']))}" if data.get("reason") else ""
    state, name = paint_state(str(data.get("state")), 9), harmless(data.get("run_id"))
    return f"{harmless(data.get('to_agent'))}{worker}  {state}  {name}{reason}"


def draw_alert(data: Mapping[str, Any]) -> str:
    """Write whose alert it is and what became of it."""
    told = f" {harmless(data['told'])}" if data.get("told") else ""
    what = f"{harmless(data.get('severity'))}  {harmless(data.get('state'))}{told}"
    return f"{harmless(data.get('to_agent'))}  {what}  {harmless(data.get('id'))}"


def draw_entry(data: Mapping[str, Any]) -> str:
    said = f"{harmless(data.get('session'))}  {data.get('place')}  {harmless(data.get('from'))}"
    return f"{said}  {harmless(data.get('kind'))}  {harmless(data.get('preview'))}"


def draw_session(data: Mapping[str, Any]) -> str:
    if data.get("what") == "cursor":
        return f"{harmless(data.get('session'))}  read to {data.get('place')}"
    if data.get("what") == "presence":
        return f"{harmless(data.get('who'))}  {'here' if data.get('online') else 'away'}"
    who = f" {harmless(data['who'])}" if data.get("who") else ""
    what = f"{harmless(data.get('what'))}{who} by {harmless(data.get('by'))}"
    return f"{harmless(data.get('session'))}  {what}  {harmless(data.get('title'))}"


def draw_other(data: Mapping[str, Any]) -> str:
    return harmless(", ".join(f"{name}={value}" for name, value in data.items()))


def pair(data: Mapping[str, Any]) -> str:
    """Write from whom to whom."""
    return f"{harmless(data.get('from'))} -> {harmless(data.get('to_agent'))}"


LINES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "message": draw_message,
    "state": draw_state,
    "wake": draw_wake,
    "task": draw_task,
    "run": draw_run,
    "alert": draw_alert,
    "entry": draw_entry,
    "session": draw_session,
}
