"""What the words of alerts mean."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = {"info": 2, "warning": 1, "critical": 0}
"""How grave it is, and the rank of the message that tells of it."""
CRITICAL, USUAL = "critical", "warning"
OPEN, ACKED, SETTLED = "open", "acked", "settled"
RAISED, BLOCKED, REVIEW = "raised", "blocked", "review"
"""Why it is there: somebody raised it, or a task has stayed too long where it is."""
MAX_BODY_BYTES, MAX_ABOUT, MAX_REASON = 4000, 200, 1000
MOST_OPEN = 20
"""So many open alerts of one agent; whoever hears of more hears nothing."""


@dataclass(frozen=True)
class Draft:
    """An alert as it is raised, checked."""

    severity: str
    subject: str
    body: str = ""
    about: str = ""
    cause: str = RAISED
    compartment: str | None = None
    """Of which it is, where it is of one alone."""
