"""The workers' side: can what their background runs need be had here.

It starts nothing. It must not know the bus.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from watcher import program
from watcher.doctor.finding import bad, ok
from watcher.methods import name_meant
from watcher.methods.child import environment
from watcher.runs.fitness import SEEING
from watcher.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watcher.doctor.finding import Finding
    from watcher.settings import AgentSettings, Settings

NO_RUNS = RunSettings()


def look(settings: Settings) -> Iterator[Finding]:
    """Look at each agent that has settings for runs."""
    for agent in settings.agents.values():
        if agent.runs != NO_RUNS:
            yield from _look_at_worker(agent)


def _look_at_worker(agent: AgentSettings) -> Iterator[Finding]:
    label, setting = f"worker {agent.name}", f"{program()} set {agent.name}"
    troubles = [*_find_in_workspace(agent, setting), *_find_in_checks(agent, setting)]
    method = name_meant(agent)
    if method not in SEEING:
        seen = f"its runs' ends cannot be seen by {method}"
        troubles.append((seen, f"{setting} method=gateway, or method=program with an argv"))
    for seen, mend in troubles:
        yield bad(label, seen, mend)
    if not troubles:
        where = agent.runs.workspace or agent.cwd or "OpenClaw's own workspace"
        names = ", ".join(agent.runs.verify) or "none"
        yield ok(label, f"its runs work in {where}; checks: {names}")


def _find_in_workspace(agent: AgentSettings, setting: str) -> Iterator[tuple[str, str]]:
    place = agent.runs.workspace or agent.cwd
    if place is None:
        if name_meant(agent) == "program":
            yield "it has no workspace", f"{setting} runs.workspace=/PATH"
    elif not place.is_dir():
        mend = f"mkdir -p '{place}', or {setting} runs.workspace=/PATH"
        yield f"its workspace {place} is not a folder", mend
    elif not os.access(place, os.W_OK | os.X_OK):
        yield f"its workspace {place} cannot be written to", f"chown or chmod '{place}'"


def _find_in_checks(agent: AgentSettings, setting: str) -> Iterator[tuple[str, str]]:
    path = environment(agent).get("PATH")
    for name, argv in agent.runs.verify.items():
        place = agent.runs.workspace or agent.cwd
        beside = place / argv[0] if place is not None and "/" in argv[0] else argv[0]
        if shutil.which(beside, path=path) is None:
            seen = f"its check {name} cannot run: {argv[0]} is not an executable"
            yield seen, f"install it, or {setting} runs.verify.{name}=COMMAND"
