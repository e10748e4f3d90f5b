"""The child process of a method that runs one: its environment, and words for its end.

It must not know any one method.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watcher.processes import Result
    from watcher.settings import AgentSettings

# What a systemd unit gives the watcher is not for its children; OPENCLAW_SHELL, which OpenClaw
# sets where an agent runs a command, makes OpenClaw's own commands refuse.
NOT_INHERITED = frozenset({"OPENCLAW_SHELL", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})


def environment(agent: AgentSettings) -> dict[str, str]:
    """Give a child the watcher's own environment, less what is not for it, and the agent's."""
    inherited = {key: text for key, text in os.environ.items() if key not in NOT_INHERITED}
    return {**inherited, **agent.env}


def explain(result: Result, what: str, limit_s: float) -> str:
    """Write how a process that did not end well ended."""
    if result.ended_by == "not_started":
        return f"{what} could not be started"
    if result.ended_by == "limit":
        return f"{what} was ended at its limit of {limit_s:g} s"
    if result.status is not None and result.status < 0:
        return f"{what} was killed by signal {-result.status}"
    return f"{what} failed with exit status {result.status}"
