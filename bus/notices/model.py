"""What the words of notices mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bus.clock import DAY_MS, HOUR_MS

NTFY, WEBHOOK, EMAIL = "ntfy", "webhook", "email"
KINDS = (NTFY, WEBHOOK, EMAIL)
MESSAGE, RESULT, ALERT, HELD, NOTE = "message", "result", "alert", "held", "note"
SESSION, APPROVAL = "session", "approval"
EVENTS = (MESSAGE, RESULT, ALERT, HELD, NOTE, SESSION, APPROVAL)
"""What somebody can be told of; a target takes all of them, or some."""
MOST_TARGETS = 10
MAX_URL, MAX_SECRET = 500, 200
SHOWN = 120
"""So much of a subject or a title stands in a notice."""
PREVIEWED = 200
LISTED = 5
"""So many lines a summary has; the rest is a number."""
KEPT = 10
"""So many things of a summary are kept one by one."""
SURE_MS = 60_000
"""A stream that is still open after this has somebody at its end: a dead one is noticed before."""
GIVE_UP_MS = DAY_MS
FIRST_MS, LONGEST_MS = 1000, HOUR_MS
"""The first pause before what failed is sent again, which doubles, and the longest."""
TELL_MS = 600_000
"""A target that fails for so long is told of in its person's inbox."""
TOPIC = "notices"
"""The topic of the greenlet that sends: something may be due."""


@dataclass(frozen=True)
class Place:
    """Where notices may go: one entry of the administration's list."""

    scheme: str
    host: str
    port: int
    is_private: bool = False
    """Its name may stand for an address that only this house knows."""


@dataclass(frozen=True)
class Allowed:
    """The whole list: hosts, and the domains of addresses of email."""

    places: tuple[Place, ...] = ()
    domains: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Address:
    """An address of HTTP, taken apart."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Letter:
    """A notice as it is sent: the same at each attempt."""

    id: str
    to: str
    title: str
    text: str
    link: str
    priority: int
    count: int
    at_ms: int
    items: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Stamp:
    """What a notice has of the bus: its id, its time, and where the bus is reached."""

    id: str
    at_ms: int
    url: str


@dataclass(frozen=True)
class Verdict:
    """What became of sending: whether it was taken, and what was said, in the bus's own words."""

    is_taken: bool
    said: str
