"""What speaks against OpenClaw waking an agent, looked at before it is asked to.

It must not know any one method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher import address

if TYPE_CHECKING:
    from watcher.openclaw import Configuration

KNOCK_TIMEOUT_S = 2.0


def find_trouble(configuration: Configuration, agent_id: str) -> str:
    """Say in one line why OpenClaw would not wake this agent; "" where nothing speaks against it.

    Raises:
        AddressError: its configuration names no address that can be called.
    """
    known = configuration.known_agents()
    if known is not None and agent_id not in known:
        return f"OpenClaw's configuration has no agent {agent_id!r}"
    where = address.parse(configuration.http_url)
    try:
        where.connect(KNOCK_TIMEOUT_S).close()
    except OSError as error:
        return f"no gateway at {where.url('')}: {error}"
    return ""
