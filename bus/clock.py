"""The only source of time. Tests hand in `ManualClock`; nothing else asks the machine.

Wall-clock time is what is stored and decided by (milliseconds since 1970, UTC); the monotonic
clock measures durations only. A node's clock never decides anything.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the bus asks of time."""

    def now_ms(self) -> int:
        """Give milliseconds since 1970, UTC."""

    def monotonic_s(self) -> float:
        """Give seconds on a clock that never goes back; only differences mean something."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands until it is told to move."""

    def __init__(self, start_ms: int = 1_780_000_000_000) -> None:
        self._ms = start_ms

    def now_ms(self) -> int:
        return self._ms

    def monotonic_s(self) -> float:
        return self._ms / 1000

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self._ms += round(seconds * 1000)


def to_text(at_ms: int) -> str:
    """Write a time as RFC 3339 in UTC with milliseconds: `2026-11-20T21:04:05.123Z`."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def from_text(text: str) -> int:
    """Read an RFC 3339 time that names its offset.

    Raises:
        ValueError: not such a time, or without an offset (whose time would it be?).
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time needs its offset, for example 2026-11-20T21:04:05Z")
    return round(at.timestamp() * 1000)


def shown_time(at_ms: int | None) -> str | None:
    """Write a time that may not have come."""
    return None if at_ms is None else to_text(at_ms)
