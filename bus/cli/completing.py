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

    Question = Callable[[BusClient], list[dict[str, Any]]]

WITHIN_S = 1.0
MOST = 200

PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]*")
ID = re.compile(r"[acqrs]_[0-9A-Z]{26}")


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
    return ids(context, begun, lambda bus: bus.tasks(limit=MOST)["tasks"])


def alerts(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete an alert that is open."""
    return ids(context, begun, lambda bus: bus.alerts(limit=MOST)["alerts"])


def sessions(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete a session that you are in."""
    return ids(context, begun, lambda bus: bus.sessions(limit=MOST)["sessions"], "session_id")


def approvals(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete an approval that is open."""
    return ids(context, begun, lambda bus: bus.approvals(limit=MOST)["approvals"], "approval_id")


def open_runs(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete a run that has not ended."""
    return ids(context, begun, lambda bus: bus.runs(limit=MOST)["runs"], "run_id")


def runs(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete a run, one of the newest."""
    return ids(context, begun, lambda bus: bus.runs(limit=MOST, state="all")["runs"], "run_id")


def recipients(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete the last of some names between commas: agents, people and groups."""
    return last_of(begun, context, lambda bus: [*bus.agents()["agents"], *bus.groups()["groups"]])


def workers(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete the last of some names between commas: workers alone."""
    return last_of(
        begun,
        context,
        lambda bus: [one for one in bus.agents()["agents"] if one["kind"] == "worker"],
    )


def last_of(begun: str, context: click.Context, question: Question) -> list[str]:
    """Complete the last of some names between commas."""
    before, comma, last = begun.rpartition(",")
    return [f"{before}{comma}{name}" for name in matching(last, ask(context, question))]


def ids(context: click.Context, begun: str, question: Question, what: str = "id") -> list[str]:
    """Complete an id, as its owner sees it; what is none, a shell might run, is left out."""
    found = ask(context, question, what, as_admin=False)
    return sorted(one for one in found if one.startswith(begun) and ID.fullmatch(one))


def matching(begun: str, names: list[str]) -> list[str]:
    """Choose what a word may become; what is no name on a bus, a shell might run, is left out."""
    return sorted(name for name in names if name.startswith(begun) and PLAIN.fullmatch(name))


def ask(
    context: click.Context,
    question: Question,
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
