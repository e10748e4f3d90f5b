"""What the other processes of the bus hold now, as far as they have said: memory, never the truth.

A bus with one process has no others. It must not know how it is learned.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Far:
    """A node's link at another process."""

    process: str
    instance: str
    since: int
    """When it came, in microseconds of the database's time."""
    left_ms: int | None
    """When it went, in the bus's time; None while it is there."""


@dataclass
class Standing:
    """What one process holds: links of nodes, who has a stream open, and the places taken."""

    nodes: dict[int, Far] = field(default_factory=dict)
    here: frozenset[int] = frozenset()
    told: frozenset[int] = frozenset()
    places: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, process: str, said: Mapping[str, Any]) -> Standing:
        """Read what a process has published."""
        nodes = said.get("nodes", {})
        return cls(
            {int(node): Far(process, *link) for node, link in nodes.items()},
            frozenset(said.get("here", ())),
            frozenset(said.get("told", ())),
            said.get("places", {}),
        )


class Others:
    """All of them together."""

    def __init__(self) -> None:
        self._by_process: dict[str, Standing] = {}
        self._links: dict[int, list[Far]] = {}
        self._here: set[int] = set()
        self._places: Counter[str] = Counter()
        self._told: set[int] = set()

    def learn(self, standings: Mapping[str, Standing]) -> None:
        """Take what all of them hold now."""
        self._by_process = dict(standings)
        self._links, self._here, self._places, self._told = {}, set(), Counter(), set()
        for one in self._by_process.values():
            for node_id, link in one.nodes.items():
                self._links.setdefault(node_id, []).append(link)
            self._here |= one.here
            self._places.update(one.places)
            self._told |= one.told

    def people_of(self, processes: Iterable[str]) -> set[int]:
        """List whom some processes had here, or had told of."""
        gone = [self._by_process[one] for one in processes if one in self._by_process]
        return {who for one in gone for who in one.here | one.told}

    @property
    def processes(self) -> set[str]:
        """Name them."""
        return set(self._by_process)

    @property
    def nodes(self) -> set[int]:
        """List the nodes that are online at one of them."""
        return {node_id for node_id in self._links if self.is_online(node_id)}

    def links(self, node_id: int) -> list[Far]:
        """List a node's links."""
        return self._links.get(node_id, [])

    def is_online(self, node_id: int) -> bool:
        """Say whether a node's watcher is on its stream at one of them."""
        return any(link.left_ms is None for link in self.links(node_id))

    def is_here(self, participant_id: int) -> bool:
        """Say whether somebody has a stream open at one of them."""
        return participant_id in self._here

    def told(self, participant_id: int) -> bool:
        """Say whether one of them has told that somebody is here, who may just change streams."""
        return participant_id in self._told

    def taken_by(self, principal_id: str) -> int:
        """Count the places that a principal has there."""
        return self._places[principal_id]

    @property
    def taken(self) -> int:
        """Count the places taken there."""
        return self._places.total()
