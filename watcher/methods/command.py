"""The `command` method: runs any command that wakes an agent; by default one of OpenClaw's.

It sees the command's exit, and nothing of the turn. Never by a shell. It must not know the bus.
"""

from __future__ import annotations

import re
import shutil
import threading
from typing import TYPE_CHECKING

from watcher import address, log, openclaw, processes
from watcher.clock import SystemClock
from watcher.methods.base import ASKED_BEFORE, Outcome, Probe
from watcher.methods.child import environment, explain
from watcher.methods.preflight import find_trouble

if TYPE_CHECKING:
    from watcher.clock import Clock
    from watcher.methods.base import Report, Wake
    from watcher.settings import AgentSettings, Settings

CRON_WAKE = ("cron", "wake", "{agent}", "--mode=now")
SYSTEM_EVENT = (
    *("system", "event", "--text", "{text}", "--mode", "now"),
    *("--session-key", "{session_key}"),
)
HELP_LIMIT_S = 60.0  # Node takes seconds to start on a small machine
MAX_REASON_CHARS = 600
_PLACEHOLDER = re.compile(r"\{(agent|text|session_key|wake_id)\}")
_UNKNOWN_AGENT = re.compile(r"unknown agent|no such agent|agent not found", re.IGNORECASE)
_WAKE_COMMAND = re.compile(rb"^\s+wake(?:\s|$)", re.MULTILINE)


class Command:
    """Runs the agent's `argv`, or what the installed OpenClaw has for it."""

    name = "command"

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings.openclaw
        self._clock = clock or SystemClock()
        self._asking = threading.Lock()
        self._default: tuple[str, ...] | None = None

    def probe(self, agent: AgentSettings) -> Probe:
        program = (agent.argv or self._settings.argv)[0]
        if shutil.which(program, path=environment(agent).get("PATH")) is None:
            return Probe(False, f"{program} is not an executable on the PATH")
        if agent.argv:
            return Probe(True, f"runs {program}; the turn itself cannot be seen")
        trouble = self._find_trouble(agent.openclaw_id)
        if trouble:
            return Probe(False, trouble)
        return Probe(True, f"runs {program}, which takes seconds; the turn cannot be seen")

    def run(
        self, wake: Wake, agent: AgentSettings, report: Report, stop: threading.Event
    ) -> Outcome:
        if wake.turn_id:
            return ASKED_BEFORE
        template = agent.argv or self._choose(agent, stop)
        values = _name_values(wake, agent)
        command = processes.Command(
            argv=fill(template, values),
            env=environment(agent),
            cwd=agent.cwd,
            stdin=None,
            limit_s=agent.limit_s,
        )
        result = processes.run(command, self._clock, stop, on_look=report.alive)
        return self._judge(result, agent, template[0], values["agent"])

    def _choose(self, agent: AgentSettings, stop: threading.Event) -> tuple[str, ...]:
        """Give OpenClaw's command for a wake; asked once, by its help, which wakes nobody."""
        with self._asking:
            if self._default is not None:
                return self._default
            command = processes.Command(
                argv=(*self._settings.argv, "cron", "--help"),
                env=environment(agent),
                cwd=agent.cwd,
                stdin=None,
                limit_s=HELP_LIMIT_S,
            )
            result = processes.run(command, self._clock, stop)
            has_wake = _WAKE_COMMAND.search(result.output) is not None
            default = (*self._settings.argv, *(CRON_WAKE if has_wake else SYSTEM_EVENT))
            if result.is_good:
                self._default = default
                log.say("openclaw_command_found", argv=" ".join(default), has_cron_wake=has_wake)
            return default

    def _find_trouble(self, agent_id: str) -> str:
        """Say why OpenClaw's own command would fail: it needs the gateway, and a known agent."""
        try:
            return find_trouble(openclaw.read(self._settings), agent_id)
        except (openclaw.ConfigurationError, address.AddressError) as error:
            return str(error)

    def _judge(
        self, result: processes.Result, agent: AgentSettings, program: str, agent_id: str
    ) -> Outcome:
        if result.is_good:
            return Outcome("requested")
        if result.ended_by == "stop":
            return Outcome("left")
        said = _tail(result)
        why = explain(result, program, agent.limit_s, said)
        if result.ended_by != "exit":
            return Outcome("no_turn", why)
        is_final = _UNKNOWN_AGENT.search(said) is not None or (
            not agent.argv and self._is_absent(agent_id)
        )
        return Outcome("no_turn", why, is_final)

    def _is_absent(self, agent_id: str) -> bool:
        try:
            known = openclaw.read(self._settings).known_agents()
        except openclaw.ConfigurationError:
            return False
        return known is not None and agent_id.lower() not in known


def fill(template: tuple[str, ...], values: dict[str, str]) -> list[str]:
    """Put the values in the place of their names, once: what is put in is not looked at again."""
    return [_PLACEHOLDER.sub(lambda found: values[found[1]], item) for item in template]


def guard(text: str) -> str:
    """Keep a text that is an argument of its own from being taken for an option."""
    return f" {text}" if text.startswith("-") else text


def _name_values(wake: Wake, agent: AgentSettings) -> dict[str, str]:
    local = wake.local_agent or agent.local_agent or agent.name
    return {
        "agent": local,
        "text": guard(wake.text.replace("\0", "\ufffd")),
        "session_key": wake.session_key or agent.session_key or f"agent:{local}:main",
        "wake_id": wake.wake_id,
    }


def _tail(result: processes.Result) -> str:
    said = (result.error_tail or result.output).decode(errors="replace")
    return " ".join(said.split())[-MAX_REASON_CHARS:]
