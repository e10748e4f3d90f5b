"""The keeper: does what time makes due, one greenlet that sleeps until the next deadline.

It asks the database for the nearest deadline, waits for that or for a change, and never polls.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import gevent

from bus.access import rotation
from bus.errors import BusError
from bus.guard import costs
from bus.logs import log
from bus.mail import service as mail
from bus.store.leases import Lease
from bus.store.log import trim
from bus.store.setaside import SetAside
from bus.store.transaction import KEEPER, KEEPER_LOOKS_MS
from bus.wakes import queries, service
from bus.wakes.clockwatch import ClockWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus.live.hub import Hub
    from bus.store.store import Store
    from bus.store.transaction import Transaction

LONGEST_S = KEEPER_LOOKS_MS / 1000
"""The longest sleep: a wall clock that was set is noticed after this."""
RETENTION_S = 60.0
AGAIN_S = 5.0
"""The pause after a failure of the database."""
TRIM_BATCH = 1000
STUCK_S = 60.0
"""After how long without a step, of which sleeping is one, it does not move any more."""


def do_due(tx: Transaction, aside: SetAside) -> int:
    """Do one batch of everything that is due, also in the rooms below; gives how much there was."""
    below: int = sum(call(tx, aside) for call in tx.hooks.called("do_due"))
    return mail.do_due(tx, aside) + service.do_due(tx, aside) + below


def keep_house(tx: Transaction) -> int:
    """Remove one batch of what is past its retention."""
    before = tx.now_ms - tx.config.retention_s * 1000
    old_log = tx.now_ms - tx.config.log_retention_s * 1000
    rotation.end_old(tx)
    costs.forget(tx)
    wakes = queries.prune(tx.conn, before, TRIM_BATCH)
    below: int = sum(call(tx) for call in tx.hooks.called("prune"))
    return mail.prune(tx) + trim(tx, old_log, TRIM_BATCH) + wakes + below


class Keeper:
    """The one greenlet that acts on deadlines."""

    def __init__(self, store: Store, hub: Hub, lease: Lease | None = None) -> None:
        """Keep `store` while the lease is this process's; `hub` tells when there may be more."""
        self._store, self._hub, self._lease = store, hub, lease or Lease()
        self._term = 0
        self._cleaned_s = store.clock.monotonic_s()
        self._has_spared = False
        self._clock_watch = ClockWatch(store)
        self.aside = SetAside(store.clock)
        self._moved_s = store.clock.monotonic_s()
        self.trouble = ""
        """What failed last, until it works again; `/readyz` shows it."""

    @property
    def is_stuck(self) -> bool:
        """Whether it has ended or hangs."""
        return self._store.clock.monotonic_s() - self._moved_s > STUCK_S

    def start(self) -> gevent.Greenlet:
        """Start the greenlet; until its first look is done, nobody knows whether it can."""
        self.trouble = "the bus has just started"
        return gevent.spawn(self._keep)

    def _keep(self) -> None:
        with self._hub.listen({KEEPER}) as listener:
            while True:
                listener.clear()
                listener.wait(self._do_what_is_due())

    def _do_what_is_due(self) -> float:
        """Do it; gives how long to sleep. Whatever fails is tried again: what is due stays due."""
        self._moved_s = self._store.clock.monotonic_s()
        if not self._lease.is_mine:
            self.trouble = ""
            return LONGEST_S
        if self._term != self._lease.term:
            self._term, self._has_spared = self._lease.term, not self._lease.was_away
        try:
            if not self._has_spared:
                self._write(service.spare)
                self._has_spared = True
            self._clock_watch.look()
            self.do_all_due()
            self._clean_sometimes()
            self.trouble = ""
            return self._pause_s()
        except BusError as error:
            self.trouble = error.detail
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"
            logging.getLogger("bus").debug("fault", exc_info=error)
        log("keeper_failed", logging.ERROR, detail=self.trouble)
        return AGAIN_S

    def do_all_due(self) -> None:
        """Do all that is due now, a batch a transaction, so that senders get their turn."""
        while self._pause_s() == 0 and self._do_batch():
            self._moved_s = self._store.clock.monotonic_s()

    def _do_batch(self) -> int:
        return self._write(lambda tx: do_due(tx, self.aside))

    def _write(self, work: Callable[[Transaction], int | None]) -> int:
        """Do something in a transaction, where this process still has the lease when it begins."""

        def do(tx: Transaction) -> int:
            return (work(tx) or 0) if self._lease.is_mine else 0

        return self._store.write(do, is_long=True)

    def _clean_sometimes(self) -> None:
        now_s = self._store.clock.monotonic_s()
        if now_s - self._cleaned_s >= RETENTION_S:
            self._cleaned_s = now_s
            while self._write(keep_house):
                self._moved_s = now_s = self._store.clock.monotonic_s()

    def _pause_s(self) -> float:
        with self._store.read() as conn:
            times: list[int | None] = [
                mail.first_due(conn, self.aside.now("deliveries")),
                queries.first_due(conn, self.aside.now("wakes")),
                *(call(conn, self.aside) for call in self._store.hooks.called("first_due")),
            ]
        now_ms = self._store.clock.now_ms()
        pauses = [(time - now_ms) / 1000 for time in times if time is not None]
        return min([max(pause_s, 0.0) for pause_s in pauses] + [LONGEST_S])
