"""The options of quiet hours, and what they mean to the bus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bus.cli.output import local_second

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ON, USUAL_WINDOW = "on", "03:00-08:00"
"""What stands for the usual window, and that window: the bus's own where none is said."""
OPTIONS = (
    click.option(
        "--quiet",
        "windows",
        multiple=True,
        metavar="WINDOW",
        help="Hold its mail so long, 22:00-07:00 or 'mon-fri 22:00-07:00'; again for more; "
        "on is 03:00-08:00.",
    ),
    click.option("--zone", metavar="ZONE", help="The time zone of its quiet hours: Europe/Berlin."),
    click.option(
        "--urgent-from",
        metavar="NAMES",
        help="The only ones whose urgent mail passes; '' is nobody's.",
    ),
    click.option(
        "--urgent-from-people",
        "is_usual",
        is_flag=True,
        help="Let every person's urgent mail pass again, and no agent's.",
    ),
    click.option(
        "--no-quiet", "is_over", is_flag=True, help="End its quiet hours; what they hold comes now."
    ),
)


def quiet_fields(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of quiet hours."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def take_quiet(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of quiet hours out of a command's, as the field that they stand for."""
    windows, zone = list(options.pop("windows")), options.pop("zone")
    allowed, is_usual = options.pop("urgent_from"), options.pop("is_usual")
    given: dict[str, Any] = {} if zone is None else {"zone": zone}
    if windows:
        given["windows"] = [USUAL_WINDOW if one == ON else one for one in windows]
    if allowed is not None and is_usual:
        raise click.UsageError("give --urgent-from or --urgent-from-people, not both")
    if allowed is not None or is_usual:
        given["urgent_from"] = None if is_usual else read_names(allowed)
    if options.pop("is_over"):
        if given:
            raise click.UsageError("--no-quiet ends them: give nothing else of them")
        return {"quiet": None}
    return {"quiet": given} if given else {}


def read_names(text: str) -> list[str]:
    """Read names between commas, or none."""
    return [name.strip() for name in text.split(",") if name.strip()]


def describe_quiet(agent: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Write somebody's quiet hours, a line a fact."""
    quiet = agent.get("quiet")
    if quiet is None:
        return []
    lines: list[tuple[str, object]] = [
        ("quiet hours", f"{'; '.join(quiet['windows'])} in {quiet['zone']}")
    ]
    if "urgent_from" in quiet:
        allowed = quiet["urgent_from"]
        passes = "every person" if allowed is None else ", ".join(allowed) or "nobody"
        lines.append(("urgent from", passes))
    if agent.get("quiet_until"):
        lines.append(("quiet until", local_second(agent["quiet_until"])))
    return lines
