"""Which nodes are there now, and by which instance of their watcher. In memory: it is about now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bus.errors import InstanceBusyError

if TYPE_CHECKING:
    from bus.clock import Clock
    from bus.live.hub import Hears

HEARD_S = 60.0
"""How long an instance that has gone keeps its node from another one."""


@dataclass
class Link:
    """One open stream of a node's watcher."""

    instance: str
    listener: Hears
    replaced: bool = False


@dataclass
class Seen:
    """What is known of a node."""

    instance: str = ""
    heard_s: float = 0.0
    link: Link | None = field(default=None)


class Presence:
    """The nodes with a watcher on their stream."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nodes: dict[int, Seen] = {}

    def is_online(self, node_id: int) -> bool:
        """Say whether the node's watcher is on its stream."""
        seen = self._nodes.get(node_id)
        return seen is not None and seen.link is not None

    @property
    def online(self) -> int:
        """How many nodes have their watcher on its stream."""
        return sum(seen.link is not None for seen in self._nodes.values())

    def open(self, node_id: int, link: Link) -> None:
        """Take a watcher's stream: the same instance replaces its old one at once.

        Raises:
            InstanceBusyError: another instance was heard from within the last minute.
        """
        seen = self._nodes.setdefault(node_id, Seen())
        if seen.instance and seen.instance != link.instance:
            silent_s = self._clock.monotonic_s() - seen.heard_s
            if seen.link is not None or silent_s < HEARD_S:
                raise InstanceBusyError(retry_after_s=HEARD_S)
        if seen.link is not None:
            seen.link.replaced = True
            seen.link.listener.wake()
        seen.instance, seen.link = link.instance, link

    def close(self, node_id: int, link: Link) -> None:
        """Let a stream go; one that was replaced is no longer the node's."""
        seen = self._nodes[node_id]
        if seen.link is link:
            seen.link = None
            seen.heard_s = self._clock.monotonic_s()
