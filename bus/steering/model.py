"""What the words of steering mean."""

from __future__ import annotations

from dataclasses import dataclass

OPEN, ANSWERED, EXPIRED, WITHDRAWN, DROPPED = STATES = (
    "open",
    "answered",
    "expired",
    "withdrawn",
    "dropped",
)
"""Of an approval: it waits; a person answered; nobody did in time; its asker took it back; it has
lost its meaning, since its session was closed, its run has ended or nobody can answer now."""
USUAL_OPTIONS = ("approve", "deny")
EXPIRE = "expire"
"""What an unanswered request comes to where its asker chose no option: nothing."""
MOST_OPTIONS, MAX_BODY_BYTES, MAX_NOTE = 6, 16_384, 4000
USUAL_S, LONGEST_S = 24 * 3600, 30 * 24 * 3600
MOST_OPEN = 20
"""So many open approvals of one asker; whoever is asked more reads none."""
STOP, ALSO = "stop", "also"
STOP_TYPE, ALSO_TYPE = "STOP", "ALSO"
"""The types of the messages that tell an agent how it is steered."""
MAX_RESULT_BYTES = 8192
"""So much of what a worker said stands in a session; the run has the rest."""


@dataclass(frozen=True)
class Ask:
    """What is asked, checked; `who` names those who may answer, none means anyone there."""

    title: str
    body: str
    options: tuple[str, ...]
    expires_s: float
    on_expiry: str
    run_id: str | None = None
    who: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """Which approvals to list."""

    state: str = "open"
    session: str | None = None
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class Steer:
    """How work is steered: what, in which words, whom of the session it is for, which run."""

    what: str
    body: str = ""
    to: tuple[str, ...] = ()
    is_all: bool = False
    run_id: str | None = None
    entry: str | None = None
