"""Names for a shell to complete: asked of the bus, in silence and within a second, or none.

Whoever presses Tab must neither wait nor read an error.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

    from bus.client import BusClient

WITHIN_S = 1.0

PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]*")
TASK = re.compile(r"c_[0-9A-Z]{26}")


def agents(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete an agent or a person."""
    return matching(begun, ask(context, lambda bus: bus.agents()["agents"]))


def nodes(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete a machine."""
    return matching(begun, ask(context, lambda bus: bus.nodes()["nodes"]))


def groups(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete a group."""
    return matching(begun, ask(context, lambda bus: bus.groups()["groups"]))


def tasks(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete a task that is not done."""
    found = ask(context, lambda bus: bus.tasks(limit=200)["tasks"], "id", as_admin=False)
    return sorted(one for one in found if one.startswith(begun) and TASK.fullmatch(one))


def recipients(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete the last of some names between commas: agents, people and groups."""
    before, comma, last = begun.rpartition(",")
    known = ask(context, lambda bus: [*bus.agents()["agents"], *bus.groups()["groups"]])
    return [f"{before}{comma}{name}" for name in matching(last, known)]


def matching(begun: str, names: list[str]) -> list[str]:
    """Choose what a word may become; what is no name on a bus, a shell might run, is left out."""
    return sorted(name for name in names if name.startswith(begun) and PLAIN.fullmatch(name))


def ask(
    context: click.Context,
    question: Callable[[BusClient], list[dict[str, Any]]],
    what: str = "name",
    *,
    as_admin: bool = True,
) -> list[str]:
    """Ask the bus for names; none where it does not answer at once."""
    found: list[str] = []

    def look() -> None:
        from bus.cli.calling import calling  # noqa: PLC0415 - only where a name is wanted

        url, file = context.params.get("url"), context.params.get("token_file")
        try:
            with calling(url, file, as_admin=as_admin, as_json=False) as caller:
                found.extend(str(one[what]) for one in question(caller.bus))
        except Exception:  # noqa: BLE001 - whatever it is, no name is known
            found.clear()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(WITHIN_S)
    return [] if thread.is_alive() else found
