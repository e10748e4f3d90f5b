"""What one process of all does at a time: by a row that says who, and until when.

It saves work and decides nothing: whatever is done under a lease reads again, in the transaction
that does it, whether it is still to be done. So a holder that hangs and comes back does no harm;
and it stops by itself, since it knows when its lease has run out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bus.clock import Clock

KEEPER, NOTICES = "keeper", "notices"
NAMES = (KEEPER, NOTICES)
LEASE_MS = 10_000
GAP_MS = 15_000
"""After a longer time without a holder the bus itself was away, not a process of it."""


class Lease:
    """One that this process has for good: nobody else is at the database."""

    def __init__(self) -> None:
        self.term = 0
        """How often it was taken."""
        self.was_away = True
        """Whether nobody had it before for so long that the bus was away."""

    @property
    def is_mine(self) -> bool:
        """Whether this process does now what the lease is for."""
        return True


class SharedLease(Lease):
    """One that this process may have, until it runs out."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock, self._until_s = clock, 0.0

    @property
    def is_mine(self) -> bool:
        return self._clock.monotonic_s() < self._until_s

    def keep(self, asked_s: float) -> None:
        """Have it for so long from when it was asked for: never longer than others believe."""
        self._until_s = asked_s + LEASE_MS / 1000

    def take(self, asked_s: float, *, was_away: bool) -> None:
        """Have it anew."""
        self.term, self.was_away = self.term + 1, was_away
        self.keep(asked_s)

    def lose(self) -> None:
        """Have it no more."""
        self._until_s = 0.0
