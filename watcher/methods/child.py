"""The child process of a method or a run: its environment and arguments, and words for its end.

It must not know any one method, nor what a run is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from watcher.processes import Result
    from watcher.settings import AgentSettings, Settings

# What a systemd unit gives the watcher is not for its children; OPENCLAW_SHELL, which OpenClaw
# sets where an agent runs a command, makes OpenClaw's own commands refuse.
NOT_INHERITED = frozenset({"OPENCLAW_SHELL", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})


def environment(agent: AgentSettings) -> dict[str, str]:
    """Give a child the watcher's own environment, less what is not for it, and the agent's."""
    inherited = {key: text for key, text in os.environ.items() if key not in NOT_INHERITED}
    return {**inherited, **agent.env}


def environment_to_speak(settings: Settings, agent: AgentSettings) -> dict[str, str]:
    """Give a child all that, and what it needs to speak to the bus for its agent."""
    trusted = {"CURL_CA_BUNDLE": str(settings.ca_file)} if settings.ca_file else {}
    return {
        **trusted,
        **environment(agent),
        "WAKEBUS_URL": settings.url,
        "WAKEBUS_AGENT": agent.name,
        "WAKEBUS_HEADER_FILE": str(settings.folder.header_file(agent.name)),
    }


def fill(argv: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """Put values in the place of arguments that are a placeholder, and nowhere else."""
    known = {name: encode(value).decode().replace("\0", "\ufffd") for name, value in values.items()}
    return [known.get(word, word) for word in argv]


def encode(text: str) -> bytes:
    """Encode a text that came as JSON, which can hold halves of characters."""
    return text.encode("utf-8", "replace")


def tell_errors(result: Result) -> str:
    """Give the end of what a process said on standard error, as a text without controls."""
    return strip_controls(result.error_tail.decode("utf-8", "replace")).strip()


def strip_controls(text: str) -> str:
    """Take out what could steer a terminal; line ends and tabs stay."""
    return "".join(char for char in text if char.isprintable() or char in "\n\t")


def explain(result: Result, what: str, limit_s: float, said: str = "") -> str:
    """Write how a process that did not end well ended, with what it said of that."""
    if result.ended_by == "not_started":
        how = f"{what} could not be started"
    elif result.ended_by == "limit":
        how = f"{what} was ended at its limit of {limit_s:g} s"
    elif result.status is not None and result.status < 0:
        how = f"{what} was killed by signal {-result.status}"
    else:
        how = f"{what} failed with exit status {result.status}"
    return f"{how}: {said}" if said else how
