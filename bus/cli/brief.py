"""`bus brief`: what happened since one looked last, by thread, the most important first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli.calling import Caller, calls_bus
from bus.cli.output import harmless, local_second, paint, say, with_local_times
from bus.cli.words import LAST

if TYPE_CHECKING:
    from collections.abc import Mapping

COLOURS = {
    **dict.fromkeys(("critical", "alerts", "blocked", "failed", "dead"), "red"),
    **dict.fromkeys(("results", "runs"), "green"),
    "held": "yellow",
}


@click.command("brief")
@click.option(
    "--since",
    type=LAST,
    metavar="TIME",
    help="Since then, and the next brief stays as it is; 21:00 is the last time that it was 21:00.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 200),
    default=50,
    show_default=True,
    help="At most so many of each kind.",
)
@calls_bus()
def command(caller: Caller, *, since: str | None, limit: int) -> None:
    """Say what happened since your last brief, by thread, the most important first.

    Alerts, blocked tasks, failed runs, dead messages, held threads, results, what waits, what it
    cost.
    """
    answer = caller.bus.brief(since=since, limit=limit)
    caller.show(answer, lambda: show(answer))
    if since is None and caller.bus.whoami()["kind"] != "admin":
        caller.bus.brief_seen(answer["until"])  # once it is shown: a lost answer loses nothing


def show(brief: Mapping[str, Any]) -> None:
    """Write a brief."""
    since = local_second(brief["since"])
    counts = ", ".join(
        f"{harmless(one['title'])} ({one['total']}{'+' if one['cut'] else ''})"
        for one in brief["sections"]
    )
    say(paint(f"Since {since}: {counts or 'nothing happened'}", bold=True))
    for group in brief["threads"]:
        if group["thread"] is not None:
            subject = f"  {harmless(group['subject'])}" if group["subject"] else ""
            say(f"\n{paint(harmless(group['thread']), bold=True)}{subject}")
        else:
            say()
        for item in group["items"]:
            kind = paint(f"{harmless(item['section']):<8}", COLOURS.get(item["section"]))
            say(f"  {kind}  {local_second(item['at'])}  {with_local_times(harmless(item['text']))}")
    left = [one for one in brief["sections"] if one["cut"] or one["total"] > one["shown"]]
    if left:
        say()
    for one in left:
        more = one["total"] - one["shown"] or "some"
        say(f"+{more} more {harmless(one['title'])}: {harmless(one['command'])}")
    if brief["threads"]:
        say(f"\nThe same again: bus brief --since {harmless(brief['since'])}")
