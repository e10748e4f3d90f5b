"""What the words of mail mean."""

from __future__ import annotations

from dataclasses import dataclass
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
class Limits:
    """What a draft is checked against."""

    max_body_bytes: int
    max_recipients: int


@dataclass(frozen=True)
class Item:
    """One leased delivery as its reader sees it; `row` has the message's columns by name."""

    row: Any
    attempt: int
    lease_until_ms: int
    body: str
    truncated: bool

    @property
    def handle(self) -> str:
        """The handle of this attempt."""
        return f"{self.row.message_id}.{self.attempt}"


@dataclass(frozen=True)
class Handle:
    """A handle taken apart."""

    message_id: str
    attempt: int
    text: str
