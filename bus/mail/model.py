"""What the words of mail mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

WAITING = ("queued", "notified", "woken")
"""Deliverable and not read: what a wake is for."""
ENDS = ("acked", "expired", "refused", "cancelled", "dead")
LONGEST_LEASE_S = 86_400
FAILED = ("dead", "expired", "refused")
"""Ends of which the sender was told; such a delivery can be sent again."""
PRIORITIES = ("urgent", "high", "normal", "low")
URGENT = 0
RESULT = "RESULT"
"""The type of what a worker gives back to its parent."""
APPROVAL = "APPROVAL"
"""The type of what came of an approval: the bus alone writes it; no peer says yes for a person."""
ENTRY_KEY = "entry "
"""How the key of a message begins that tells an agent of a session; no sender can set one."""
SYSTEM = "wakebus"
"""The name under which the bus itself writes; nobody can take it."""


@dataclass(frozen=True)
class Draft:
    """A message as its sender wants it, checked, before anyone looked up its recipients."""

    to: tuple[str, ...]
    body: str
    type: str = "MESSAGE"
    subject: str = ""
    in_reply_to: str | None = None
    priority: int = 2
    reply_expected: bool = True
    wake: bool = True
    deliver_ms: int | None = None
    expires_ms: int | None = None


@dataclass(frozen=True)
class EntryKey:
    """Of which entry a message tells: the session's id, and the entry's place in it."""

    session: str
    place: int


@dataclass(frozen=True)
class Limits:
    """What a draft is checked against."""

    max_body_bytes: int
    max_recipients: int


@dataclass(frozen=True)
class Talk:
    """The session of which an item tells, as its reader sees it now; without a title: no more."""

    id: str
    place: int
    title: str | None = None
    unread: int = 0


@dataclass(frozen=True)
class Turn:
    """The turn that reads: its wake, and the session in which what it says is shown."""

    wake_id: str
    session: str | None = None


@dataclass(frozen=True)
class Item:
    """One leased delivery as its reader sees it; `row` has the message's columns by name."""

    row: Any
    attempt: int
    lease_until_ms: int
    body: str
    truncated: bool
    talk: Talk | None = None
    is_shown: bool = False
    """Whether what its reader says in this turn is shown in the session that it tells of."""

    @cached_property
    def handle(self) -> str:
        """The handle of this attempt."""
        return f"{self.row.message_id}.{self.attempt}"


@dataclass(frozen=True)
class Handle:
    """A handle taken apart."""

    message_id: str
    attempt: int
    text: str
