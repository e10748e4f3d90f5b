"""What a room tells in a brief. Rooms register for the hook `brief_sections`; pure data.

`call(conn, principal, span)` gives the room's sections, with what that principal may see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bus.config import Config


@dataclass(frozen=True)
class Span:
    """Of what time a brief is, and how much a section tells at most."""

    since_ms: int
    until_ms: int
    most: int
    config: Config


@dataclass(frozen=True)
class Entry:
    """One thing that happened, in a line; without a thread it stands by itself."""

    at_ms: int
    text: str
    id: str
    thread: str | None = None
    subject: str = ""


@dataclass(frozen=True)
class Section:
    """What is told of one kind of thing; a lower rank is more important."""

    name: str
    title: str
    rank: int
    entries: tuple[Entry, ...]
    total: int
    is_cut: bool = False
    """There are more than were counted."""
    command: str = ""
    """Where a person sees the rest, and under `path` a model."""
    path: str = ""
