"""The ways to start a turn, by name, and which of them an agent of this node gets.

It must not know how any of them works. The modules are loaded when they are first asked for: a
node without OpenClaw needs nothing of OpenClaw's.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from watcher import address
from watcher.bus import Bus
from watcher.methods.base import NONE, Choice

if TYPE_CHECKING:
    from collections.abc import Callable

    from watcher.clock import Clock
    from watcher.methods.base import Method
    from watcher.settings import AgentSettings, Settings

OPENCLAW_METHODS = ("gateway", "hook", "command")  # the order in which `auto` tries them
BLIND = frozenset({"hook", "command", "webhook"})  # they see that they were heard, and no more
WITHOUT_A_TARGET = frozenset({"program", "webhook"})  # they need no agent and session of OpenClaw


def _make_gateway(settings: Settings, clock: Clock) -> Method:
    from watcher.methods.gateway import Gateway  # noqa: PLC0415 - see the module's docstring

    return Gateway(settings, clock)


def _make_hook(settings: Settings, _clock: Clock) -> Method:
    from watcher.methods.hook import Hook  # noqa: PLC0415 - see the module's docstring

    return Hook(settings)


def _make_command(settings: Settings, clock: Clock) -> Method:
    from watcher.methods.command import Command  # noqa: PLC0415 - see the module's docstring

    return Command(settings, clock)


def _make_program(settings: Settings, clock: Clock) -> Method:
    from watcher.methods.program import Program  # noqa: PLC0415 - see the module's docstring

    def make_bus(agent: str) -> Bus:
        where = address.parse(settings.url, settings.ca_file)
        return Bus(where, lambda: settings.folder.read_agent_token(agent))

    return Program(settings, clock, make_bus)


def _make_webhook(settings: Settings, clock: Clock) -> Method:
    from watcher.methods.webhook import Webhook  # noqa: PLC0415 - see the module's docstring

    return Webhook(settings, clock)


METHODS: dict[str, Callable[[Settings, Clock], Method]] = {
    "gateway": _make_gateway,
    "hook": _make_hook,
    "command": _make_command,
    "program": _make_program,
    "webhook": _make_webhook,
}


class Methods:
    """The methods of one watcher, each made once."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._made: dict[str, Method] = {}
        self._lock = threading.Lock()

    def find(self, agent: AgentSettings) -> Method:
        """Give the method that the agent's settings name, or mean."""
        return self.get(name_meant(agent))

    def get(self, name: str) -> Method:
        """Give the method of that name."""
        with self._lock:
            return self._get(name)

    def _get(self, name: str) -> Method:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Method:
        if name != "auto":
            return METHODS[name](self._settings, self._clock)
        from watcher.methods.auto import Auto  # noqa: PLC0415 - see the module's docstring

        # Its candidates are the ones that agents who name a method get: one gateway, one link.
        return Auto([self._get(candidate) for candidate in OPENCLAW_METHODS], self._clock)

    def choose(self, agent: AgentSettings) -> Choice:
        """Say which method would start the agent's turn now, and why that one."""
        method: Any = self.find(agent)
        if method.name == "auto":
            choice: Choice = method.choice(agent)
            return choice
        probe = method.probe(agent)
        if probe.works:
            return Choice(method.name, probe.why)
        return Choice(NONE, f"cannot be woken: {method.name}: {probe.why}")

    def name_of(self, agent: AgentSettings) -> str:
        """Give the name of the method that an agent's turn is started by now."""
        method = self.find(agent)
        return self.choose(agent).name if method.name == "auto" else method.name


def name_meant(agent: AgentSettings) -> str:
    """Give the method's name; `auto` means what is set up for the agent, else OpenClaw."""
    if agent.method != "auto":
        return agent.method
    if agent.argv:
        return "program"
    return "webhook" if agent.url else "auto"


def runs_in_openclaw(agent: AgentSettings) -> bool:
    """Say whether an agent's turns are OpenClaw's."""
    return not agent.argv and name_meant(agent) not in WITHOUT_A_TARGET
