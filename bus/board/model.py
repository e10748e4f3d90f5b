"""What the words of the board mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BACKLOG, IN_PROGRESS, REVIEW, DONE, BLOCKED = STATUSES = (
    "backlog",
    "in_progress",
    "review",
    "done",
    "blocked",
)
OPEN = (BACKLOG, IN_PROGRESS, REVIEW, BLOCKED)
"""What is still to be done."""
ADDED, MOVED, NOTED, CHANGED = "added", "moved", "noted", "changed"
"""What a row of a task's history tells."""
PARTIES = ("holder", "lead", "reviewer")
"""By whom a list can be narrowed."""
MAX_TITLE = 200
MAX_NOTE_BYTES = 16_384

AGENT, PERSON, LEAD, HOLDER, BLOCKER = "agent", "person", "lead", "holder", "blocker"
"""What somebody can be to a task; several at once. A worker is nothing to it."""


@dataclass(frozen=True)
class Move:
    """One row of the table of moves: from where to where, and who may."""

    name: str
    start: str
    to: str
    who: tuple[str, ...]
    needs_note: bool = False
    only: str = ""
    """A condition: `ops` (an operations task), `stale` (its claim is), `back` (where it was)."""


@dataclass(frozen=True)
class Card:
    """What a decision about a move needs to know of a task."""

    status: str
    blocked_from: str | None
    is_ops: bool
    is_stale: bool
    holder: str | None


@dataclass(frozen=True)
class Draft:
    """A task as who adds it wants it, checked, before anyone looked up whom it names."""

    title: str
    body: str = ""
    is_ops: bool = False
    reviewer: str | None = None
    lead: str | None = None
    compartment: str | None = None
    message_id: str | None = None


@dataclass(frozen=True)
class Which:
    """Which tasks to list, in which order, and behind which one to go on."""

    statuses: tuple[str, ...] = OPEN
    party: str = ""
    name: str = ""
    is_stale: bool = False
    compartment: str | None = None
    oldest_first: bool = False
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class Change:
    """What to do with a task: fields to set, then a move with its note.

    `seen` is the status in which whoever asks saw it, where that is to count.
    """

    status: str | None = None
    note: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    seen: str = ""
