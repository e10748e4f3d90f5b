"""What this process does for all: it renews its leases, and takes those that nobody has.

It must not know what is done under one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.logs import log
from bus.store import processes as rows
from bus.store.leases import GAP_MS, KEEPER, LEASE_MS, NOTICES, SharedLease

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.clock import Clock
    from bus.fleet.line import Line


class Duties:
    """The leases, by name."""

    def __init__(
        self, process_id: str, clock: Clock, line: Line, taken: Callable[[], None]
    ) -> None:
        """Call `taken` when this process has begun to do something for all."""
        self._id, self._line, self._taken = process_id, line, taken
        self.keeping, self.noticing = SharedLease(clock), SharedLease(clock)
        self._leases = {KEEPER: self.keeping, NOTICES: self.noticing}

    def renew(self, asked_s: float, oldest_ms: int) -> None:
        """Renew what this process has, and take what nobody has.

        `asked_s` is not after the question, by this process's clock; `oldest_ms` is since when
        some process that lives has been there all the time.
        """
        found = self._line.ask(rows.LEASES, (rows.LEASE_NAMES,))
        held = {name: (holder, until_ms, now_ms) for name, holder, until_ms, now_ms in found}
        for name, lease in self._leases.items():
            holder, until_ms, now_ms = held.get(name, ("", 0, 0))
            is_another_s = holder != self._id and until_ms > now_ms
            if is_another_s or not self._line.ask(rows.TAKE, (name, self._id)):
                lease.lose()
            elif holder == self._id and lease.is_mine:
                lease.keep(asked_s)
            else:
                last_ms = until_ms - LEASE_MS if holder else until_ms
                silent_ms = now_ms - last_ms
                lease.take(asked_s, was_away=oldest_ms > last_ms or silent_ms > GAP_MS)
                log("lease_taken", lease=name, away=lease.was_away, silent_s=silent_ms / 1000)
                self._taken()

    def end(self) -> None:
        """Let go of all, so that another may take it at once."""
        for lease in self._leases.values():
            lease.lose()
        self._line.ask(rows.RELEASE, (self._id, rows.LEASE_NAMES))
