"""Time as a picture: stretches of it one below the other, on one axis. Pure.

Between two things of a message lie milliseconds or a night. So the axis is none of a clock: each
time between two neighbours is drawn by its size (a logarithm), and what lasted an hour or more is
broken. What is written beside is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bus.clock import DAY_MS, HOUR_MS, MINUTE_MS, to_text
from bus.pages.times import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNIT_MS = 10
"""From here on, what lasts twice as long is drawn longer by one step."""
BROKEN_MS = HOUR_MS
TICK_APART = 17.0
"""So many hundredths of the width lie between two ticks at least, for what is written there."""


@dataclass(frozen=True)
class Stretch:
    """What lasted from one time to another; an instant where both are the same."""

    name: str
    kind: str
    from_ms: int
    to_ms: int
    notes: tuple[str, ...] = ()
    is_seen: bool = True
    goes_on: bool = False

    @property
    def took_ms(self) -> int:
        """Give how long it lasted."""
        return self.to_ms - self.from_ms


@dataclass(frozen=True)
class Tick:
    """A place on the axis with a time from the beginning, and where its text stands to it."""

    place: float
    text: str
    anchor: str


@dataclass(frozen=True)
class Axis:
    """Where each time of a picture is drawn, in hundredths of its width."""

    places: dict[int, float]
    ticks: tuple[Tick, ...]
    breaks: tuple[float, ...]
    """The middles of what is broken."""

    def place(self, at_ms: int) -> float:
        """Give where a time is drawn; it is one of those that the axis was made for."""
        return self.places[at_ms]

    def width(self, stretch: Stretch) -> float:
        """Give how wide a stretch is drawn."""
        return round(self.place(stretch.to_ms) - self.place(stretch.from_ms), 2)


def make_axis(stretches: Iterable[Stretch]) -> Axis:
    """Make the axis of some stretches of time."""
    ends = {end for one in stretches for end in (one.from_ms, one.to_ms)}
    times = sorted(ends) or [0]
    gaps = list(pairwise(times))
    whole = sum(size_of(after - before) for before, after in gaps) or 1.0
    places, reached = {times[0]: 0.0}, 0.0
    for before, after in gaps:
        reached += size_of(after - before)
        places[after] = round(100 * reached / whole, 2)
    breaks = tuple(
        (places[before] + places[after]) / 2
        for before, after in gaps
        if after - before >= BROKEN_MS
    )
    return Axis(places, choose_ticks(times, places), breaks)


def size_of(gap_ms: int) -> float:
    """Give how wide a gap is drawn beside others; never nothing, and no wider than a broken one."""
    return 1 + math.log2(1 + min(gap_ms, BROKEN_MS) / UNIT_MS)


def choose_ticks(times: Sequence[int], places: dict[int, float]) -> tuple[Tick, ...]:
    """Choose which times are written on the axis: the first, the last, and what has room between.

    Of those between, what comes after the longest wait is looked at first.
    """
    first, last = times[0], times[-1]
    chosen = [first] if first == last else [first, last]
    waits = {after: after - before for before, after in pairwise(times)}
    for at_ms in sorted(times[1:-1], key=lambda at_ms: -waits[at_ms]):
        if all(abs(places[at_ms] - places[other]) >= TICK_APART for other in chosen):
            chosen.append(at_ms)
    return tuple(
        Tick(places[at_ms], offset(at_ms - first), anchor_of(at_ms, first, last))
        for at_ms in sorted(chosen)
    )


def anchor_of(at_ms: int, first_ms: int, last_ms: int) -> str:
    """Give where a tick's text stands, so that none leaves the picture."""
    if at_ms == first_ms:
        return "start"
    return "end" if at_ms == last_ms else "middle"


def offset(ms: int) -> str:
    """Write how long after the beginning something was; to the second also after a night."""
    if ms < MINUTE_MS:
        return f"+{duration(ms)}" if ms else "0"
    days, rest = divmod(ms // 1000, DAY_MS // 1000)
    minutes, seconds = divmod(rest, 60)
    return f"+{f'{days} d ' if days else ''}{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def draw(lanes: Iterable[Sequence[Stretch]]) -> dict[str, Any]:
    """Give what a template draws of several ladders on one axis: ticks, breaks, and each's rows."""
    several = list(lanes)
    axis = make_axis(one for lane in several for one in lane)
    begin_ms = min(axis.places)
    rows = [
        [
            {
                "what": one,
                "at": to_text(one.from_ms),
                "offset": offset(one.from_ms - begin_ms),
                "x": axis.place(one.from_ms),
                "width": axis.width(one),
            }
            for one in lane
        ]
        for lane in several
    ]
    return {"ticks": axis.ticks, "breaks": axis.breaks, "lanes": rows}
