"""Looks whether the bus is ready and whether it lives, and tells systemd.

Ready is what `/readyz` would answer; alive is less: the database is read, the writer answers and
the keeper moves. A full disk makes a bus unready and not dead: a restart would mend nothing and
end every stream. So does a PostgreSQL that is away. Of several processes each looks at itself, and
one that is dead ends: the arbiter starts another. It must not know how systemd is spoken to.
"""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING

import gevent

from bus.errors import BusError, StorageBusyError
from bus.logs import log
from bus.store.log import read_bounds
from bus.web.health import check_ready

if TYPE_CHECKING:
    from bus.serving.notify import Notify
    from bus.web.runtime import Runtime

STARTING_S = 0.1
"""The pause between looks until the bus is ready."""
LONGEST_PAUSE_S = 10.0
SURE = 3
"""So many looks in a row that find one of several processes dead end it."""


class Watchdog:
    """One greenlet beside the bus."""

    def __init__(self, notify: Notify, run: Runtime) -> None:
        self._notify, self._run = notify, run
        self._is_ready = False
        self._deaths = 0
        self._status = ""
        third_s = notify.watchdog_s / 3 or LONGEST_PAUSE_S
        self._pause_s = min(third_s, LONGEST_PAUSE_S)

    def start(self) -> None:
        """Look and tell until the process ends; nothing where nobody listens."""
        if self._notify.is_heard:
            gevent.spawn(self._watch)

    def _watch(self) -> None:
        while not self._run.drain.begun:
            self.look()
            gevent.sleep(self._pause_s if self._is_ready else STARTING_S)

    def look(self) -> None:
        """Look once, and tell."""
        hindrance = self._why_unready()
        if not hindrance and not self._is_ready:
            self._is_ready = True
            self._notify.ready()
        death = self._why_dead() if self._is_ready else ""
        if death:
            log("watchdog_unfed", logging.ERROR, detail=death)
            self._note_death()
        elif self._is_ready:
            self._deaths = 0
            self._notify.beat()
        self._tell(death or hindrance)

    def _note_death(self) -> None:
        """End where others would go on feeding systemd, once it is sure: another is started."""
        self._deaths += 1
        if self._run.config.workers > 1 and self._deaths >= SURE:
            os.kill(os.getpid(), signal.SIGABRT)

    def _tell(self, trouble: str) -> None:
        run = self._run
        good = (
            f"serving at {run.config.url}: {run.presence.online} nodes online, "
            f"{run.places.taken_anywhere} streams and waiting reads open"
        )
        status = f"in trouble: {trouble}" if trouble else good
        if status != self._status:
            self._status = status
            self._notify.status(status)

    def _why_unready(self) -> str:
        try:
            check_ready(self._run)
        except BusError as error:
            return error.detail
        return ""

    def _why_dead(self) -> str:
        """Give what a new start of the bus might mend."""
        try:
            with self._run.store.read() as conn:
                read_bounds(conn)
        except BusError as error:
            # A server that is away comes back, and no start of this one mends it.
            return "" if self._run.fleet.is_shared else error.detail
        if self._run.keeper.is_stuck:
            return "the keeper does not move"
        return "" if self._writer_answers() else "the writer does not answer"

    def _writer_answers(self) -> bool:
        """Have the writer do nothing: a refusal is an answer, and so is a full queue that moves."""
        before = self._run.store.writer.commits
        with gevent.Timeout(self._pause_s, False):
            try:
                self._run.store.write(lambda _tx: None)
            except StorageBusyError:
                gevent.sleep(self._pause_s / 2)
                return self._run.store.writer.commits > before
            except BusError:
                return True
            return True
        return False
