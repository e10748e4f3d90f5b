"""What the words of runs mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OPEN = ("submitted", "queued", "working")
ENDS = ("completed", "failed", "timed_out", "cancelled", "lost")
"""Final: nothing moves a run that has come to one of these."""
STATES = (*OPEN, *ENDS)
SIZES = {"S": 300, "M": 600, "L": 1200}
CLEANUPS = ("keep", "delete")
NOTIFIES = ("done_only", "state_changes", "silent")
REPORTS = ("all", "first", "each")
MAX_OUTPUT_BYTES = 65_536
"""How much of what a worker said is kept; the file has the whole."""
MAX_TOLD_REASON = 300
"""How many characters of a reason stand in a result, and in the log."""
PATIENCE_S = 120
"""What a reader who asks when to come back is told on top of the time limit."""
NOTE = "end your turn: you will be woken"
"""What whoever dispatched, or asks too early, is told."""


@dataclass(frozen=True)
class Order:
    """One run as its parent wants it, checked, before anyone looked up its worker."""

    worker: str
    task: str
    label: str
    limit_s: int
    cleanup: str
    output: str | None = None
    model: str = ""
    verify: str = ""
    task_id: str | None = None
    notify: str = "done_only"
    session_id: str | None = None


@dataclass(frozen=True)
class Batch:
    """Runs that are dispatched together; `report` is empty for a single one."""

    orders: tuple[Order, ...]
    report: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a node says of a run's end."""

    status: str
    reason: str = ""
    output: str = ""
    verify_output: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    """What is kept as it was said: exit code, sizes, the file, the check."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_microusd: int | None = None


@dataclass(frozen=True)
class Limits:
    """What an order is checked against."""

    max_task_bytes: int
    longest_s: int
    max_batch: int
