"""Who is there now: nodes, by which instance of their watcher, and who has a stream open.

In memory: it is about now. What other processes hold is known a moment later.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bus.errors import InstanceBusyError
from bus.live.others import Others

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.clock import Clock
    from bus.live.hub import Hears
    from bus.store.transaction import Hooks, Transaction

HEARD_S = 60.0
"""How long an instance that has gone keeps its node from another one."""


@dataclass
class Link:
    """One open stream of a node's watcher."""

    instance: str
    listener: Hears
    replaced: bool = False
    since: int = 0
    """When it came, by a clock that all processes share; 0 where there is one process."""

    def replace(self) -> None:
        """Have its stream end: another one has its place."""
        self.replaced = True
        self.listener.wake()


@dataclass
class Seen:
    """What is known of a node."""

    instance: str = ""
    since: int = 0
    heard_s: float = 0.0
    heard_ms: int = 0
    link: Link | None = field(default=None)


class Presence:
    """The nodes with a watcher on their stream, and the people with a stream open."""

    def __init__(self, clock: Clock, others: Others | None = None) -> None:
        """Know of `others` what they have said; `changed` tells them of this one."""
        self._clock, self._others = clock, others or Others()
        self._nodes: dict[int, Seen] = {}
        self._here: Counter[int] = Counter()
        self._told: set[int] = set()
        self.changed: Callable[[], None] = lambda: None

    def register(self, hooks: Hooks) -> None:
        """Answer the rooms, which know nobody who listens, whether somebody is there."""
        hooks.on("is_watching", self._answer)

    def _answer(self, _tx: Transaction, participant_id: int) -> bool:
        return self.is_here(participant_id)

    def is_online(self, node_id: int) -> bool:
        """Say whether the node's watcher is on its stream."""
        seen = self._nodes.get(node_id)
        return (seen is not None and seen.link is not None) or self._others.is_online(node_id)

    def is_here(self, participant_id: int) -> bool:
        """Say whether an agent or a person has a stream open."""
        return self._here[participant_id] > 0 or self._others.is_here(participant_id)

    def seems_here(self, participant_id: int) -> bool:
        """Say whether somebody is here as others are told it: who only opens another page is."""
        told = participant_id in self._told or self._others.told(participant_id)
        return self.is_here(participant_id) or told

    def come(self, participant_id: int) -> bool:
        """Take a stream of a participant; says whether it is its only one in this process."""
        self._here[participant_id] += 1
        if self._here[participant_id] > 1:
            return False
        self.changed()
        return True

    def go(self, participant_id: int) -> bool:
        """Let a stream of a participant go; says whether it was its last one in this process."""
        self._here[participant_id] -= 1
        if self._here[participant_id]:
            return False
        del self._here[participant_id]
        self.changed()
        return True

    def is_news(self, participant_id: int, *, is_here: bool) -> bool:
        """Say whether it was not told yet that somebody is here, or is not; and take it as told."""
        if is_here == (participant_id in self._told):
            return False
        self.take_as_told(participant_id, is_here=is_here)
        return True

    def take_as_told(self, participant_id: int, *, is_here: bool) -> None:
        """Keep what others were told of somebody who is, or was, here at this process."""
        (self._told.add if is_here else self._told.discard)(participant_id)
        self.changed()

    def has(self, participant_id: int) -> bool:
        """Say whether somebody has a stream open at this process."""
        return self._here[participant_id] > 0

    @property
    def online(self) -> int:
        """How many nodes have their watcher on its stream."""
        mine = {node_id for node_id, seen in self._nodes.items() if seen.link is not None}
        return len(mine | self._others.nodes)

    def open(self, node_id: int, link: Link) -> None:
        """Take a watcher's stream: the same instance replaces its old one at once.

        Raises:
            InstanceBusyError: another instance was heard from within the last minute.
        """
        now_ms = self._clock.now_ms()
        for far in self._others.links(node_id):
            is_near = far.left_ms is None or now_ms - far.left_ms < HEARD_S * 1000
            if far.instance != link.instance and is_near:
                raise InstanceBusyError(retry_after_s=HEARD_S)
        seen = self._nodes.setdefault(node_id, Seen())
        if seen.instance and seen.instance != link.instance:
            silent_s = self._clock.monotonic_s() - seen.heard_s
            if seen.link is not None or silent_s < HEARD_S:
                raise InstanceBusyError(retry_after_s=HEARD_S)
        if seen.link is not None:
            seen.link.replace()
        seen.instance, seen.since, seen.link = link.instance, link.since, link
        self.changed()

    def close(self, node_id: int, link: Link) -> None:
        """Let a stream go; one that was replaced is no longer the node's."""
        seen = self._nodes[node_id]
        if seen.link is link:
            if link.replaced:  # at another process: its instance is heard there
                seen.instance = ""
            seen.link = None
            seen.heard_s, seen.heard_ms = self._clock.monotonic_s(), self._clock.now_ms()
            self.changed()

    def yield_to_others(self) -> None:
        """End the links whose place another process has: the last of an instance, the first of two.

        Two instances that come at the same moment at two processes are both let in there.
        """
        for node_id, seen in self._nodes.items():
            link = seen.link
            if link is None or link.replaced:
                continue
            for far in self._others.links(node_id):
                is_later = far.since > link.since
                if far.left_ms is None and is_later == (far.instance == link.instance):
                    link.replace()

    def say(self) -> dict[str, Any]:
        """Give what the others should know of this process."""
        now_s = self._clock.monotonic_s()
        nodes: dict[int, tuple[str, int, int | None]] = {}
        for node_id, seen in self._nodes.items():
            if seen.link is not None and not seen.link.replaced:
                nodes[node_id] = (seen.instance, seen.since, None)
            elif seen.link is None and seen.instance and now_s - seen.heard_s < HEARD_S:
                nodes[node_id] = (seen.instance, seen.since, seen.heard_ms)
        return {"nodes": nodes, "here": sorted(+self._here), "told": sorted(self._told)}
