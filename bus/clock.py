"""The only source of time. Tests hand in `ManualClock`; nothing else asks the machine.

What is stored and decided by is the bus's own time (milliseconds since 1970, UTC): the wall clock
as it was at the start, carried on by a clock that nobody can set. Small corrections of the wall
clock are taken in as they come; a step of it is not, until `follow` is called, so that a clock
that is set wrong ends no lease and expires no mail. The monotonic clock measures durations only.
A node's clock never decides anything.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC, datetime
from functools import lru_cache
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


class FleetClock(SystemClock):
    """The time of a database that several machines share, carried on by this machine's own clock.

    A machine whose wall clock is wrong is right here. Of the last times that the database told, the
    one counts that came the quickest.
    """

    KEPT = 8

    def __init__(
        self,
        wall_ms: Callable[[], int] = read_wall_ms,
        steady_ms: Callable[[], int] = read_steady_ms,
    ) -> None:
        """Begin with this machine's time, until the database has told its own."""
        self._machine_ms, self._off_ms = wall_ms, wall_ms() - steady_ms()
        self._told: deque[tuple[int, int]] = deque(maxlen=self.KEPT)
        super().__init__(self.database_ms, steady_ms)

    def database_ms(self) -> int:
        """Give the database's time, as far as it is known."""
        return self._steady_ms() + self._off_ms

    def steady_ms(self) -> int:
        """Give the time by which `learn` is told when it was asked."""
        return self._steady_ms()

    def learn(self, database_ms: int, asked_ms: int) -> None:
        """Hear the database's time, as it was between the asking and now."""
        now_ms = self._steady_ms()
        off_ms, took_ms = database_ms - (asked_ms + now_ms) // 2, now_ms - asked_ms
        is_first = not self._told
        if abs(off_ms - self._off_ms) > STEP_MS + took_ms:
            self._told.clear()  # its clock was set, or it is another's now
        self._told.append((took_ms, off_ms))
        self._off_ms = min(self._told)[1]
        if is_first:
            self.follow()

    def join(self, lead_ms: int) -> None:
        """Go by the time of those who run already and kept theirs when the database's went back."""
        if lead_ms > STEP_MS:
            self.follow()
            self._lead_ms += lead_ms
            self._last_ms += lead_ms

    def lead_ms(self) -> int:
        """Give how far the bus's time is ahead of the database's."""
        return self.now_ms() - self.database_ms()

    def machine_off_ms(self) -> int:
        """Give how far this machine's wall clock is ahead of the database's time."""
        return self._machine_ms() - self.database_ms()


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
    second, ms = divmod(at_ms, 1000)
    return f"{second_text(second)}.{ms:03d}Z"


@lru_cache(maxsize=256)
def second_text(at_s: int) -> str:
    """Write the whole second of a time; many things happen in the same."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%S}"


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
