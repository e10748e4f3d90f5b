"""Which turn runs now: a few at once on this node, one at a time for an agent, in order of asking.

Native threads, because a turn is minutes of waiting for something else. It must not know the bus
or what a turn is.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from watcher import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from watcher.wakes import Ask

    RunTurn = Callable[[Ask, Callable[[], None]], None]


class Turns:
    """The queue of asked-for turns and the threads that run them.

    `run_turn(ask, forget)` runs one. It calls `forget` just before it reports the end: from then
    on the same wake may be asked for again and is not a duplicate.
    """

    def __init__(self, run_turn: RunTurn, at_once: int) -> None:
        self._run_turn = run_turn
        self._at_once = at_once
        self._changed = threading.Condition()
        self._queue: deque[Ask] = deque()
        self._known: set[str] = set()
        self._busy_agents: set[str] = set()
        self._is_closed = False

    def offer(self, ask: Ask) -> bool:
        """Take a wake unless it is in hand already; say whether it was taken."""
        with self._changed:
            if self._is_closed or ask.wake_id in self._known:
                return False
            self._known.add(ask.wake_id)
            self._queue.append(ask)
            self._start_what_can()
            return ask.wake_id in self._known

    def close(self, timeout_s: float) -> bool:
        """Start no more turns, and wait for those that run; say whether all ended in time."""
        with self._changed:
            self._is_closed = True
            self._queue.clear()
            return self._changed.wait_for(lambda: not self._busy_agents, timeout_s)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing runs and nothing is queued."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._busy_agents and not self._queue, timeout_s
            )

    def _start_what_can(self) -> None:
        while len(self._busy_agents) < self._at_once:
            ask = next((ask for ask in self._queue if ask.agent not in self._busy_agents), None)
            if ask is None:
                return
            self._queue.remove(ask)
            self._busy_agents.add(ask.agent)
            thread = threading.Thread(
                target=self._run, args=(ask,), name=f"turn-{ask.agent}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:  # this machine has no thread left
                log.warn("turn_unstarted", wake=ask.wake_id, agent=ask.agent, error=error)
                self._drop(ask)
                return

    def _drop(self, ask: Ask) -> None:
        """Let go of what cannot run now; nothing was reported of it, so the bus asks again."""
        self._busy_agents.discard(ask.agent)
        self._known.discard(ask.wake_id)
        if not self._busy_agents:  # nobody is left who would start the others at his end
            self._known -= {each.wake_id for each in self._queue}
            self._queue.clear()
        self._changed.notify_all()

    def _run(self, ask: Ask) -> None:
        try:
            self._run_turn(ask, lambda: self._forget(ask))
        except Exception as error:  # noqa: BLE001 - a turn must not end the others
            log.warn("turn_crashed", wake=ask.wake_id, agent=ask.agent, error=repr(error))
        finally:
            self._forget(ask)
            with self._changed:
                self._busy_agents.discard(ask.agent)
                self._start_what_can()
                self._changed.notify_all()

    def _forget(self, ask: Ask) -> None:
        with self._changed:
            self._known.discard(ask.wake_id)
