"""What the directory's words mean."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("named", "worker", "person")
RESERVED = frozenset({"wakebus", "bus", "system", "me", "all", "open", "admin", "self"})


@dataclass(frozen=True)
class Participant:
    """An agent or a person; an agent maps to a node and to an agent of that node's runtime."""

    id: int
    name: str
    kind: str
    node_id: int | None
    local_agent: str
    session_key: str
    display_name: str
    accepts: tuple[str, ...] | None
    paused: bool
    compartments: frozenset[str]
    removed: bool = False
    paused_ms: int | None = None
    is_lead: bool = False


@dataclass(frozen=True)
class Recipients:
    """What an address stands for: one participant, or the visible members of a group."""

    kind: str
    participants: list[Participant]


@dataclass(frozen=True)
class Reach:
    """How a participant's own commands reach the bus."""

    url: str
    header_path: str
