"""The only source of time. Tests hand in `ManualClock`; nothing else asks the machine.

What is stored and decided by is the bus's own time (milliseconds since 1970, UTC): the wall clock
as it was at the start, carried on by a clock that nobody can set. Small corrections of the wall
clock are taken in as they come; a step of it is not, until `follow` is called, so that a clock
that is set wrong ends no lease and expires no mail. The monotonic clock measures durations only.
A node's clock never decides anything.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
STEP_MS = 2000
"""A difference between the wall clock and the bus's time that is more than a correction."""


class Clock(Protocol):
    """What the bus asks of time."""

    def now_ms(self) -> int:
        """Give milliseconds since 1970, UTC; never less than before, `follow` aside."""

    def off_ms(self) -> int:
        """Give how far the wall clock has stepped away from this one; 0 where it has not."""

    def follow(self) -> None:
        """Take the wall clock's time from now on."""

    def monotonic_s(self) -> float:
        """Give seconds on a clock that never goes back; only differences mean something."""


def read_wall_ms() -> int:
    return time.time_ns() // 1_000_000


def read_steady_ms() -> int:
    """Read the clock that nobody sets; where there is one, the one that goes on in a suspend."""
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(kind) // 1_000_000


class SystemClock:
    """The machine's clocks."""

    def __init__(
        self,
        wall_ms: Callable[[], int] = read_wall_ms,
        steady_ms: Callable[[], int] = read_steady_ms,
    ) -> None:
        self._wall_ms, self._steady_ms = wall_ms, steady_ms
        self._lead_ms = self._last_ms = 0
        self.follow()

    def now_ms(self) -> int:
        own, off = self._look()
        if abs(off) <= STEP_MS:
            self._lead_ms += off
            own += off
        self._last_ms = max(self._last_ms, own)
        return self._last_ms

    def off_ms(self) -> int:
        _, off = self._look()
        return off if abs(off) > STEP_MS else 0

    def follow(self) -> None:
        wall = self._wall_ms()
        self._lead_ms, self._last_ms = wall - self._steady_ms(), wall

    def monotonic_s(self) -> float:
        return time.monotonic()

    def _look(self) -> tuple[int, int]:
        own = self._steady_ms() + self._lead_ms
        return own, self._wall_ms() - own


class ManualClock:
    """A clock that stands until it is told to move."""

    def __init__(self, start_ms: int = 1_780_000_000_000) -> None:
        self._ms, self._off_ms = start_ms, 0

    def now_ms(self) -> int:
        return self._ms

    def off_ms(self) -> int:
        return self._off_ms

    def follow(self) -> None:
        self._ms, self._off_ms = self._ms + self._off_ms, 0

    def monotonic_s(self) -> float:
        return self._ms / 1000

    def set_wall(self, seconds: float) -> None:
        """Step the wall clock so far away from this one."""
        self._off_ms = round(seconds * 1000)

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
