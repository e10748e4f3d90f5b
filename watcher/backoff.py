"""How long to wait before the next try: pure arithmetic, without a clock of its own.

Full jitter, so that the nodes of a house do not come back in step after the bus was away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BASE_S = 1.0
CAP_S = 60.0
HEALTHY_S = 60.0
LONGEST_FLOOR_S = 600.0  # what a server may ask for; a wrong number must not stop us for a day
SPREAD = 0.2


class Backoff:
    """The waits between the failures of one thing that is tried for ever."""

    def __init__(
        self, fraction: Callable[[], float], base_s: float = BASE_S, cap_s: float = CAP_S
    ) -> None:
        """Take `fraction`, which throws a number in [0, 1)."""
        self._fraction = fraction
        self._base_s = base_s
        self._cap_s = cap_s
        self._failures = 0

    def next_s(self, floor_s: float = 0.0) -> float:
        """Give the next wait, at least `floor_s` and spread above it.

        Without a floor the wait lies in [0, ceiling), and the ceiling doubles up to the cap. The
        floor is what the server asked for (`retry:` or `Retry-After`); over the cap it is obeyed
        with a fifth of it as spread.
        """
        floor_s = min(max(floor_s, 0.0), LONGEST_FLOOR_S)
        doublings = min(self._failures, 16)  # beyond, the cap decides; 2**n stays a small number
        self._failures += 1
        ceiling_s = min(self._cap_s, max(self._base_s, floor_s) * 2.0**doublings)
        spread_s = max(ceiling_s - floor_s, floor_s * SPREAD)
        return floor_s + self._fraction() * spread_s

    def note_healthy(self, lasted_s: float) -> None:
        """Begin anew if it worked for a minute; a shorter success may be part of the failure."""
        if lasted_s >= HEALTHY_S:
            self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._failures = 0
