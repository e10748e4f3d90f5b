"""Where an agent's skill goes in OpenClaw, and whether OpenClaw takes it as ready.

OpenClaw itself is asked, because only it knows its workspaces. It must not write anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from watcher import plainjson, programs, settingsfile, skill
from watcher.install.record import Record
from watcher.methods import runs_in_openclaw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.settings import AgentSettings, Settings

NOT_SEEN = "OpenClaw's gateway has not seen it yet: its list of skills is some minutes old"


class Place(NamedTuple):
    """Where an agent's skill is read from and how it stands; `trouble` where that is not known."""

    path: Path | None = None
    is_ready: bool = False
    trouble: str = ""


def agents_of_openclaw(settings: Settings) -> list[AgentSettings]:
    """Give the agents that OpenClaw runs."""
    return [agent for agent in settings.agents.values() if runs_in_openclaw(agent)]


def find_places(settings: Settings, environ: Mapping[str, str]) -> tuple[dict[str, Path], str]:
    """Give where each agent of OpenClaw's has our skill, by its id there; or why that is not known.

    Not by its list of skills: its gateway remembers that for minutes, and would not see a new one.
    """
    argv = [*settings.openclaw.argv, "agents", "list", "--json"]
    said = programs.ask(argv, environ)
    if not said.is_good:
        return {}, said.trouble
    try:
        listed: Any = plainjson.read(said.output)
        found = {str(one["id"]).lower(): Path(str(one["workspace"])) for one in listed}
    except (ValueError, KeyError, TypeError):
        return {}, f"`{' '.join(argv)}` gave no list of agents"
    return {name: top / "skills" / skill.NAME / skill.FILE_NAME for name, top in found.items()}, ""


def render(settings: Settings, agent: AgentSettings, environ: Mapping[str, str]) -> bytes:
    """Write an agent's skill as it is to be now."""
    where = settingsfile.write_for_shell(settings.folder, environ)
    return skill.render(agent.name, settings.url, where).encode()


def is_outdated(
    settings: Settings, agent: AgentSettings, path: Path, environ: Mapping[str, str]
) -> bool:
    """Say whether a skill that `install` wrote, and nobody changed, is no more as it is to be.

    An agent that was renamed, or a bus that has moved, leaves one.
    """
    if not path.is_file():
        return False
    record = Record.load(settings.folder.install_file)
    return record.wrote(path) and path.read_bytes() != render(settings, agent, environ)


def look(settings: Settings, agent: AgentSettings, environ: Mapping[str, str]) -> Place:
    """Ask OpenClaw, which takes seconds."""
    name = agent.local_agent or agent.name
    argv = [*settings.openclaw.argv, "skills", "list", "--agent", name, "--json"]
    said = programs.ask(argv, environ)
    if not said.is_good:
        return Place(trouble=said.trouble)
    try:
        raw: Any = plainjson.read(said.output)
        workspace, listed = Path(str(raw["workspaceDir"])), list(raw["skills"])
        ours: Any = next((one for one in listed if one.get("name") == skill.NAME), {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return Place(trouble=f"`{' '.join(argv)}` gave no list of skills")
    path = workspace / "skills" / skill.NAME / skill.FILE_NAME
    if not ours or ours.get("eligible") is True:
        return Place(path, bool(ours))
    flags = ("disabled", "blockedByAllowlist", "blockedByAgentFilter")
    why = [flag for flag in flags if ours.get(flag) is True]
    missing = ours.get("missing")
    why += [f"missing {key}: {value}" for key, value in dict(missing or {}).items() if value]
    return Place(path, trouble=f"OpenClaw has it, but not ready ({'; '.join(why) or 'no reason'})")
