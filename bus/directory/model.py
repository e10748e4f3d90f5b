"""What the directory's words mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

DAY_MINUTES = 1440
KINDS = ("named", "worker", "person")
RESERVED = frozenset({"wakebus", "bus", "system", "me", "all", "open", "admin", "self"})


@dataclass(frozen=True)
class Window:
    """A stretch of a day by a clock on the wall; one that ends before it begins goes past midnight.

    Minutes since midnight. `days` are those on which it begins, Monday is 0.
    """

    begins: int
    ends: int
    days: frozenset[int]

    @property
    def minutes(self) -> int:
        """How long it lasts where no clock is changed."""
        return self.ends - self.begins + (0 if self.ends > self.begins else DAY_MINUTES)


@dataclass(frozen=True)
class Quiet:
    """The quiet hours of an agent or a person."""

    zone: tzinfo
    zone_name: str
    windows: tuple[Window, ...]
    urgent_from: frozenset[int] | None = None
    """Whose urgent mail passes, by their ids; None is every person's."""


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
    quiet: Quiet | None = None


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
