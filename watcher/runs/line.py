"""A worker's calls about one run, with the worker's own token. It must not know what is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watcher import log
from watcher.bus import BusError
from watcher.persist import persist
from watcher.runs.order import CANCELLED, WORKING, Halt, Order
from watcher.wakes import QUICK_TIMEOUT_S

if TYPE_CHECKING:
    import threading

    from watcher.bus import Bus
    from watcher.clock import Clock

TOO_MUCH = frozenset({400, 413, 422})  # something in the report is refused, not the report
NOT_OURS = frozenset({404, 409, 410})


class Line:
    """One run's line to the bus."""

    def __init__(self, run_id: str, bus: Bus, clock: Clock) -> None:
        self._path = f"/api/runs/{run_id}"
        self._run_id = run_id
        self._bus = bus
        self._clock = clock

    def claim(self, instance: str, workspace: str, halt: Halt) -> tuple[Order, dict[str, Any]]:
        """Claim it; give the order, and the answer as it came.

        Raises:
            BusError: it is another's, over, or halted meanwhile; or the answer is none.
        """
        body = {"instance": instance, **({"workspace": workspace} if workspace else {})}
        answer = persist(
            lambda: self._bus.post(f"{self._path}/claim", body),
            self._clock,
            halt.event,
            despite_token=True,
        )
        if answer.get("cancel") is True:
            halt.set(Halt.CANCELLED)
        try:
            return Order.parse(answer), answer
        except ValueError as error:
            raise BusError(502, "not_the_bus", str(error)) from error

    def say_alive(self, body: dict[str, Any], halt: Halt) -> None:
        """Say that it is worked on; hear whether that is still wanted."""
        try:
            answer = self._bus.post(f"{self._path}/alive", body, timeout_s=QUICK_TIMEOUT_S)
        except BusError as error:
            log.warn("run_alive_refused", run=self._run_id, code=error.code, reason=error.detail)
            if error.status in NOT_OURS:
                halt.set(Halt.OVER)
            return
        state = answer.get("state", WORKING)
        if state not in {WORKING, CANCELLED}:
            halt.set(Halt.OVER)
        elif state == CANCELLED or answer.get("cancel") is True:
            halt.set(Halt.CANCELLED)

    def tell_end(self, body: dict[str, Any], stop: threading.Event) -> bool:
        """Tell the end until the bus has answered; say whether the bus has it from us.

        Raises:
            BusError: stopped before that; the end is still owed.
        """
        try:
            self._persist(body, stop)
        except BusError as error:
            if error.status not in TOO_MUCH:
                return self._give_up(error)
            log.warn("run_end_refused", run=self._run_id, code=error.code, reason=error.detail)
        else:
            return True
        why = "the bus refused the whole report of the end"
        least = {"claim": body["claim"], "status": body["status"], "reason": why}
        try:
            self._persist(least, stop)
        except BusError as error:
            return self._give_up(error)
        return True

    def _persist(self, body: dict[str, Any], stop: threading.Event) -> None:
        persist(
            lambda: self._bus.post(f"{self._path}/end", body),
            self._clock,
            stop,
            despite_token=True,
        )

    def _give_up(self, error: BusError) -> bool:
        """Leave an end that the bus does not want from us; raise one that it may want later."""
        if error.is_passing or error.is_about_the_token:
            raise error
        log.warn("run_end_unwanted", run=self._run_id, code=error.code, reason=error.detail)
        return False
